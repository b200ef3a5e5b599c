using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Runs tiny models of constants for <see cref="ConstantFolding"/>: a model without inputs goes in, its outputs come out in order.
/// The room of rewrites does not know the runtime; whoever calls it lends one.
/// </summary>
public delegate IReadOnlyList<Tensor> ConstantEvaluator(Model model);

/// <summary>The rewrites every model gets before its weights are looked for, in the order in which each makes work for the next.</summary>
public static class StandardRewrites
{
    public static IReadOnlyList<IRewrite> Create(ConstantEvaluator evaluate) =>
    [
        new ShadowedNames(),
        new InitializerInputs(),
        new IdentityRemoval(),
        new ConstantFolding(evaluate),
        new BatchNormalizationFolding(),
        new ChannelAffineFolding(),
        // A Mul and an Add may have stood between a layer and its BatchNormalization.
        new BatchNormalizationFolding(),
        new ConstantSharing(),
        new UnusedRemoval(),
    ];

    /// <summary>Applies them all to the model; the steps that changed something, in order.</summary>
    public static IReadOnlyList<RewriteStep> Run(Model model, ConstantEvaluator evaluate)
    {
        var steps = new List<RewriteStep>();
        foreach (var rewrite in Create(evaluate))
            if (rewrite.Apply(model) is > 0 and var count) steps.Add(new RewriteStep(rewrite.Name, count, rewrite.Describe(count)));
        return steps;
    }
}
