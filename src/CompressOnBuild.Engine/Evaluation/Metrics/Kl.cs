namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Kullback-Leibler divergence from the original in nats (Kullback and Leibler 1951): mean over samples of sum p (ln p - ln q), p = the original's
/// probabilities, q = this model's; of an output with several rows of scores, the mean over rows. Probabilities are the outputs themselves
/// where the original's first one is a distribution (no value below 0, sum 1 within 0.001; a single score from 0 to 1), else their softmax (a
/// single score's logistic function). A sample counts at most <see cref="Most"/>: what a probability of 1e-12 costs, and what an output costs that is
/// no number. The original's own value is 0.
/// </summary>
internal sealed class Kl(bool given) : IMetric
{
    private readonly bool given = given;
    private const double Most = 27.631021115928547; // -ln 1e-12

    public string Name => "kl";
    public bool HigherIsBetter => false;
    public bool NeedsLabels => false;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;

    public double[] Contribute(in Outcome outcome)
    {
        if (ReferenceEquals(outcome.Output, outcome.Original)) return [0];
        Scores.Check(outcome.Output, Name);
        Scores.Check(outcome.Original, Name);
        ReadOnlySpan<float> after = outcome.Output.AsFloats(), before = outcome.Original.AsFloats();
        if (after.Length != before.Length) return [Most];
        if (before.Length == 0) return [0];
        double sum = 0;
        var columns = Probabilities.Columns(outcome.Original);
        // The first sample of a single logit may look like a probability by chance.
        var given = this.given && Probabilities.AreGiven(outcome.Original);
        for (var row = 0; row < before.Length; row += columns)
            sum += Math.Clamp(Divergence(Probabilities.Logarithms(before.Slice(row, columns), given), Probabilities.Logarithms(after.Slice(row, columns), given)), 0, Most);
        return [Math.Min(sum / (before.Length / columns), Most)];
    }

    private static double Divergence(double[] p, double[] q)
    {
        double sum = 0;
        for (var i = 0; i < p.Length; i++)
        {
            if (double.IsNaN(q[i])) return Most;
            if (p[i] > double.NegativeInfinity) sum += Math.Exp(p[i]) * (p[i] - Math.Max(q[i], -Most));
        }
        return double.IsNaN(sum) ? 0 : sum; // the original says nothing
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.Of(contributions);
}
