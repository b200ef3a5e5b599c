using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Encodings;

/// <summary>A model with its weights in one encoding, and the float model that it must compute.</summary>
internal sealed class EncodedCase
{
    /// <summary>7-bit codes: the integer kernels of processors without VNNI saturate sums of 8-bit products, which is no matter of the encoding.</summary>
    public const int Bits = 7;

    private EncodedCase(Model original, Model encoded, Model reference, IReadOnlyDictionary<string, (float Scale, byte Zero)> values) =>
        (Original, Encoded, Reference, Values) = (original, encoded, reference, values);

    public Model Original { get; }
    public Model Encoded { get; }
    /// <summary>The original with <c>Quantized.Decompress()</c> as weights.</summary>
    public Model Reference { get; }
    /// <summary>Parameters of the quantized activations.</summary>
    public IReadOnlyDictionary<string, (float Scale, byte Zero)> Values { get; }

    /// <summary>Null when the encoding refuses every weight; each refusal must say why.</summary>
    public static EncodedCase? Of(Model model, string encoding, IReadOnlyDictionary<string, (float, byte)>? values = null, bool join = true, int bits = Bits)
    {
        var sites = SiteFinder.Find(model);
        Assert.IsNotEmpty(sites);
        var chosen = new List<Site>();
        foreach (var site in sites)
        {
            var refusal = encoding == HalfCast.Id ? null : EncodingTable.Find(encoding).Refuses(site, model.Opset());
            if (refusal is null) chosen.Add(site);
            else Assert.IsGreaterThan(10, refusal.Length);
        }
        if (chosen.Count == 0) return null;
        var half = encoding == HalfCast.Id;
        var plan = new Plan([.. chosen.Select(s => new WeightDecision(s.Name, half ? WeightForm.Fp16 : WeightForm.Weights, encoding, half ? 16 : bits, ""))],
            [.. (values ?? new Dictionary<string, (float, byte)>()).Select(v => new ValueDecision(v.Key, new(v.Value.Item1, v.Value.Item2)))], join);
        var encoded = new Transformer(model, new Dictionary<string, float[]>()).Apply(plan);
        var reference = model.Clone();
        foreach (var site in SiteFinder.Find(reference).Where(s => chosen.Any(c => c.Name == s.Name)))
        {
            long[] shape = [.. site.Tensor.Shape];
            var weights = half ? CompressOnBuild.Weights.HalfWeight.Round(site.Tensor.ToFloats(), shape)!.Decompress()
                : RoundToNearest.Quantize(site.Tensor.ToFloats(), shape, [.. site.ChannelAxes], bits).Decompress();
            site.Weight.SetConstant(Tensor.Create(weights, shape));
        }
        return new(model, encoded, reference, values ?? new Dictionary<string, (float, byte)>());
    }

    public static Tensor[] Run(Model model, IReadOnlyDictionary<string, Tensor> inputs, bool optimize)
    {
        using var session = new Session(model, new SessionSettings("test", Optimize: optimize));
        return session.Run(inputs);
    }

    public static Dictionary<string, Tensor> Inputs(Model model)
    {
        using var session = new Session(model, new SessionSettings("test", Optimize: false));
        return Equivalence.Inputs(session, [], 11, MatrixCase.Given).Where(p => session.Inputs.Any(i => i.Name == p.Key)).ToDictionary();
    }

    /// <summary>Scale and zero point of unsigned 8-bit codes over the range of the values, 0 included (as DynamicQuantizeLinear says).</summary>
    public static (float Scale, byte Zero) Range(Tensor values)
    {
        float min = Math.Min(0, values.ToFloats().Min()), max = Math.Max(0, values.ToFloats().Max());
        var scale = (max - min) / 255;
        return (scale, (byte)Math.Clamp(MathF.Round(-min / scale), 0, 255));
    }

    /// <summary>Parameters of every value of the main graph for these inputs; values that must share the parameters of another one do.</summary>
    public static Dictionary<string, (float Scale, byte Zero)> Ranges(Model model, IReadOnlyDictionary<string, Tensor> inputs)
    {
        var open = model.Clone();
        var values = open.Graph.Nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(v => !v.IsGraphOutput && v.Constant is null).ToArray();
        foreach (var value in values) open.Graph.AddOutput(value, new ModelBuilder().Output(value.Name, ElementType.Float).Proto.Graph.Output[0]);
        foreach (var info in open.Graph.OutputInfos) info.Type.TensorType.Shape = null;
        using var session = new Session(open, new SessionSettings("ranges", Optimize: false));
        var found = session.Outputs.Select(o => o.Name).Zip(session.Run(inputs)).Concat(inputs.Select(i => (First: i.Key, Second: i.Value)))
            .Where(v => v.Second.ElementType == ElementType.Float).ToDictionary(v => v.First, v => Range(v.Second));
        var integers = SiteFinder.Find(model).Where(s => EncodingTable.Static.Refuses(s, model.Opset()) is null).SelectMany(s => s.Uses.Select(u => u.Node)).ToHashSet();
        foreach (var value in QuantizedRegion.Find(model.Graph, integers).Values)
        {
            var fitted = QdqRules.Fit(value.Activation, new(found[value.Value.Name].Scale, found[value.Value.Name].Zero));
            found[value.Value.Name] = value.Source is { } source ? found[source.Name] : (fitted.Scale, fitted.ZeroPoint);
        }
        return found;
    }

    /// <summary>Rounds to the codes and back.</summary>
    public static Tensor Rounded(Tensor values, (float Scale, byte Zero) p) =>
        Tensor.Create([.. values.ToFloats().Select(v => (Math.Clamp(MathF.Round(v / p.Scale) + p.Zero, 0, 255) - p.Zero) * p.Scale)], [.. values.Shape]);

    public static void Near(Tensor expected, Tensor actual, double tolerance, string what)
    {
        Assert.AreEqual(expected.ToString(), actual.ToString(), what);
        float[] e = expected.ToFloats(), a = actual.ToFloats();
        var worst = e.Zip(a, (l, r) => Math.Abs((double)l - r)).Max();
        Assert.IsLessThanOrEqualTo(tolerance, worst, $"{what}: off by {worst}, largest value {e.Max(Math.Abs)}");
    }

    public static double Largest(Tensor tensor) => tensor.ToFloats().Max(v => (double)Math.Abs(v));
}
