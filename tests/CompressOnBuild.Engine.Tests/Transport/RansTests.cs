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
        var words = new RansEncoder(record).Encode(symbols, new byte[symbols.Length]);
        symbols = symbols[..Paired(symbols.Length)]; // the others are stored as they are

        // Duda 2013, section 2.3, without renormalization: x' = M floor(x / f) + c + x mod f.
        BigInteger x = 1;
        var (frequencies, starts) = Table(record.Tables[0]);
        for (var i = symbols.Length - 1; i >= 0; i--) x = M * (x / frequencies[symbols[i]]) + starts[symbols[i]] + x % frequencies[symbols[i]];
        var bits = (double)x.GetBitLength();

        var ideal = symbols.Sum(s => Math.Log2((double)M / frequencies[s]));
        Assert.AreEqual(ideal, bits, 2 + 1e-3 * ideal);
        // Four states, of which each starts at 2^32 and a little, and words of 32 bits.
        Assert.IsTrue(32.0 * words.Length >= bits - 1 && 32.0 * words.Length <= bits + States * 64 + 1e-3 * bits, $"{32 * words.Length} bits instead of {bits}");

        // The number gives the symbols back (steps 1 and 2).
        foreach (var expected in symbols)
        {
            var slot = (int)(x % M);
            var s = Symbol(frequencies, starts, slot);
            Assert.AreEqual(expected, s);
            x = frequencies[s] * (x / M) + slot - starts[s];
        }
        Assert.AreEqual(BigInteger.One, x);
    }

    // Nearly always one symbol, so that hardly a word is taken; all symbols alike; and what weights are like: in chunks of every length about whole rounds.
    [TestMethod]
    [DataRow(0.001)]
    [DataRow(1.0)]
    [DataRow(20.0)]
    [DataRow(300.0)]
    public void WordsGiveTheSymbolsBackByTheStepsAsWritten(double width)
    {
        foreach (var count in (int[])[1, 4, 7, 8, 9, 15, 16, 17, 23, 24, 25, 26, 100, 1000, 4001])
        {
            var random = new Random(count);
            var record = new PlaneRecord { Kind = PlaneRecord.Rans, Tables = new SymbolTable[3] };
            byte[] symbols = [.. Plane(count, width).Symbols], contexts = [.. symbols.Select(_ => (byte)random.Next(3))];
            if (count > 30) symbols[20] = 77;
            for (var k = 0; k < 3; k++)
            {
                var histogram = new long[256];
                for (var i = 0; i < count; i++) histogram[symbols[i]] += contexts[i] == k ? 20 : 1;
                record.Tables[k] = TableFit.Best(histogram).Table;
            }
            var words = new RansEncoder(record).Encode(symbols, contexts);

            // The steps of PackedModelStream.Rans.cs, in numbers of any size.
            var tables = record.Tables.Select(Table).ToArray();
            var states = Enumerable.Range(0, 4).Select(k => words[2 * k] + ((BigInteger)words[2 * k + 1] << 32)).ToArray();
            var (next, decoded) = (8, new List<byte>());
            while (decoded.Count + 16 < count)
                for (var k = 0; k < 4; k++)
                {
                    Assert.IsTrue(states[k] >= BigInteger.One << 32 && states[k] < BigInteger.One << 64, "a state is in its interval between pairs");
                    for (var half = 0; half < 2; half++)
                    {
                        var (f, c) = tables[contexts[decoded.Count]];
                        var slot = (int)(states[k] % M); // 1
                        var s = Symbol(f, c, slot);
                        states[k] = f[s] * (states[k] / M) + slot - c[s]; // 2
                        decoded.Add((byte)s);
                    }
                    if (states[k] < BigInteger.One << 32) states[k] = (states[k] << 32) + words[next++]; // 3
                }
            Assert.AreEqual(words.Length, next);
            for (var (j, left) = (0, count - decoded.Count); j < left; j++) decoded.Add((byte)(states[j / 4] >> 8 * (j % 4) & 255));
            CollectionAssert.AreEqual(symbols, decoded, $"{count} symbols");
            Assert.IsTrue(states.All(x => x >> 32 == 1));
        }
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
            var (table, cost) = TableFit.Best(histogram);
            var frequencies = table.Frequencies();
            Assert.AreEqual(M, frequencies.Sum());
            for (var s = 0; s < 256; s++) Assert.IsTrue(frequencies[s] >= 0 && frequencies[s] < M && (histogram[s] == 0 || frequencies[s] > 0), $"symbol {s}");
            Assert.IsTrue(double.IsFinite(cost));
        }
    }

    [TestMethod]
    public void TablesCostLittleMoreThanTheEntropy()
    {
        foreach (var (count, most) in ((int, double)[])[(2000, 1.03), (20_000, 1.006), (200_000, 1.003)])
        {
            var (symbols, _) = Plane(count, 12);
            var histogram = new long[256];
            foreach (var s in symbols) histogram[s]++;
            var entropy = histogram.Where(c => c > 0).Sum(c => c * Math.Log2((double)count / c));
            Assert.IsLessThan(most * entropy, TableFit.Best(histogram).Bits, $"{count} symbols");
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

    private const int M = 4096;

    private static (int[] Frequencies, int[] Starts) Table(SymbolTable table)
    {
        var frequencies = table.Frequencies();
        return (frequencies, [.. frequencies.Select((_, s) => frequencies[..s].Sum())]);
    }

    private static int Symbol(int[] frequencies, int[] starts, int slot) => Enumerable.Range(0, 256).Single(s => starts[s] <= slot && slot < starts[s] + frequencies[s]);

    private static (byte[] Symbols, PlaneRecord Record) Plane(int count, double width)
    {
        var random = new Random(2);
        var symbols = Enumerable.Range(0, count).Select(_ => (byte)(sbyte)Math.Clamp(Math.Round(Enumerable.Range(0, 6).Sum(_ => random.NextDouble() - 0.5) * width), -128, 127)).ToArray();
        return (symbols, PlaneChoice.Best(symbols, []).Record);
    }
}
