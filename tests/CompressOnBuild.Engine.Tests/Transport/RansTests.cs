using System.Numerics;
using CompressOnBuild.Transport;
using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Engine.Tests.Transport;

/// <summary>Tables and coding against Duda's paper, in numbers of any size.</summary>
[TestClass]
public sealed class RansTests
{
    [TestMethod]
    public void TakesTheBitsOfThePapersOneLargeNumber()
    {
        var (symbols, record) = Plane(3000, 20);
        var words = RansEncoder.Encode(symbols, new byte[symbols.Length], record);

        // Duda 2013, section 2.3, without renormalization: x' = M floor(x / f) + c + x mod f.
        BigInteger x = 1;
        var (frequencies, m) = (record.Tables[0].Frequencies(record.Bits), 1 << record.Bits);
        var starts = frequencies.Select((_, s) => frequencies[..s].Sum()).ToArray();
        for (var i = symbols.Length - 1; i >= 0; i--) x = m * (x / frequencies[symbols[i]]) + starts[symbols[i]] + x % frequencies[symbols[i]];
        var bits = (double)x.GetBitLength();

        var ideal = symbols.Sum(s => record.Bits - Math.Log2(frequencies[s]));
        Assert.AreEqual(ideal, bits, 2 + 1e-3 * ideal);
        // Four states, of which each starts at 2^16, and words of 16 bits.
        Assert.IsTrue(16.0 * words.Length >= bits - 1 && 16.0 * words.Length <= bits + States * (16 + 16) + 1e-3 * bits, $"{16 * words.Length} bits instead of {bits}");

        // The number gives the symbols back (steps 1 and 2).
        foreach (var expected in symbols)
        {
            var slot = (int)(x % m);
            var s = Enumerable.Range(0, 256).Single(s => starts[s] <= slot && slot < starts[s] + frequencies[s]);
            Assert.AreEqual(expected, s);
            x = frequencies[s] * (x / m) + slot - starts[s];
        }
        Assert.AreEqual(BigInteger.One, x);
    }

    [TestMethod]
    public void FrequenciesSumUpAndForgetNoSymbol()
    {
        var random = new Random(1);
        for (var round = 0; round < 100; round++)
        {
            var histogram = new long[256];
            var (range, offset) = (1 + random.Next(256), random.Next(256));
            for (var i = 0; i < range; i++) histogram[(i + offset) & 255] = random.Next(4) == 0 ? 0 : (long)Math.Pow(10, random.NextDouble() * 8);
            if (histogram.Sum() == 0) histogram[9] = 1;
            var bits = 11 + random.Next(4);
            var (table, cost) = TableFit.Best(histogram, bits);
            var frequencies = table.Frequencies(bits);
            Assert.AreEqual(1 << bits, frequencies.Sum());
            for (var s = 0; s < 256; s++) Assert.IsTrue(frequencies[s] >= 0 && (histogram[s] == 0 || frequencies[s] > 0), $"symbol {s}");
            Assert.IsTrue(double.IsFinite(cost));
        }
    }

    [TestMethod]
    public void TablesCostLittleMoreThanTheEntropy()
    {
        foreach (var (count, most) in ((int, double)[])[(2000, 1.03), (20_000, 1.006), (200_000, 1.002)])
        {
            var (symbols, _) = Plane(count, 12);
            var histogram = new long[256];
            foreach (var s in symbols) histogram[s]++;
            var entropy = histogram.Where(c => c > 0).Sum(c => c * Math.Log2((double)count / c));
            Assert.IsLessThan(most * entropy, TableFit.Best(histogram, 14).Bits, $"{count} symbols");
        }
    }

    [TestMethod]
    public void ContextsAreFoundWhereRowsOrColumnsDiffer()
    {
        var random = new Random(3);
        var plane = new byte[256 * 256];
        for (var i = 0; i < plane.Length; i++)
            plane[i] = (byte)(sbyte)Math.Clamp(Math.Round((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 8 * (1 << i / 256 % 3) * (1 << i % 256 / 64)), -127, 127);
        var alone = PlaneChoice.Best(plane, []);
        var rows = PlaneChoice.Best(plane, [256]);
        Assert.HasCount(1, alone.Record.Tables);
        Assert.IsNotNull(rows.Record.RowClasses);
        Assert.IsNotNull(rows.Record.ColumnClasses);
        // The mean width is known exactly: the entropy that is left is that of one width after the other.
        Assert.IsLessThan(0.93 * alone.Bits, rows.Bits);
    }

    [TestMethod]
    public void NoContextIsWorseThanNone()
    {
        var noise = new byte[20_000];
        new Random(4).NextBytes(noise);
        Assert.IsLessThanOrEqualTo(PlaneChoice.Best(noise, []).Bits, PlaneChoice.Best(noise, [100, 200]).Bits);
        var (symbols, _) = Plane(20_000, 9);
        Assert.IsLessThanOrEqualTo(PlaneChoice.Best(symbols, []).Bits, PlaneChoice.Best(symbols, [100, 200]).Bits);
    }

    private static (byte[] Symbols, PlaneRecord Record) Plane(int count, int width)
    {
        var random = new Random(2);
        var symbols = Enumerable.Range(0, count).Select(_ => (byte)(sbyte)Math.Round(Enumerable.Range(0, 6).Sum(_ => random.NextDouble() - 0.5) * width)).ToArray();
        return (symbols, PlaneChoice.Best(symbols, []).Record);
    }
}
