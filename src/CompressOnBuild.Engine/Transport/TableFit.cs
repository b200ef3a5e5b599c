using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>The table that codes a histogram in the fewest bits, its own included: every weight in 1 to 4 significant bits after the first, or a curve.</summary>
internal static class TableFit
{
    /// <summary>The table and the bits of it and of the symbols.</summary>
    public static (SymbolTable Table, double Bits) Best(ReadOnlySpan<long> histogram)
    {
        var (first, count) = Range(histogram);
        var best = Explicit(histogram, first, count, 1);
        for (var detail = 2; detail <= 4; detail++)
            if (Explicit(histogram, first, count, detail) is var other && other.Bits < best.Bits) best = other;
        // A curve has no zeros inside.
        if (count >= 16 && Curve(histogram, first, count) is var curve && curve.Bits < best.Bits) best = curve;
        return best;
    }

    /// <summary>Bits of the symbols alone; infinite where one has no frequency.</summary>
    public static double Bits(ReadOnlySpan<long> histogram, int[] frequencies)
    {
        double sum = 0;
        for (var s = 0; s < 256; s++)
            if (histogram[s] > 0) sum += frequencies[s] == 0 ? double.PositiveInfinity : histogram[s] * (SymbolTable.Bits - BinaryLogarithm.Of(frequencies[s]));
        return sum;
    }

    /// <summary>The shortest run of symbols, modulo 256, that holds all that occur.</summary>
    private static (int First, int Count) Range(ReadOnlySpan<long> histogram)
    {
        var (gap, end, run) = (0, 0, 0);
        for (var i = 0; i < 512; i++)
        {
            run = histogram[i & 255] == 0 ? run + 1 : 0;
            if (run >= 256) return (0, 1);
            if (run > gap) (gap, end) = (run, i);
        }
        return ((end + 1) & 255, 256 - gap);
    }

    private static (SymbolTable Table, double Bits) Explicit(ReadOnlySpan<long> histogram, int first, int count, int detail)
    {
        long most = 0;
        foreach (var c in histogram) most = Math.Max(most, c);
        var table = new SymbolTable { First = first, Count = count, Detail = detail, Levels = new int[count] };
        var own = 20.0;
        for (var i = 0; i < count; i++)
        {
            var c = histogram[(first + i) & 255];
            var level = c == 0 ? 0 : most < 1 << 15 ? (int)c : (int)Math.Max(1, ((double)c * ((1 << 15) - 1) / most));
            // Rounded to the bits that are written, and below 2^15 still.
            var drop = Math.Max(0, System.Numerics.BitOperations.Log2((uint)Math.Max(level, 1)) - detail);
            var rounded = ((level >> drop) + (drop > 0 ? level >> (drop - 1) & 1 : 0)) << drop;
            table.Levels[i] = rounded >= 1 << 15 ? level >> drop << drop : rounded;
            own += level == 0 ? 0.7 : 1.6 + Math.Min(detail, System.Numerics.BitOperations.Log2((uint)level)) * 0.95;
        }
        if (most == 0) table.Levels[0] = 1;
        return (table, own + Bits(histogram, table.Frequencies()));
    }

    private static (SymbolTable Table, double Bits) Curve(ReadOnlySpan<long> histogram, int first, int count)
    {
        // The centre: the most frequent symbol, noise smoothed away.
        var (centre, most) = (0, -1L);
        for (var i = 0; i < count; i++)
        {
            long sum = 0;
            for (var j = Math.Max(0, i - 2); j <= Math.Min(count - 1, i + 2); j++) sum += histogram[(first + j) & 255] * (3 - Math.Abs(i - j));
            if (sum > most) (centre, most) = (i, sum);
        }
        var table = new SymbolTable { IsSmooth = true, First = first, Count = count, Centre = centre };
        var places = table.Knots();
        table.Levels = new int[places.Length];
        for (var k = 0; k < places.Length; k++)
        {
            // The mean around the knot, up to half the way to its neighbours.
            var from = k == 0 ? places[k] : (places[k - 1] + places[k] + 1) / 2;
            var to = k == places.Length - 1 ? places[k] : (places[k] + places[k + 1]) / 2;
            double sum = 0.4;
            for (var i = from; i <= to; i++) sum += histogram[(first + i) & 255];
            table.Levels[k] = Math.Clamp((int)Math.Round(8 * (4 + BinaryLogarithm.Of(sum / (to - from + 1)))), 0, SymbolTable.MostLevel);
        }
        var cost = Cost(histogram, table);
        for (var (round, step) = (0, 4); round < 4; round++, step = Math.Max(1, step / 2))
            for (var k = 0; k < places.Length; k++)
                foreach (var change in (ReadOnlySpan<int>)[step, -step])
                {
                    var old = table.Levels[k];
                    if (old + change is < 0 or > SymbolTable.MostLevel) continue;
                    table.Levels[k] += change;
                    var changed = Cost(histogram, table);
                    if (changed < cost) cost = changed;
                    else table.Levels[k] = old;
                }
        return (table, cost);

        static double Cost(ReadOnlySpan<long> histogram, SymbolTable table)
        {
            var own = 28.0;
            for (var k = 0; k < table.Levels.Length; k++) own += 2 + 1.3 * BinaryLogarithm.Of(1 + Math.Abs(table.Levels[k] - (k == 0 ? 0 : table.Levels[k - 1])));
            return own + Bits(histogram, table.Frequencies());
        }
    }
}
