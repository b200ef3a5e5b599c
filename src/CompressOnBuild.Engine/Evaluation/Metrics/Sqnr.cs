namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>
/// Signal to quantization noise ratio in dB: 10 log10(sum b^2 / sum (a - b)^2) over all elements of all samples together, b = the original's
/// output, a = this model's. Reports hold finite numbers only, so values are kept within -200 … 200 dB: equal outputs give 200 (the original
/// itself), outputs that are not finite where the original's are give -200. It is a level to require (<c>Require="sqnr&gt;=30"</c>); its drop from 200 means little.
/// </summary>
internal sealed class Sqnr : IMetric
{
    private const double Bound = 200;

    public string Name => "sqnr";
    public bool HigherIsBetter => true;
    public bool NeedsLabels => false;
    public bool IsShare => false;
    public bool ShowsEveryChange => true;

    public double[] Contribute(in Outcome outcome)
    {
        var (a, b) = OutputPair.Of(outcome, Name);
        double signal = 0, noise = 0;
        for (var i = 0; i < a.Length; i++)
        {
            if (!float.IsFinite(b[i]) && OutputPair.Same(a[i], b[i])) continue; // no power that could be added
            if (!float.IsFinite(a[i]) || !float.IsFinite(b[i])) { noise = double.PositiveInfinity; continue; }
            signal += (double)b[i] * b[i];
            noise += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        }
        return [signal, ReferenceEquals(a, b) ? 0 : noise];
    }

    public WeightedValue Over(IReadOnlyList<double[]> contributions) => Mean.OfSums(contributions, (signal, noise) =>
    {
        if (noise == 0) return Bound;
        var ratio = 10 * Math.Log10(signal / noise);
        return double.IsNaN(ratio) ? -Bound : Math.Clamp(ratio, -Bound, Bound);
    });
}
