using CompressOnBuild.Numerics;

namespace CompressOnBuild.Planning;

/// <summary>What two models decide differently on the selection split: samples that went from right to wrong and back, of how many, and how many the gate will look at.</summary>
internal sealed record DecisionChanges(int Worse, int Better, int Samples, int GateSamples);

/// <summary>
/// How many samples the gate is expected to see changed, from all plans that were measured. A good plan changes a handful of samples of the
/// selection split, so that its own count is mostly chance. But a decision changes where the noise in the outputs exceeds its margin, and
/// margins near 0 have about one density: changes are proportional to the amplitude a of the noise.
/// 1. rate = sum of changes / sum of a, over the plans so far; the same for losses minus gains, not below 0.
/// 2. A plan of amplitude a is expected to change a * rate of the gate's samples; their interval (<see cref="MatchedShares"/>) is what the gate would say.
/// </summary>
internal sealed class ChangeRate
{
    // Beyond, so many samples have changed that more noise changes few more.
    private const double Saturated = 0.25;

    private double amplitudes, worse, better;

    /// <summary>Adds a measured plan.</summary>
    /// <param name="amplitude">Noise over signal in the outputs, as amplitudes.</param>
    /// <param name="changes">What it changed.</param>
    public void Add(double amplitude, DecisionChanges changes)
    {
        if (!double.IsFinite(amplitude) || changes.Worse + changes.Better > Saturated * changes.Samples) return;
        amplitudes += amplitude * changes.Samples;
        worse += changes.Worse;
        better += changes.Better;
    }

    /// <summary>The upper end of the interval of the drop that <paramref name="samples"/> of the gate are expected to give.</summary>
    public double ExpectedHigh(double amplitude, int samples)
    {
        if (!(amplitudes > 0)) return 0;
        var scale = amplitude * samples / amplitudes;
        var changes = Math.Min((worse + better) * scale, samples);
        var lost = Math.Min(Math.Max(0, worse - better) * scale, changes);
        return MatchedShares.High(changes, lost, samples);
    }
}
