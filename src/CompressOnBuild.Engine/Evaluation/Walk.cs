using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Evaluation;

/// <summary>One model on its way along one sequence.</summary>
internal sealed class Walk(Func<IReadOnlyDictionary<string, Tensor>, CancellationToken, Tensor[]> runner, Recurrence? recurrence)
{
    public Walk(Session session, Recurrence? recurrence) : this(session.Run, recurrence) { }

    public Walk(Runner runner, Recurrence? recurrence) : this((inputs, _) => runner(inputs), recurrence) { }

    private readonly Dictionary<string, Tensor> states = recurrence?.States.ToDictionary(s => s.Input, s => s.Initial, StringComparer.Ordinal) ?? [];

    /// <summary>The inputs of the next run: those of the data and the states that the model has come to.</summary>
    public IReadOnlyDictionary<string, Tensor> Inputs(Sample run)
    {
        if (recurrence is null) return run.Inputs;
        var inputs = new Dictionary<string, Tensor>(run.Inputs, StringComparer.Ordinal);
        foreach (var (name, state) in states) inputs[name] = state;
        return inputs;
    }

    /// <summary>Runs the next step: every output in the model's order.</summary>
    /// <exception cref="Diagnostics.CompressionException">COB1021 when the runtime fails on these inputs.</exception>
    public Tensor[] Run(Sample run, CancellationToken cancel)
    {
        var outputs = runner(Inputs(run), cancel);
        foreach (var (input, output, _) in recurrence?.States ?? []) states[input] = outputs[output];
        return outputs;
    }
}
