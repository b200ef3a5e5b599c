namespace CompressOnBuild.Samples.Train;

/// <summary>Seeds of the sets of samples; training counts up from its own and never reaches the others.</summary>
internal static class Seeds
{
    public const int Training = 20250101, Validation = 1_000_000_000, Calibration = 1_100_000_000;

    /// <summary>Random's first numbers are linear in its seed: neighbouring seeds are spread first (the finalizer of MurmurHash3).</summary>
    public static int Mix(int seed)
    {
        var h = (uint)seed;
        h = (h ^ (h >> 16)) * 0x85EBCA6B;
        h = (h ^ (h >> 13)) * 0xC2B2AE35;
        return (int)((h ^ (h >> 16)) >> 1);
    }
}
