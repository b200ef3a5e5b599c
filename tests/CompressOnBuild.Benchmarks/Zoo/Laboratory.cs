using CompressOnBuild.Calibration;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Rewrites.Opsets;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>A model of a zoo, prepared and calibrated as the worker does it, on which many plans are tried in one process.</summary>
internal sealed class Laboratory : IDisposable
{
    private const int Samples = 16, WorkingOpset = 13;

    private readonly Session original;
    private readonly EvaluationData data;
    private readonly Evaluator evaluator;
    private readonly IReadOnlyDictionary<string, Tensor>[] few;
    private readonly Tensor[][] expected;
    private readonly Lazy<Evaluator.Reference> reference;
    private readonly PairedRun run;

    public Laboratory(ZooModel zoo, string recipe)
    {
        var request = new CompressionRequest
        {
            Model = zoo.Model, Output = "", Name = zoo.Name, CalibrationData = zoo.Calibration, EvaluationData = zoo.Evaluation,
            Metrics = zoo.Metrics?.Split(';') ?? [], Threads = 1,
        };
        run = new PairedRun(request, NullCompressionLog.Instance, default);
        run.Load();
        OriginalBytes = new FileInfo(zoo.Model).Length;
        original = new Session(run.Original, run.Settings("original"));
        data = run.OpenData(original) ?? throw new InvalidOperationException($"{zoo.Name} has no data.");
        var prepared = run.Original.Clone();
        _ = StandardRewrites.Run(prepared, constants => { using var session = new Session(constants, run.Settings("folded")); return session.Run(new Dictionary<string, Tensor>()); });
        if (prepared.Opset() is > 0 and < WorkingOpset) prepared = OpsetConversion.Raise(prepared, WorkingOpset).Model ?? prepared;
        Recipe = Recipe.Load(recipe);
        var runs = data.CalibrationRuns(Recipe.Calibration.Samples);
        var statistics = Calibrator.Run(prepared, runs.Read(default), new CalibrationRequest
        {
            Values = [.. Planner.ValuesToObserve(prepared)], ChannelMeans = Planner.MeansToObserve(prepared), Grams = Planner.GramsToObserve(prepared, Recipe), Watchdog = run.Watchdog,
        }, default);
        Planner = new Planner(prepared, Recipe, statistics);
        var means = statistics.Values.Where(p => p.Value.ChannelMeans is not null).ToDictionary(p => p.Key, p => p.Value.ChannelMeans!.Select(m => (float)m).ToArray(), StringComparer.Ordinal);
        Transformer = new Transformer(prepared, means, statistics.Grams, new ParallelOptions { MaxDegreeOfParallelism = 1 });
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
