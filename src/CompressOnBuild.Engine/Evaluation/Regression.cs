using System.Globalization;

namespace CompressOnBuild.Evaluation;

/// <summary>The primary metric of the result that was accepted before, on the same samples.</summary>
internal sealed record AcceptedResult(double Value, bool HigherIsBetter);

/// <summary>
/// Compares with history. The limit on the drop compares with the original of today, so that a retrained model may be worse each time and pass
/// each time; this compares with what was shipped. Both figures come from the same samples; the point decides.
/// </summary>
internal static class Regression
{
    /// <summary>The limit that applies when the item names none.</summary>
    public const double DefaultMaxRegression = 0.005;
    /// <summary>Accepted figures have six decimals.</summary>
    private const double Slack = 1e-6;

    /// <summary>What is wrong with the compressed model's primary metric; null when it is not worse than allowed.</summary>
    public static string? Judge(MetricResult primary, AcceptedResult accepted, double limit)
    {
        var worsening = accepted.HigherIsBetter ? accepted.Value - primary.Compressed : primary.Compressed - accepted.Value;
        return worsening <= limit + Slack ? null
            : $"{primary.Name} of the compressed model is {N(primary.Compressed)}; the accepted result of the lock file is {N(accepted.Value)} on the same {primary.Samples} samples (worse by {N(worsening)}, MaxRegression {N(limit)}). Undo what made it worse, raise MaxRegression, or accept the new result: dotnet build -p:CompressOnBuildForceEvaluate=true.";
    }

    private static string N(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
