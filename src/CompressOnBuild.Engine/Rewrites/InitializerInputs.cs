using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Drops graph inputs that only repeat the model's weights. IR version 3 demanded that every initializer be an input as well, and some exporters kept the
/// habit; ONNX Runtime then must not fold the weights, because a caller could override them.
/// Legal when the model is of IR version 3, where the runtime itself takes such an input as a constant (the IR version becomes 4); or when every
/// initializer of the main graph is also an input: then the exporter wrote them all. Where only some are, they were meant to be set and stay inputs.
/// What changes for a caller: the weights can no longer be fed as inputs.
/// </summary>
internal sealed class InitializerInputs : IRewrite
{
    public string Name => "drop-initializer-inputs";

    public string Describe(int count) => $"dropped {count} graph inputs that only repeat weights";

    public int Apply(Model model)
    {
        var graph = model.Graph;
        if (model.IrVersion >= 4 && !graph.Initializers.TrueForAll(graph.Inputs.Contains)) return 0;
        var stored = graph.Initializers.ToHashSet();
        var dropped = graph.Inputs.RemoveAll(stored.Contains);
        model.IrVersion = Math.Max(model.IrVersion, 4);
        return dropped;
    }
}
