namespace CompressOnBuild.Transport;

/// <summary>
/// The logarithm to base 2 by which ways to code are priced. C libraries differ in the last bits of theirs, and two prices that are nearly equal
/// would make a packed model depend on the machine: this one is the same everywhere, and within 10^-7 of the true one.
/// </summary>
/// <remarks>
/// D. E. Knuth: The Art of Computer Programming 1, section 1.2.2, for base 2: x = 2^n (1 + b1/2 + b2/4 + ...), whose digits come from squaring.
///   1 x0 = x / 2^n, in [1, 2)
///   2 bk = 1 and xk = x(k-1)^2 / 2 if x(k-1)^2 >= 2, else bk = 0 and xk = x(k-1)^2
/// Steps 2 are done in integers and once, for 2^11 + 1 points; between them are lines, in operations that IEEE 754 rounds in one way only.
/// </remarks>
internal static class BinaryLogarithm
{
    private const int PointBits = 11, Digits = 40;
    private static readonly double[] Points = [.. Enumerable.Range(0, 1 << PointBits).Select(i => ByDigits(((1ul << PointBits) + (ulong)i) << 63 - PointBits)), 1];

    /// <summary>Of a positive number that is not subnormal.</summary>
    public static double Of(double x)
    {
        var bits = BitConverter.DoubleToInt64Bits(x);
        var (exponent, point) = ((int)(bits >> 52) - 1023, (int)(bits >> 52 - PointBits) & (1 << PointBits) - 1); // 1
        var beyond = (double)(bits & (1L << 52 - PointBits) - 1) / (1L << 52 - PointBits);
        return exponent + (Points[point] + (Points[point + 1] - Points[point]) * beyond);
    }

    /// <summary>Of a number in [1, 2), in units of 2^-63: 40 binary digits, the others cut off.</summary>
    private static double ByDigits(ulong x)
    {
        var digits = 0ul;
        for (var k = 0; k < Digits; k++) // 2
        {
            var square = (UInt128)x * x >> 63;
            var digit = (int)(square >> 64);
            (digits, x) = (digits << 1 | (uint)digit, (ulong)(square >> digit));
        }
        return digits / (double)(1ul << Digits);
    }
}
