using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// How far the outputs of a changed model are from those it had: the mean over a few samples and all float outputs of the power of the difference over the power of the
/// output. Where an output is a softmax, what goes into it is heard: beside a sure answer it hides small changes, which then break through together.
/// </summary>
internal sealed class OutputNoise
{
    private readonly IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples;
    private readonly Func<Model, Session> open;
    private readonly ParallelOptions parallel;
    private readonly Lazy<Tensor[][]> expected;

    /// <param name="samples">Inputs by name.</param>
    /// <param name="original">What models are compared with: outputs must be made by the same operators.</param>
    /// <param name="open">A session of a model.</param>
    /// <param name="parallel">Samples run at once; their number changes no bit.</param>
    public OutputNoise(IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, Model original, Func<Model, Session> open, ParallelOptions parallel)
    {
        (this.samples, this.open, this.parallel) = (samples, open, parallel);
        expected = new(() => Outputs(original));
    }

    /// <summary>Of one model.</summary>
    public double Of(Model model) => Math.Pow(10, -Fidelity.MeanDecibels(expected.Value, Outputs(model)) / 10);

    private Tensor[][] Outputs(Model model)
    {
        var copy = model.Clone();
        for (var i = 0; i < copy.Graph.Outputs.Count; i++)
        {
            if (copy.Graph.Outputs[i].Producer is not { } last || !(last.Is("Softmax") || last.Is("LogSoftmax")) || last.Input(0) is not { Producer: not null } scores || copy.Graph.Outputs.Contains(scores)) continue;
            copy.Graph.Outputs[i] = scores;
            copy.Graph.OutputInfos[i] = new ValueInfoProto { Name = scores.Name }; // the runtime infers the type
        }
        using var session = open(copy);
        var outputs = new Tensor[samples.Count][];
        Parallel.For(0, samples.Count, parallel, i => outputs[i] = session.Run(samples[i], parallel.CancellationToken));
        return outputs;
    }
}
