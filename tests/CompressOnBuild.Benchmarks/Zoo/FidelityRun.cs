using System.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>How near a compressed model's outputs are to the original's: signal-to-noise ratio (dB) over all float outputs and samples, without metrics and gate.</summary>
/// <param name="Bytes">Of the model's file.</param>
/// <param name="Share">Of the original's bytes.</param>
/// <param name="Decibels">Signal over noise; infinite for equal outputs.</param>
/// <param name="Mean">The same with each sample's noise over its own signal, averaged.</param>
/// <param name="Samples">Samples of the gate split that were run.</param>
/// <param name="Seconds">To compress.</param>
internal sealed record FidelityRow(long Bytes, double Share, double Decibels, double Mean, int Samples, double Seconds)
{
    /// <summary>Compresses in this process and compares on at most <paramref name="samples"/> samples that nothing was fitted to.</summary>
    public static FidelityRow Measure(ZooModel model, string recipe, Target target, int samples, int? threads, string output)
    {
        var started = Stopwatch.GetTimestamp();
        return Compressor.Make(Request(model, recipe, target, threads, output), NullCompressionLog.Instance, (made, original, data) =>
            Of(made.Bytes, new FileInfo(model.Model).Length, original, data!, samples, Stopwatch.GetElapsedTime(started).TotalSeconds), CancellationToken.None);
    }

    /// <summary>What a compression of <paramref name="model"/> is asked for. A gate would judge; nothing does here.</summary>
    public static CompressionRequest Request(ZooModel model, string recipe, Target target, int? threads, string output) => new()
    {
        Model = model.Model,
        Name = model.Name,
        Output = output,
        Recipe = recipe,
        Target = target,
        CalibrationData = model.Calibration,
        EvaluationData = model.Evaluation,
        Metrics = model.Metrics?.Split(';') ?? [],
        Threads = threads ?? 0,
    };

    public static FidelityRow Of(byte[] compressed, long originalBytes, Session original, EvaluationData data, int samples, double seconds)
    {
        using var session = new Session(compressed, new SessionSettings("compressed"));
        IReadOnlyDictionary<string, Tensor>[] runs = [.. new SingleRuns(data.Splits.Gate, original, samples).Read(CancellationToken.None)];
        Tensor[][] expected = Outputs(original), actual = Outputs(session);
        return new FidelityRow(compressed.Length, (double)compressed.Length / originalBytes, Fidelity.Decibels(expected, actual), Fidelity.MeanDecibels(expected, actual), runs.Length, seconds);

        Tensor[][] Outputs(Session model) => [.. runs.AsParallel().AsOrdered().Select(r => model.Run(r))];
    }
}
