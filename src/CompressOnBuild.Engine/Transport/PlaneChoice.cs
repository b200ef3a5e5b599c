using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// The contexts and tables with which rANS codes a plane in the fewest bits. Weights of a channel are spread alike, and so are those that read
/// one input: each row and column gets a class by how surprising its symbols are to the table of the whole plane (in octaves of the mean
/// surprise), the sum of both is the context, and then classes and tables are fitted to each other in turn, as in k-means.
/// </summary>
internal static class PlaneChoice
{
    private const int Refinements = 2, MostClass = 15;
    /// <summary>Elements of a plane from which on it is worth looking at rows.</summary>
    private const int LeastElements = 1024;

    /// <summary>The record, ready to encode with, and the bits it takes with all of the plane's symbols.</summary>
    /// <param name="plane">A byte of each element.</param>
    /// <param name="rowLengths">Elements of a row, in each way that the tensor's shape suggests.</param>
    /// <param name="strideLength">Elements of a row whose elements may all be multiples of a number; 0: none is looked for.</param>
    public static (PlaneRecord Record, double Bits) Best(ReadOnlySpan<byte> plane, IReadOnlyList<long> rowLengths, long strideLength = 0)
    {
        if (strideLength > 0 && Strides.Of(plane, (int)strideLength) is { } strides)
        {
            var divided = Best(Strides.Divided(plane, 0, strides, (int)strideLength), rowLengths);
            (divided.Record.Strides, divided.Record.StrideLength) = (strides, strideLength);
            return (divided.Record, divided.Bits + strides.Length * 1.5);
        }
        var best = Alone(plane);
        if (plane.Length >= LeastElements && best.Bits < 7.98 * plane.Length)
        {
            var surprise = Surprise(best.Record);
            var candidates = new List<(Classes Classes, double Bits)>();
            foreach (var length in rowLengths)
                foreach (var step in (ReadOnlySpan<double>)[0.5, 1])
                    for (var which = 1; which <= 3; which++)
                        if (Classes.Of(plane, (int)length, step, which, surprise) is { } classes) candidates.Add((classes, classes.Bits(plane)));
            foreach (var (classes, _) in candidates.OrderBy(c => c.Bits).Take(2).ToArray())
            {
                for (var i = 0; i < Refinements; i++) classes.Refine(plane);
                var refined = classes.ToRecord(plane);
                if (refined.Bits < best.Bits) best = refined;
            }
        }
        return best;
    }

    private static (PlaneRecord Record, double Bits) Alone(ReadOnlySpan<byte> plane)
    {
        var histogram = new long[256];
        foreach (var symbol in plane) histogram[symbol]++;
        var (table, cost) = TableFit.Best(histogram);
        return (new PlaneRecord { Kind = PlaneRecord.Rans, Tables = [table] }, cost + StateBits(plane.Length));
    }

    /// <summary>What states and the number of words of each chunk take beyond the symbols: a state half of its upper word, on average.</summary>
    private static double StateBits(int elements) => (elements + Chunk - 1) / Chunk * (States * 18 + 20.0);

    private static float[] Surprise(PlaneRecord record)
    {
        var frequencies = record.Tables[0].Frequencies();
        double most = frequencies.Max();
        return [.. frequencies.Select(f => (float)BinaryLogarithm.Of(most / Math.Max(f, 0.5)))];
    }

    /// <summary>A class for each row and column of a plane.</summary>
    private sealed class Classes
    {
        public required int Length { get; init; }
        public required byte[]? Rows { get; init; }
        public required byte[]? Columns { get; init; }
        private int Contexts { get; set; }

        /// <summary>Null where there is nothing to tell apart, or there would be too many classes.</summary>
        /// <param name="plane">The symbols.</param>
        /// <param name="length">Of a row.</param>
        /// <param name="step">Octaves from class to class.</param>
        /// <param name="which">1 rows, 2 columns, 3 both.</param>
        /// <param name="surprise">Bits of each symbol above the likeliest's.</param>
        public static Classes? Of(ReadOnlySpan<byte> plane, int length, double step, int which, float[] surprise)
        {
            var rows = (plane.Length - 1) / length + 1;
            long most = PlaneRecord.MostClasses(plane.Length);
            if ((which & 1) != 0 && rows > most || (which & 2) != 0 && length > most) return null;
            var (rowSums, columnSums, all) = (new double[rows], new double[length], 0.0);
            for (int i = 0, r = 0; i < plane.Length; r++)
                for (var c = 0; c < length && i < plane.Length; c++, i++)
                {
                    var bits = surprise[plane[i]];
                    rowSums[r] += bits;
                    columnSums[c] += bits;
                    all += bits;
                }
            if (all == 0) return null;
            var (rowClasses, columnClasses) = ((which & 1) != 0 ? Octaves(rowSums, all, step) : null, (which & 2) != 0 ? Octaves(columnSums, all, step) : null);
            var contexts = 1 + (rowClasses?.Max() ?? 0) + (columnClasses?.Max() ?? 0);
            return contexts == 1 ? null : new Classes { Length = length, Rows = rowClasses, Columns = columnClasses, Contexts = Math.Min(contexts, MaxContexts) };
        }

