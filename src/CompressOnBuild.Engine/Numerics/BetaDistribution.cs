namespace CompressOnBuild.Numerics;

/// <summary>The beta distribution, what follows from it, and the logarithm of the gamma function.</summary>
internal static class BetaDistribution
{
    /// <summary>
    /// P(X &lt;= <paramref name="x"/>) of Beta(<paramref name="a"/>, <paramref name="b"/>), both positive: the regularized incomplete beta function, by
    /// its continued fraction (Abramowitz and Stegun 1964, 26.5.8) after Lentz. About 14 digits.
    /// </summary>
    public static double Cumulative(double x, double a, double b)
    {
        if (!(x > 0)) return 0;
        if (x >= 1) return 1;
        // The fraction converges fast left of the mean.
        return x < (a + 1) / (a + b + 2) ? Left(x, a, b) : 1 - Left(1 - x, b, a);
    }

    /// <summary>The x with <see cref="Cumulative"/> = <paramref name="p"/>, by bisection.</summary>
    public static double Quantile(double p, double a, double b)
    {
        double low = 0, high = 1;
        // Down to neighbouring numbers where the quantile is not tiny.
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (Cumulative(middle, a, b) < p) low = middle;
            else high = middle;
        }
        return (low + high) / 2;
    }

    /// <summary>The t that a Student variable of <paramref name="freedom"/> degrees exceeds in size with probability <paramref name="outside"/>.</summary>
    public static double TwoSidedT(double outside, double freedom)
    {
        // P(|T| > t) = I_x(v / 2, 1 / 2), x = v / (v + t^2).
        var x = Quantile(outside, freedom / 2, 0.5);
        return Math.Sqrt(freedom * (1 - x) / x);
    }

    /// <summary>ln Γ(<paramref name="x"/>), x &gt; 0: Stirling's series (Abramowitz and Stegun 1964, 6.1.41) from 10 on, below by Γ(x + 1) = x Γ(x).</summary>
    public static double LogGamma(double x)
    {
        double product = 1;
        for (; x < 10; x++) product *= x;
        var square = 1 / (x * x);
        var series = (1 / 12.0 - square * (1 / 360.0 - square * (1 / 1260.0 - square * (1 / 1680.0 - square / 1188)))) / x;
        return (x - 0.5) * Math.Log(x) - x + 0.5 * Math.Log(2 * Math.PI) + series - Math.Log(product);
    }

    private static double Left(double x, double a, double b)
    {
        const double Tiny = 1e-300;
        var front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * Math.Log(x) + b * Math.Log(1 - x)) / a;
        double c = 1, d = NotZero(1 - (a + b) * x / (a + 1));
        d = 1 / d;
        var fraction = d;
        for (var m = 1; m < 10_000; m++)
        {
            Step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
            if (Step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))) < 1e-15) break;
        }
        return front * fraction;

        double Step(double coefficient)
        {
            d = 1 / NotZero(1 + coefficient * d);
            c = NotZero(1 + coefficient / c);
            fraction *= c * d;
            return Math.Abs(c * d - 1);
        }

        static double NotZero(double value) => Math.Abs(value) < Tiny ? Tiny : value;
    }
}
