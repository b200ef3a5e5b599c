using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Testing;

/// <summary>Evaluates models without inputs, as constant folding needs it.</summary>
public static class Constants
{
    public static IReadOnlyList<Tensor> Evaluate(Model model)
    {
        using var session = new Session(model, new SessionSettings("constants", Optimize: false));
        return session.Run(new Dictionary<string, Tensor>());
    }
}
