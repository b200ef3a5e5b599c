using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Turns a graph into an equal one that is easier to compress: every output stays what it was, within float rounding. The header of
/// each rewrite is the list of cases in which it is legal; whatever is not on the list is left alone.
/// </summary>
internal interface IRewrite
{
    /// <summary>Short name for reports and locks, such as <c>fold-batch-normalization</c>.</summary>
    string Name { get; }

    /// <summary>Changes the model in place; returns how many places changed.</summary>
    int Apply(Model model);

    /// <summary>What <paramref name="count"/> changes were, as a sentence without its full stop: "folded 35 BatchNormalization into Conv".</summary>
    string Describe(int count);
}

/// <summary>What a rewrite did to a model.</summary>
internal sealed record RewriteStep(string Name, int Count, string Sentence);