        /// <summary>The classes of sums, the lowest 0; outliers join the outermost.</summary>
        private static byte[] Octaves(double[] sums, double all, double step)
        {
            var mean = all / sums.Length;
            var octaves = sums.Select(s => (int)Math.Round(BinaryLogarithm.Of(Math.Max(s, mean / 1e3) / mean) / step)).ToArray();
            var sorted = octaves.Order().ToArray();
            var (low, high) = (sorted[sorted.Length / 100], sorted[^(1 + sorted.Length / 100)]);
            return [.. octaves.Select(o => (byte)Math.Clamp(o - low, 0, Math.Min(high - low, MostClass / 2)))];
        }

        /// <summary>An estimate, for a choice among many.</summary>
        public double Bits(ReadOnlySpan<byte> plane)
        {
            var bits = ClassBits(Rows) + ClassBits(Columns);
            foreach (var histogram in Histograms(plane))
            {
                var (sum, used) = (0L, 0);
                foreach (var count in histogram) (sum, used) = (sum + count, used + (count > 0 ? 1 : 0));
                foreach (var count in histogram)
                    if (count > 0) bits += count * BinaryLogarithm.Of((double)sum / count);
                bits += Math.Min(used, 40) * 3;
            }
            return bits;
        }

        /// <summary>Each row and then each column takes the class that codes it in the fewest bits with the tables as they are.</summary>
        public void Refine(ReadOnlySpan<byte> plane)
        {
            if (Rows is not null) Reassign(plane, Rows, Columns, i => i / Length, i => i % Length);
            if (Columns is not null) Reassign(plane, Columns, Rows, i => i % Length, i => i / Length);
        }

        private void Reassign(ReadOnlySpan<byte> plane, byte[] classes, byte[]? others, Func<int, int> line, Func<int, int> other)
        {
            var prices = Prices(plane);
            var most = Math.Min(Contexts - 1, MostClass);
            var counts = new double[most + 1];
            foreach (var c in classes) counts[c]++;
            var sums = new float[classes.Length * (most + 1)];
            for (var i = 0; i < plane.Length; i++)
            {
                var (at, shared, symbol) = (line(i) * (most + 1), others is null ? 0 : others[other(i)], plane[i]);
                for (var k = 0; k <= most; k++) sums[at + k] += prices[Math.Min(k + shared, Contexts - 1) << 8 | symbol];
            }
            for (var j = 0; j < classes.Length; j++)
            {
                var (best, least) = (0, double.PositiveInfinity);
                for (var k = 0; k <= most; k++)
                {
                    var bits = sums[j * (most + 1) + k] - BinaryLogarithm.Of((counts[k] + 0.5) / classes.Length);
                    if (bits < least) (best, least) = (k, bits);
                }
                classes[j] = (byte)best;
            }
        }

        /// <summary>Bits of each symbol in each context, by what was counted and a little of the whole.</summary>
        private float[] Prices(ReadOnlySpan<byte> plane)
        {
            var histograms = Histograms(plane);
            var all = new double[256];
            foreach (var histogram in histograms)
                for (var s = 0; s < 256; s++) all[s] += histogram[s];
            var prices = new float[Contexts << 8];
            for (var k = 0; k < Contexts; k++)
            {
                const double Weight = 30;
                var sum = histograms[k].Sum() + Weight;
                for (var s = 0; s < 256; s++)
                {
                    // Neighbours count, too: histograms of a context are noisy.
                    var near = (histograms[k][s] * 2 + histograms[k][(s + 1) & 255] + histograms[k][(s + 255) & 255]) / 4.0;
                    prices[k << 8 | s] = (float)-BinaryLogarithm.Of((near + Weight * (all[s] + 0.1) / (plane.Length + 25.6)) / sum);
                }
            }
            return prices;
        }

        private long[][] Histograms(ReadOnlySpan<byte> plane)
        {
            var histograms = Enumerable.Range(0, Contexts).Select(_ => new long[256]).ToArray();
            for (int i = 0, r = 0; i < plane.Length; r++)
            {
                var row = Rows?[r] ?? 0;
                for (var c = 0; c < Length && i < plane.Length; c++, i++) histograms[Math.Min(row + (Columns?[c] ?? 0), Contexts - 1)][plane[i]]++;
            }
            return histograms;
        }

        public (PlaneRecord Record, double Bits) ToRecord(ReadOnlySpan<byte> plane)
        {
            // The lowest contexts that nobody uses are left out; unused ones between cost little.
            var histograms = Histograms(plane);
            var used = Array.FindLastIndex(histograms, h => h.Any(c => c > 0)) + 1;
            var record = new PlaneRecord { Kind = PlaneRecord.Rans, RowLength = Length, RowClasses = Rows, ColumnClasses = Columns };
            var bits = ClassBits(Rows) + ClassBits(Columns) + StateBits(plane.Length) + 24;
            record.Tables = new SymbolTable[used];
            for (var k = 0; k < used; k++)
            {
                (record.Tables[k], var cost) = TableFit.Best(histograms[k]);
                bits += cost;
            }
            return (record, used == 1 ? double.PositiveInfinity : bits);
        }

        private static double ClassBits(byte[]? classes)
        {
            if (classes is null) return 0;
            var counts = new double[MostClass + 1];
            foreach (var c in classes) counts[c]++;
            return 20 + counts.Where(c => c > 0).Sum(c => c * BinaryLogarithm.Of(classes.Length / c)) + 4 * counts.Count(c => c > 0);
        }
    }
}
