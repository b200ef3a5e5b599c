using System.Collections.Concurrent;
using CompressOnBuild.Calibration;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Placement;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Planning;

/// <summary>
/// Turns wanted forms into a plan: forms the runtime has, the activations to quantize around them, and their parameters.
/// Knows the prepared model and what calibration saw of it; never measures.
/// </summary>
internal sealed class Planner
{
    private readonly Recipe recipe;
    private readonly int opset;
    private readonly bool saturationSafe;
    private readonly Capabilities runtime;
    private readonly ConcurrentDictionary<(string Value, CalibrationMethod Method), ActivationRange> ranges = [];

    /// <param name="prepared">The model after its rewrites.</param>
    /// <param name="recipe">For the calibration method.</param>
    /// <param name="statistics">What calibration saw; null without data.</param>
    /// <param name="runtime">What will run the model; null: this package's ONNX Runtime on any processor.</param>
    public Planner(Model prepared, Recipe recipe, Statistics? statistics, Capabilities? runtime = null)
    {
        this.runtime = runtime ?? Capabilities.Of(Target.Cpu);
        (Prepared, this.recipe, Statistics, Ranges) = (prepared, recipe, statistics, recipe.Calibration.Method);
        opset = prepared.Opset();
        saturationSafe = this.runtime.Target == Target.Cpu;
        Sites = SiteFinder.Find(prepared);
    }

    /// <summary>The model after its rewrites; plans speak of its names.</summary>
    public Model Prepared { get; }

    /// <summary>What will run the model.</summary>
    public Capabilities Runtime => runtime;

    /// <summary>Every weight of the prepared model.</summary>
    public IReadOnlyList<Site> Sites { get; }

    public Statistics? Statistics { get; }

    /// <summary>How ranges of activations are found; of the recipe, until measuring chose one (<see cref="RangeChoice"/>).</summary>
    public CalibrationMethod Ranges { get; set; }

    /// <summary>Values whose statistics any plan could ask for.</summary>
    public static IReadOnlyList<string> ValuesToObserve(Model prepared)
    {
        var opset = prepared.Opset();
        var sites = SiteFinder.Find(prepared).Where(s => s.IsObservable).ToArray();
        var fixedNodes = sites.Where(s => EncodingTable.Static.Refuses(s, opset) is null).SelectMany(s => s.Uses.Select(u => u.Node)).ToHashSet();
        var names = new List<string>(QuantizedRegion.Find(prepared.Graph, fixedNodes).Values.Select(v => v.Value.Name));
        // Shapes for the cost of forms that quantize nothing statically.
        foreach (var node in sites.SelectMany(s => s.Uses.Select(u => u.Node)))
        {
            if (node.Input(0) is { } input) names.Add(input.Name);
            if (node.Output(0) is { } output) names.Add(output.Name);
        }
        return [.. names.Distinct()];
    }

    /// <summary>Inputs of convolutions whose channel means correct the bias, with the axis of the channels.</summary>
    public static IReadOnlyDictionary<string, int> MeansToObserve(Model prepared) => SiteFinder.Find(prepared)
        .Where(s => s.IsObservable && s.Tensor.ElementType == ElementType.Float && s.SingleNode is { } n && n.Is("Conv")).Select(s => s.SingleNode!.Input(0)!.Name).Distinct().ToDictionary(n => n, _ => 1, StringComparer.Ordinal);

    /// <summary>Gram matrices that repair the rounding of weights, or say what it costs; none where the recipe does not want that.</summary>
    public static IReadOnlyList<GramRequest> GramsToObserve(Model prepared, Recipe recipe) =>
        recipe.RoundsByCalibration || recipe.Smoothing ? WeightInputs.Of(SiteFinder.Find(prepared)) : [];

    /// <summary>The decision for one site when <paramref name="wanted"/> is asked for, at <paramref name="bits"/> bits where its activations stay floats.</summary>
    public WeightDecision Decide(Site site, WeightForm wanted, string because, int bits = 8, int block = 0) => FormTable.Resolve(site, wanted, opset, IsObserved(site), because, saturationSafe, FusedWeightsPay(site), bits, runtime, block);

    /// <summary>Integer weights for float arithmetic: never a product that rounds its activations too, as MatMulNBits does.</summary>
    public WeightDecision DecideRestored(Site site, string because, int bits = 8, PruningTarget? pruning = null) =>
        FormTable.Pruned(FormTable.Resolve(site, WeightForm.Weights, opset, IsObserved(site), because, saturationSafe, fusedWeightsPay: false, bits, runtime), pruning, site, opset);

