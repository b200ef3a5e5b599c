namespace CompressOnBuild.Techniques.Scaling;

/// <summary>
/// Factors as whole steps of an eighth of an octave: processors that differ in the last bit of an activation agree on them, and a lock file can hold them.
/// </summary>
internal static class ScaleSteps
{
    private const int PerOctave = 8;
    /// <summary>Largest step of one technique, either way: a factor of 32. More gains nothing, and what calibration did not see has to fit.</summary>
    public const int Most = 5 * PerOctave;
    /// <summary>The same of several techniques, one after the other.</summary>
    public const int MostInAll = 3 * Most;
    // 2^(i/8), written out: a power function may differ in the last bit.
    private static readonly double[] s_roots = [1, 1.0905077326652577, 1.189207115002721, 1.2968395546510096, 1.4142135623730951, 1.5422108254079407, 1.681792830507429, 1.8340080864093424];

    /// <summary>The factor of a step.</summary>
    public static double Factor(int step) => Math.ScaleB(s_roots[(step % PerOctave + PerOctave) % PerOctave], (int)Math.Floor(step / (double)PerOctave));

    /// <summary>The nearest steps; 0 for what is no positive number.</summary>
    public static int[] Of(ReadOnlySpan<double> factors)
    {
        var steps = new int[factors.Length];
        for (var c = 0; c < steps.Length; c++)
            if (factors[c] > 0 && double.IsFinite(factors[c])) steps[c] = (int)Math.Clamp(Math.Round(PerOctave * Math.Log2(factors[c])), -Most, Most);
        return steps;
    }

    /// <summary>The same with their mean at 0: a factor that all channels share changes nothing but the size of biases.</summary>
    public static int[] Centred(int[] steps)
    {
        if (steps.Length == 0) return steps;
        var mean = (int)Math.Round(steps.Average());
        return [.. steps.Select(s => Math.Clamp(s - mean, -Most, Most))];
    }
}
