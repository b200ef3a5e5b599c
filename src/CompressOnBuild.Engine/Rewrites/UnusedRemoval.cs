using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>Takes out nodes that no output needs. Legal always: ONNX nodes have no effect but their outputs.</summary>
internal sealed class UnusedRemoval : IRewrite
{
    public string Name => "remove-unused";

    public string Describe(int count) => $"removed {count} nodes that no output needs";

    public int Apply(Model model) => model.Graph.RemoveUnused();
}
