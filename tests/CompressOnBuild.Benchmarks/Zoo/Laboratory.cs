using CompressOnBuild.Encodings;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>A model of a zoo, prepared and calibrated as the worker does it, on which many plans are tried in one process.</summary>
internal sealed class Laboratory : IDisposable
{
    private const int Samples = 16;

    private readonly Session original;
    private readonly EvaluationData data;
    private readonly Evaluator evaluator;
    private readonly IReadOnlyDictionary<string, Tensor>[] few;
    private readonly Tensor[][] expected;
    private readonly Lazy<Evaluator.Reference> reference;
    private readonly PairedRun run;

    public Laboratory(ZooModel zoo, string recipe)
    {
        var request = FidelityRow.Request(zoo, recipe, Target.Cpu, threads: 1, output: "");
        run = new PairedRun(request, NullCompressionLog.Instance, default);
        run.Load();
        OriginalBytes = new FileInfo(zoo.Model).Length;
        original = new Session(run.Original, run.Settings("original"));
        data = run.OpenData(original) ?? throw new InvalidOperationException($"{zoo.Name} has no data.");
        Recipe = Recipe.Load(recipe);
        var preparation = new Preparation(request, run, Capabilities.Of(request.Target), NullCompressionLog.Instance, default);
        var prepared = preparation.Run(original, data, Recipe).Model;
        var statistics = preparation.Calibrate(prepared, data, Recipe)!;
        Planner = new Planner(prepared, Recipe, statistics);
        Transformer = new Transformer(prepared, statistics.ChannelMeans, statistics.Grams, new ParallelOptions { MaxDegreeOfParallelism = 1 }, Recipe.Rounding);
        evaluator = run.Evaluator(original, data)!;
        few = [.. data.CalibrationRuns(Samples).Read(default)];
        expected = [.. few.Select(s => original.Run(s))];
        reference = new(() => evaluator.Measure(data.Splits.Selection, _ => { }, default));
    }

    public Recipe Recipe { get; }
    public Planner Planner { get; }
    public Transformer Transformer { get; }
    public long OriginalBytes { get; }
    /// <summary>Name of the primary metric.</summary>
    public string Metric => data.Metrics[0].Name;

    /// <summary>Bytes of the file and dB of the outputs on a few calibration samples, by mean over samples (<see cref="Fidelity.MeanDecibels"/>).</summary>
    public (long Bytes, double Decibels) Try(Plan plan)
    {
        var bytes = OnnxWriter.ToBytes(Transformer.Apply(plan));
        using var session = new Session(bytes, run.Settings("compressed"));
        return (bytes.Length, Fidelity.MeanDecibels(expected, [.. few.Select(s => session.Run(s))]));
    }

    /// <summary>The primary metric on the selection split.</summary>
    public PairedComparison Measure(Plan plan)
    {
        using var session = new Session(OnnxWriter.ToBytes(Transformer.Apply(plan)), run.Settings("compressed"));
        return evaluator.Compare(session, reference.Value, _ => { }, default).Metrics[0];
    }

    public void Dispose() => original.Dispose();
}
