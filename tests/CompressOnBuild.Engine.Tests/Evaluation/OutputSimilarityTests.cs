using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>A metric looks at one output; no other may be ruined behind its back.</summary>
[TestClass]
public class OutputSimilarityTests
{
    private const int Size = 64;

    [TestMethod]
    public void TheSecondHeadOfAModelCannotBeDestroyedUnseen()
    {
        using var model = TwoHeads();
        var error = Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { Recipe = "int8-weights" }));
        Assert.AreEqual(Codes.OtherOutputRuined, error.Errors.Single().Code);
        StringAssert.Contains(error.Message, "'z'");
        var figure = error.Result.Measurements.Metrics.Single(m => m.Name == "cosine:z");
        Assert.IsLessThan(0.5, figure.Compressed);
        Assert.AreEqual(Verdict.Fail, figure.Verdict);
        Assert.AreEqual(Verdict.Pass, error.Result.Measurements.Metrics[0].Verdict);
    }

    [TestMethod]
    public void ASearchLooksAtEveryOutput()
    {
        using var model = TwoHeads();
        var result = model.Run(r => r with { Recipe = "auto" });
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        Assert.IsGreaterThan(0.99, result.Measurements.Metrics.Single(m => m.Name == "cosine:z").Compressed);
    }

    [TestMethod]
    public void TheOutputThatIsNamedIsTheOneThatMatters()
    {
        using var model = TwoHeads();
        File.WriteAllText(model["evaluation.json"], """{ "output": "y" }""");
        var result = model.Run(r => r with { Recipe = "int8-weights" });
        Assert.AreEqual(Verdict.Pass, result.Verdict);
        Assert.IsLessThan(0.5, result.Measurements.Metrics.Single(m => m.Name == "cosine:z").Compressed, "it is reported all the same");
    }

    [TestMethod]
    public void FiguresAreMeansOverSamplesThatSaySomething()
    {
        var totals = new OutputSimilarities([("scored", true), ("floats", true), ("ids", false), ("map", false)]);
        Add([3, 4], [3, 4], [1, 2, 3, 4], [1, 2, 3, 4]);
        Add([3, 4], [1, 0], [1, 2, 3, 4], [1, 2, 0, 0]);
        Add([0, 0], [1, 0], [], []); // no direction to keep, and two empty outputs are equal
        var results = totals.Results();
        Assert.HasCount(2, results);
        Assert.AreEqual(new OutputSimilarity("floats", true, (1 + 0.6) / 2, 0.6, 2), results[0]);
        Assert.AreEqual(new OutputSimilarity("ids", false, (1 + 0.5 + 1) / 3, 0.5, 3), results[1]);

        Assert.AreEqual(-1, OutputSimilarities.Compare(Outputs([0, 0], []), Outputs([0, float.NaN], []), scored: 0)[1], "zeros that became no numbers");

        void Add(float[] before, float[] after, long[] idsBefore, long[] idsAfter) =>
            totals.Add(OutputSimilarities.Compare(Outputs(before, idsBefore), Outputs(after, idsAfter), scored: 0));
        static Tensor[] Outputs(float[] floats, long[] ids) =>
            [Tensor.Create(floats, floats.Length), Tensor.Create(floats, floats.Length), Tensor.Create(ids, ids.Length), new Tensor(ElementType.Undefined, [0], default)];
    }

    // y = x w, z = x v: 8 bits cannot hold v, which has an outlier per column for an input that is always 0.
    private static ModelCase TwoHeads()
    {
        var v = ModelBuilder.Random(2, 0.02f, Size, Size).ToFloats();
        for (var c = 0; c < Size; c++) v[c] = 1000;
        var x = ModelBuilder.Random(1, 1, 60, Size).ToFloats();
        for (var i = 0; i < x.Length; i += Size) x[i] = 0;
        var b = new ModelBuilder().Input("x", -1, Size).Output("y", -1, Size).Output("z", -1, Size).Weight("w", 1, 0.1f, Size, Size).Initializer("v", v, Size, Size)
            .Node("MatMul", ["x", "w"], ["y"]).Node("MatMul", ["x", "v"], ["z"]);
        return new ModelCase(b).With(new NpzBuilder().Floats("x", x, 60, Size));
    }
}
