namespace CompressOnBuild.Numerics;

/// <summary>
/// PCG-XSH-RR 64/32 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number
/// Generation"): everything that draws uses it, so that a seed gives the same numbers on every machine and runtime.
/// </summary>
internal sealed class Pcg32
{
    private readonly ulong increment;
    private ulong state;

    public Pcg32(ulong seed, ulong stream = 54)
    {
        increment = stream << 1 | 1;
        Next();
        state += seed;
        Next();
    }

    /// <summary>32 uniform bits.</summary>
    public uint Next()
    {
        var old = state;
        state = old * 6364136223846793005 + increment;
        return uint.RotateRight((uint)((old >> 18 ^ old) >> 27), (int)(old >> 59));
    }

    /// <summary>Uniform in 0 … <paramref name="bound"/> - 1, without bias: numbers below 2^32 mod bound are drawn again.</summary>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        var threshold = (uint)-bound % (uint)bound;
        while (true)
        {
            var drawn = Next();
            if (drawn >= threshold) return (int)(drawn % (uint)bound);
        }
    }

    /// <summary>Uniform in [0, 1) with 32 bits.</summary>
    public double NextDouble() => Next() * (1.0 / 4294967296.0);
}
