using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Techniques.Quantization;
using CompressOnBuild.Testing;
using CompressOnBuild.Weights;

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
    /// <summary>The original with <c>Decompress()</c> of what was written as weights.</summary>
    public Model Reference { get; }
    /// <summary>Parameters of the quantized activations.</summary>
    public IReadOnlyDictionary<string, (float Scale, byte Zero)> Values { get; }

    /// <summary>Null when the encoding refuses every weight; each refusal must say why.</summary>
    public static EncodedCase? Of(Model model, string encoding, IReadOnlyDictionary<string, (float, byte)>? values = null, bool join = true, int bits = Bits)
    {
        if (EncodingTable.Find(encoding) is RestoredAtLoad restored) return Of(model, restored, NestedWeights.Simplest(encoding, bits));
        var chosen = Chosen(model, EncodingTable.Find(encoding));
        if (chosen.Length == 0) return null;
        var blocks = encoding == EncodingTable.MatMulNBits.Id ? 16 : 0;
        if (blocks > 0) bits = 4;
        var plan = new Plan([.. chosen.Select(s => new WeightDecision(s.Name, WeightForm.Weights, encoding, bits, "", Block: blocks))],
            [.. (values ?? new Dictionary<string, (float, byte)>()).Select(v => new ValueDecision(v.Key, new(v.Value.Item1, v.Value.Item2)))], join);
        var encoded = new Transformer(model, new Dictionary<string, float[]>()).Apply(plan);
        var weights = chosen.ToDictionary(s => s.Name, s => blocks > 0 ? new Transformer(model, new Dictionary<string, float[]>()).Weight(s, plan.Weights.First(w => w.Site == s.Name)) : (CompressedWeight)RoundToNearest.Quantize(s.Tensor.ToFloats(), [.. s.Tensor.Shape], [.. s.ChannelAxes], bits));
        return new(model, encoded, WithWeights(model, weights), values ?? new Dictionary<string, (float, byte)>());
    }

    /// <summary>Every weight made by <paramref name="make"/> and written to be restored at load.</summary>
    public static EncodedCase? Of(Model model, RestoredAtLoad encoding, Func<Site, CompressedWeight> make)
    {
        var weights = Chosen(model, encoding).ToDictionary(s => s.Name, make);
        if (weights.Count == 0) return null;
        var encoded = model.Clone();
        encoding.Write([.. SiteFinder.Find(encoded).Where(s => weights.ContainsKey(s.Name)).Select(s => new EncodedSite(s, weights[s.Name]))]);
        return new(model, encoded, WithWeights(model, weights), new Dictionary<string, (float, byte)>());
    }

    private static Site[] Chosen(Model model, IEncoding encoding)
    {
        var sites = SiteFinder.Find(model);
        Assert.IsNotEmpty(sites);
        foreach (var refusal in sites.Select(s => encoding.Refuses(s, model.Opset())).OfType<string>()) Assert.IsGreaterThan(10, refusal.Length);
        return [.. sites.Where(s => encoding.Refuses(s, model.Opset()) is null)];
    }

    private static Model WithWeights(Model model, Dictionary<string, CompressedWeight> weights)
    {
        var reference = model.Clone();
        foreach (var site in SiteFinder.Find(reference))
            if (weights.TryGetValue(site.Name, out var weight)) site.Weight.SetConstant(Tensor.Create(weight.Decompress(), weight.Shape));
        return reference;
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
