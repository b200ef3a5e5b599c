using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>
/// How far the outputs of changed models are from those of one they came from: the mean over a few samples and all float outputs of the power of the difference over the power
/// of the output. Where an output is a softmax, what goes into it is heard: beside a sure answer it hides small changes, which then break through together.
/// Runs nothing before it is asked.
/// </summary>
/// <param name="model">Where they came from; its outputs and theirs are made by the same operators.</param>
/// <param name="samples">Inputs by name. Not those of calibration: where these are few, they say that nothing was lost.</param>
/// <param name="settings">Of the sessions.</param>
/// <param name="parallel">Samples run at once; their number changes no bit.</param>
internal sealed class OutputNoise(Model model, Func<IEnumerable<IReadOnlyDictionary<string, Tensor>>> samples, SessionSettings settings, ParallelOptions parallel)
{
    /// <summary>As many samples are enough: this is a finer ruler than a metric.</summary>
    public const int Samples = 8;

    private (IReadOnlyDictionary<string, Tensor>[] Samples, Tensor[][] Expected, bool Opened)? known;

    /// <summary>Of one model, at most 1; 1 too where the runtime does not take it.</summary>
    public double Of(Model changed)
    {
        if (known is null)
        {
            IReadOnlyDictionary<string, Tensor>[] read = [.. samples()];
            try { known = (read, Outputs(Open(model), read), true); }
            catch (CompressionException) { known = (read, Outputs(model, read), false); }
        }
        try { return Math.Pow(10, -Fidelity.MeanDecibels(known.Value.Expected, Outputs(known.Value.Opened ? Open(changed) : changed, known.Value.Samples)) / 10); }
        catch (CompressionException) { return 1; }
    }

    private Tensor[][] Outputs(Model of, IReadOnlyDictionary<string, Tensor>[] inputs)
    {
        using var session = new Session(of, settings);
        var outputs = new Tensor[inputs.Length][];
        InOrder.ForEach(inputs.Length, Math.Max(1, parallel.MaxDegreeOfParallelism), i => session.Run(inputs[i], parallel.CancellationToken), (i, result) => outputs[i] = result, null, parallel.CancellationToken);
        return outputs;
    }

    /// <summary>A copy that shows the scores instead of their softmax.</summary>
    private static Model Open(Model model)
    {
        var copy = model.Clone();
        var graph = copy.Graph;
        for (var i = 0; i < graph.Outputs.Count; i++)
        {
            if (graph.Outputs[i].Producer is not { } last || !(last.Is("Softmax") || last.Is("LogSoftmax")) || last.Input(0) is not { Producer: not null } scores || graph.Outputs.Contains(scores)) continue;
            graph.Outputs[i] = scores;
            graph.OutputInfos[i] = new ValueInfoProto { Name = scores.Name }; // the runtime infers the type
        }
        return copy;
    }
}
