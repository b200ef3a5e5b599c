using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class LayerNormalizationFormTests
{
    private const int N = 6;

    [TestMethod]
    [DataRow("squares", "reciprocal", true), DataRow("squares", "div", false), DataRow("centred", "reciprocal", false), DataRow("centred", "one-over", true), DataRow("squares", "pow", true)]
    public void OneThatWasTakenApartBecomesTheRuntimesKernel(string variance, string root, bool gammaFirst)
    {
        var model = Apart(variance, root, gammaFirst);
        var written = model.Clone();
        Assert.AreEqual(1, new LayerNormalizationForm().Apply(written));
        Assert.IsTrue(Kernels(written).Contains("LayerNormalization"), string.Join(' ', Kernels(written)));
        Equivalence.Holds(model, written, 5e-6, [3]);
    }

    [TestMethod]
    public void ALengthThatIsPutBackByReshapeIsSeenThrough()
    {
        var model = Apart("squares", "reciprocal", gammaFirst: true, keeps: false);
        var written = model.Clone();
        Assert.AreEqual(1, new LayerNormalizationForm().Apply(written));
        Equivalence.Holds(model, written, 5e-6, [3]);
    }

    [TestMethod]
    [DataRow(13), DataRow(18)]
    public void AnAxisInTheMiddleIsMovedThereAndBack(int opset)
    {
        var model = Apart("centred", "reciprocal", gammaFirst: true, opset: opset, axis: 1);
        var written = model.Clone();
        Assert.AreEqual(1, new LayerNormalizationForm().Apply(written));
        Equivalence.Holds(model, written, 5e-6, [3]);
    }

    [TestMethod]
    public void WhereAllPlacesAreNearlyEqualTheWrittenFormIsNearerToTheTruth()
    {
        // mean(x^2) - mean^2 of numbers around 30 that differ by hundredths keeps few digits in floats.
        var model = Apart("squares", "reciprocal", gammaFirst: true);
        var written = model.Clone();
        new LayerNormalizationForm().Apply(written);
        var noise = ModelBuilder.Random(7, 0.01f, 3, 4, N).ToFloats();
        var input = new Dictionary<string, Tensor> { ["z"] = Tensor.Create(Array.ConvertAll(noise, v => v - 30), 3, 4, N) };
        float[] gamma = ModelBuilder.Random(3, 1, N).ToFloats(), beta = ModelBuilder.Random(4, 1, N).ToFloats(), z = input["z"].ToFloats();
        var truth = new double[z.Length];
        for (var r = 0; r < z.Length; r += N)
        {
            double[] x = [.. z.AsSpan(r, N).ToArray().Select(v => -(double)v)];
            double mean = x.Average(), variance = x.Sum(v => (v - mean) * (v - mean)) / N;
            for (var i = 0; i < N; i++) truth[r + i] = (x[i] - mean) / Math.Sqrt(variance + 1e-5f) * gamma[i] + beta[i];
        }
        double before = Worst(model), after = Worst(written);
        Assert.IsLessThan(before / 10, after);

        double Worst(Model of)
        {
            using var session = new Session(of, new SessionSettings("m"));
            return session.Run(input)[0].ToFloats().Zip(truth, (a, b) => Math.Abs(a - b)).Max();
        }
    }

    [TestMethod]
    public void TheRuntimesOwnFormStays()
    {
        var model = Apart("centred", "reciprocal", gammaFirst: true);
        Assert.AreEqual(1, new LayerNormalizationForm().Apply(model));
        Assert.AreEqual(0, new LayerNormalizationForm().Apply(model));
    }

    [TestMethod]
    public void WhatIsNoneStays()
    {
        Assert.AreEqual(0, new LayerNormalizationForm().Apply(Apart("squares", "reciprocal", gammaFirst: true, factor: 1f / (N - 1)))); // of a sample, not of all
        Assert.AreEqual(0, new LayerNormalizationForm().Apply(Apart("squares", "reciprocal", gammaFirst: true, epsilon: 0)));
        Assert.AreEqual(0, new LayerNormalizationForm().Apply(Apart("squares", "reciprocal", gammaFirst: true, shows: true)));
        Assert.AreEqual(0, new LayerNormalizationForm().Apply(Apart("squares", "reciprocal", gammaFirst: true, gamma: [1, 4, 1]))); // along another axis
        Assert.AreEqual(0, new LayerNormalizationForm().Apply(Apart("squares", "reciprocal", gammaFirst: true, epsilonShape: [1, 1, 1, 1]))); // adds an axis
    }

    /// <summary>A layer normalization [B, 4, N] as exporters write it: <paramref name="variance"/> mean(x^2) - mean^2 or of centred values, <paramref name="root"/> how it divides.</summary>
    private static Model Apart(string variance, string root, bool gammaFirst, bool keeps = true, int opset = 13, int axis = 2, float factor = 1f / N, float epsilon = 1e-5f, bool shows = false, long[]? gamma = null, long[]? epsilonShape = null)
    {
        var shape = axis == 2 ? new long[] { -1, 4, N } : [-1, N, 4];
        var perPlace = gamma ?? (axis == 2 ? [N] : [1, N, 1]);
        var builder = new ModelBuilder(opset).Input("z", shape).Output("y", shape).Node("Neg", ["z"], ["x"]).Initializer("axis", Tensor.Create([(long)axis], 1)).Initializer("n", Tensor.Scalar(factor)).Initializer("epsilon", Tensor.Create([epsilon], epsilonShape ?? []))
            .Initializer("zero", Tensor.Scalar(0f)).Initializer("one", Tensor.Scalar(1f)).Initializer("minus-half", Tensor.Scalar(-0.5f)).Weight("gamma", 3, 1, perPlace).Weight("beta", 4, 1, axis == 2 ? [N] : [1, N, 1])
            .Initializer("put", Tensor.Create([-1L, 4L, 1L], 3));
        void Mean(string of, string to)
        {
            builder.Node("ReduceSum", [of, "axis"], [$"{to}_sum"], NodeAttribute.Int("keepdims", keeps ? 1 : 0)).Node("Mul", [$"{to}_sum", "n"], [keeps ? to : $"{to}_bare"]);
            if (!keeps) builder.Node("Reshape", [$"{to}_bare", "put"], [to]);
        }
        Mean("x", "mean");
        builder.Node("Sub", ["x", "mean"], ["c"]);
        if (variance == "squares")
        {
            builder.Node("Mul", ["x", "x"], ["x2"]);
            builder.Node("ReduceSum", ["x2", "axis"], ["x2_sum"], NodeAttribute.Int("keepdims", keeps ? 1 : 0)).Node("Mul", ["x2_sum", "n"], ["x2_mean"]);
            var mean = keeps ? "mean" : "mean_bare";
            builder.Node("Mul", [mean, mean], ["m2"]).Node("Sub", ["x2_mean", "m2"], ["v0"]).Node("Max", ["zero", "v0"], [keeps ? "v" : "v1"]);
            if (!keeps) builder.Node("Reshape", ["v1", "put"], ["v"]);
        }
        else
        {
            builder.Node("Mul", ["c", "c"], ["c2"]);
            Mean("c2", "v");
        }
        builder.Node("Add", ["v", "epsilon"], ["e"]);
        if (root != "pow") builder.Node("Sqrt", ["e"], ["s"]);
        switch (root)
        {
            case "div": builder.Node("Div", ["c", "s"], ["d"]).Node("Mul", ["d", "gamma"], ["g"]); break;
            default:
                if (root == "reciprocal") builder.Node("Reciprocal", ["s"], ["r"]);
                else if (root == "one-over") builder.Node("Div", ["one", "s"], ["r"]);
                else builder.Node("Pow", ["e", "minus-half"], ["r"]);
                if (gammaFirst) builder.Node("Mul", ["r", "gamma"], ["f"]).Node("Mul", ["c", "f"], ["g"]);
                else builder.Node("Mul", ["c", "r"], ["f"]).Node("Mul", ["f", "gamma"], ["g"]);
                break;
        }
        builder.Node("Add", ["g", "beta"], ["y"]);
        if (shows) builder.Output("e", axis == 2 ? [-1, 4, 1] : [-1, 1, 4]);
        return builder.Build();
    }

    private static string[] Kernels(Model model) => [.. OptimizedGraph.Of(OnnxWriter.ToBytes(model), new SessionSettings("optimized"))!.AllNodes().Select(n => n.OpType)];
}
