using System.Collections.Generic;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// A metric of your own. Each sample gives some numbers; any set of samples gives the value. That lets the gate compare both models sample
/// by sample and compute the 95 % interval of the drop, for which it aggregates a thousand resamples of the samples.
/// <para>A public class with a public constructor without parameters. One instance measures both models. Its methods are never called by two
/// threads at once, but in no fixed order: what they return depends on their arguments alone.</para>
/// </summary>
public interface IEvaluator
{
    /// <summary>The name in <c>Metric</c>, <c>Require</c> and the reports: letters, digits, <c>-</c> and <c>_</c>, a letter first, at most 40, and none of a built-in metric.</summary>
    string Name { get; }

    /// <summary>Whether a larger value is better. <c>MaxAccuracyDrop</c> bounds the worsening, whichever way that is.</summary>
    bool HigherIsBetter { get; }

    /// <summary>Whether <see cref="Score"/> reads <see cref="EvaluatedSample.Label"/>: data without labels are an error then.</summary>
    bool NeedsLabels { get; }

    /// <summary>
    /// The numbers of one sample, as many as you like: hits and weights, sums and squares. All finite. Called for the outputs of the original
    /// model (whose <see cref="EvaluatedSample.OriginalOutputs"/> are its own outputs) and for those of the compressed one. For recorded
    /// sequences: of one step.
    /// </summary>
    IReadOnlyList<double> Score(EvaluatedSample sample);

    /// <summary>
    /// The value over the numbers of some samples, in their order: at least one sample, and one may be there several times. Finite; NaN where it is not defined
    /// (a rate without a single positive), which all samples together must not give.
    /// </summary>
    double Aggregate(IReadOnlyList<IReadOnlyList<double>> scores);
}
