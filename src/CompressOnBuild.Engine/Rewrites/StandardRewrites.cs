using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Runs tiny models of constants for <see cref="ConstantFolding"/>: a model without inputs goes in, its outputs come out in order.
/// The room of rewrites does not know the runtime; whoever calls it lends one.
/// </summary>
internal delegate IReadOnlyList<Tensor> ConstantEvaluator(Model model);

/// <summary>The rewrites every model gets before its weights are looked for, in the order in which each makes work for the next.</summary>
internal static class StandardRewrites
{
    public static IReadOnlyList<IRewrite> Create(ConstantEvaluator evaluate, bool eager = false) =>
    [
        new ShadowedNames(),
        new InitializerInputs(),
        new IdentityRemoval(),
        new ConstantFolding(evaluate, eager),
        new OneHotLookup(),
        new ReshapeTargets(),
        new LayerNormalizationForm(),
        new GeluForm(),
        new BatchNormalizationFolding(),
        new ChannelAffineFolding(),
        // A Mul and an Add may have stood between a layer and its BatchNormalization.
        new BatchNormalizationFolding(),
        new WeightDequantizeFolding(),
        new ConstantSharing(),
        new UnusedRemoval(),
    ];

    /// <summary>Applies them all to the model; the steps that changed something, in order.</summary>
    public static IReadOnlyList<RewriteStep> Run(Model model, ConstantEvaluator evaluate)
    {
        var steps = new List<RewriteStep>();
        foreach (var rewrite in Create(evaluate, EagerPays(model, evaluate)))
            if (rewrite.Apply(model) is > 0 and var count) steps.Add(new RewriteStep(rewrite.Name, count, rewrite.Describe(count)));
        return steps;
    }

    /// <summary>
    /// Whether folding what several nodes read leaves a model that stores no more: an exporter that slices one weight into the gates of
    /// several LSTMs and joins them in another order does not, once equal results are stored once. Tried on copies, which share tensors.
    /// </summary>
    private static bool EagerPays(Model model, ConstantEvaluator evaluate)
    {
        return Stored(eager: true) is var tried && tried.Folded > 0 && tried.Bytes <= Stored(eager: false).Bytes;

        (int Folded, long Bytes) Stored(bool eager)
        {
            var copy = model.Clone();
            var folded = 0;
            foreach (var rewrite in new IRewrite[] { new ShadowedNames(), new InitializerInputs(), new IdentityRemoval(), new ConstantFolding(evaluate, eager), new ConstantSharing(), new UnusedRemoval() })
                if (rewrite.Apply(copy) is var count && rewrite is ConstantFolding) folded = count;
            return (folded, copy.Graphs().Sum(g => g.Initializers.Sum(v => v.Initializer!.ByteCount) + g.Nodes.Sum(n => n.Is("Constant") ? n.Output(0)?.Constant?.ByteCount ?? 0 : 0)));
        }
    }
}
