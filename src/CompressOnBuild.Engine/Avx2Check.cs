using CompressOnBuild.Diagnostics;
using CompressOnBuild.Emulation;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>
/// What a model promises on x64 processors without VNNI, whoever quantized it. First the weights alone are asked whether any pair of products
/// can leave 16 bits; where none can, the figures that were measured hold there too. Else the model is run in their arithmetic on the gate split.
/// </summary>
internal sealed class Avx2Check(EvaluationData? data, Evaluator? evaluator, SessionSettings settings, int threads, ICompressionLog log, CancellationToken cancel)
{
    /// <summary>Pairs that are computed for the figures: less than a minute on two cores with AVX2. What is beyond it is left to fewer samples.</summary>
    private const long MostPairs = 300_000_000_000, MostPairsWithoutAvx2 = 3_000_000_000;
    /// <summary>Pairs that are looked at one by one to count.</summary>
    private const long MostCounted = 4_000_000_000, MostCountedWithoutAvx2 = 500_000_000;
    private const int MostCountedRuns = 100;
    /// <summary>Fewer samples would say little of any metric.</summary>
    private const int FewestSamples = 30;

    /// <summary>What cannot be told, one sentence; null when all can.</summary>
    public string? Gap { get; private set; }

    /// <summary>The accuracy there; null where the model has no integer product that could saturate.</summary>
    /// <param name="model">The compressed model.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="measured">The metrics that this machine measured.</param>
    /// <param name="toMetrics">Judges what was compared.</param>
    public Avx2Accuracy? Run(Model model, byte[] bytes, IReadOnlyList<MetricResult> measured, Func<Comparison, IReadOnlyList<MetricResult>> toMetrics)
    {
        if (!MayHoldSignedBytes(model)) return null;
        if (OptimizedGraph.Of(bytes, settings) is not { } optimized)
        {
            Gap = "ONNX Runtime cannot write the graph that it runs to the folder for temporary files";
            return new Avx2Accuracy { Basis = Avx2Basis.Unknown, Products = 0 };
        }
        var products = IntegerProducts.Find(optimized);
        if (products.Count == 0) return null;
        var risky = products.Where(p => p.CanSaturate > 0).ToList();
        var result = new Avx2Accuracy { Basis = Avx2Basis.Exact, Products = products.Count, Weights = Weights(risky, null) };
        if (risky.Count == 0) return result;
        if (Processor.SaturatesIntegerProducts) return result with { Basis = Avx2Basis.Measured, Metrics = measured };

        var emulated = risky.Where(p => p.NotEmulated is null).ToList();
        if (risky.Except(emulated).ToList() is [var first, ..] rest)
            Gap = $"the products of {rest.Count} weights cannot be computed as such processors do, among them '{first.Weight}': {first.NotEmulated}";
        result = result with { Basis = Avx2Basis.Unknown };
        if (data is null || evaluator is null) Gap ??= $"the products of {risky.Count} weights can saturate, and there are no data to see whether they do";
        if (data is null || evaluator is null || emulated.Count == 0) return result;

        log.Stage("computing as processors without VNNI do");
        try
        {
            using var emulator = new Avx2Emulator(optimized, emulated, settings with { Role = "compressed (part)" });
            var (counts, counted, pairs) = Count(emulator, emulated, data);
            var gate = data.Splits.Gate;
            var most = (System.Runtime.Intrinsics.X86.Avx2.IsSupported ? MostPairs : MostPairsWithoutAvx2) / Math.Max(1, pairs * gate.Dataset.RunCount(gate.Indices[0]));
            if (Math.Max(most, FewestSamples) is var fewer && fewer < gate.Count) gate = gate with { Indices = [.. Enumerable.Range(0, (int)fewer).Select(i => gate.Indices[(int)(i * gate.Count / fewer)])] };
            var comparison = evaluator.CompareOnce(i => emulator.Run(i, null, cancel), gate, null, f => log.Progress(f, $"{gate.Count} samples"), cancel);
            return result with { Basis = Avx2Basis.Emulated, Weights = Weights(risky, counts), CountedSamples = counted, Metrics = toMetrics(comparison) };
        }
        catch (CompressionException e) when (e.Diagnostic.Code is Codes.MetricDoesNotFit)
        {
            Gap = $"so many samples as can be computed that way do not define the metric ({e.Diagnostic.Message})";
            return result;
        }
        catch (CompressionException e) when (e.Diagnostic.Code is Codes.RuntimeRefused or Codes.RuntimeFailed)
        {
            Gap = $"the graph cannot be cut at its integer products ({e.Diagnostic.Message})";
            return result;
        }
    }

    // The first run tells how many pairs one has.
    private (Dictionary<string, PairCount> Counts, int Runs, long PairsPerRun) Count(Avx2Emulator emulator, List<IntegerProduct> emulated, EvaluationData data)
    {
        var counts = new Dictionary<string, PairCount>(StringComparer.Ordinal);
        foreach (var product in emulated) counts.TryAdd(product.Weight, new PairCount());
        emulator.Run(data.CalibrationRuns(1).Read(cancel).First(), counts, cancel);
        var pairs = counts.Values.Sum(c => c.Pairs);
        var most = Math.Clamp((System.Runtime.Intrinsics.X86.Avx2.IsSupported ? MostCounted : MostCountedWithoutAvx2) / Math.Max(1, pairs), 1, MostCountedRuns);
        foreach (var product in emulated) counts[product.Weight] = new PairCount();
        var runs = data.CalibrationRuns((int)most);
        Parallel.ForEach(runs.Read(cancel), new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, inputs => emulator.Run(inputs, counts, cancel));
        return (counts, runs.Count, pairs);
    }

    private static SaturatingWeight[] Weights(List<IntegerProduct> products, Dictionary<string, PairCount>? counts) =>
        [.. products.Select(p => counts?.GetValueOrDefault(p.Weight) is { } count
                ? new SaturatingWeight(p.Weight, p.Node.OpType, p.Pairs, p.CanSaturate, count.Pairs, count.Saturated, p.NotEmulated)
                : new SaturatingWeight(p.Weight, p.Node.OpType, p.Pairs, p.CanSaturate, 0, 0, p.NotEmulated))
            .OrderByDescending(w => w.Share).ThenByDescending(w => w.CanSaturate).ThenBy(w => w.Name, StringComparer.Ordinal)];

    // Without a signed byte anywhere no product has signed weights: the runtime need not be asked.
    private static bool MayHoldSignedBytes(Model model) => model.Graphs().Any(g =>
        g.Initializers.Concat(g.Inputs).Any(v => v.ElementType == ElementType.Int8)
        || g.Nodes.Any(n => n.Outputs.Any(o => o?.ElementType == ElementType.Int8) || n.Int("to", 0) == (int)ElementType.Int8 || n.Int("output_dtype", 0) == (int)ElementType.Int8));
}