    /// <summary>
    /// The plan of a recipe without search: every weight gets what its rule asks, or the next form that exists. A static form that the
    /// cost table says is slower than floats falls back to int8 weights.
    /// </summary>
    public Plan ByRules()
    {
        var wanted = new Dictionary<string, (WeightForm Form, string Because)>(StringComparer.Ordinal);
        var widths = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var site in Sites)
        {
            var (form, bits) = recipe.For(site.OperatorName, site.Name);
            widths[site.Name] = form is WeightForm.Weights or WeightForm.Palette ? bits : 8;
            wanted[site.Name] = (form, form == WeightForm.None ? $"the recipe '{recipe.Name}' leaves {site.OperatorName} alone" : $"the recipe '{recipe.Name}' asks for {Word(form, bits)}");
        }
        PoorIslands.Drop(this, Decide(wanted), wanted);
        return Complete([.. Sites.Select(s => FormTable.Pruned(Decide(s, wanted[s.Name].Form, wanted[s.Name].Because, widths[s.Name], recipe.BlockFor(s.OperatorName, s.Name)), recipe.PruningFor(s.OperatorName, s.Name), s, opset))], join: true);
    }

    /// <summary>The decisions for a set of wanted forms, one for each site.</summary>
    public IReadOnlyList<WeightDecision> Decide(IReadOnlyDictionary<string, (WeightForm Form, string Because)> wanted) =>
        FormTable.Settle([.. Sites.Select(s => Decide(s, wanted[s.Name].Form, wanted[s.Name].Because))], Sites, opset, runtime);

    /// <summary>Finds the activations of a set of decisions and their parameters.</summary>
    public Plan Complete(IReadOnlyList<WeightDecision> decisions, bool join)
    {
        decisions = FormTable.Settle(decisions, Sites, opset, runtime);
        var region = Region(decisions.Where(d => d.Form == WeightForm.Static).Select(d => d.Site), join);
        var parameters = new Dictionary<string, QuantizationParameters>(StringComparer.Ordinal);
        foreach (var value in region.Values)
        {
            parameters[value.Value.Name] = value.Source is { } source && parameters.TryGetValue(source.Name, out var shared)
                ? shared
                : Parameters(value, Statistics![value.Value.Name]);
        }
        return new Plan(decisions, [.. parameters.Select(p => new ValueDecision(p.Key, p.Value))], join);
    }

    /// <summary>The region that static weights span on the prepared model.</summary>
    /// <param name="statics">Names of the sites.</param>
    /// <param name="join">Whether operators between them run on integers too.</param>
    public QuantizedRegion Region(IEnumerable<string> statics, bool join = true)
    {
        var names = statics.ToHashSet(StringComparer.Ordinal);
        return QuantizedRegion.Find(Prepared.Graph, Sites.Where(s => names.Contains(s.Name)).SelectMany(s => s.Uses.Select(u => u.Node)).ToHashSet(), join);
    }

    // Without a look at the shapes, one row is the likeliest.
    private bool FusedWeightsPay(Site site) => Statistics is null || site.Operator is not { Role: WeightRole.MatrixProduct }
        || site.Uses.Any(u => !Statistics.TryGet(u.Node.Output(0)?.Name ?? "", out _)) || CostTable.NBits(site, Statistics) < CostTable.Float(site, Statistics);

    private bool IsObserved(Site site) => Statistics is not null && site.Uses.All(u =>
        IsObserved(u.Node.Input(0)) && IsObserved((QdqRules.AbsorbedActivation(u.Node) ?? u.Node).Output(0)));

    private bool IsObserved(Value? value) => value is not null && Statistics!.TryGet(value.Name, out var seen) && seen is { Count: > 0, NonFinite: 0, ElementType: ElementType.Float };

    private QuantizationParameters Parameters(QuantizedValue value, ValueStatistics seen) =>
        QdqRules.Fit(value.Activation, ranges.GetOrAdd((seen.Name, Ranges), _ => RangeEstimator.Estimate(seen, Ranges, recipe.Calibration.Percentile)).ToUInt8());

    internal static string Word(WeightForm form, int bits = 8) => form switch
    {
        WeightForm.Static => "static int8",
        WeightForm.Dynamic => "dynamic int8",
        WeightForm.Weights => $"int{bits} weights",
        WeightForm.Palette => $"a palette of {bits} bits",
        WeightForm.Fp16 => "fp16 weights",
        _ => "nothing",
    };
}
