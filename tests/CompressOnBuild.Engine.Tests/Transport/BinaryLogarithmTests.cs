using System.Numerics;
using System.Text.RegularExpressions;
using CompressOnBuild.Testing;
using CompressOnBuild.Transport;

namespace CompressOnBuild.Engine.Tests.Transport;

/// <summary>Prices have the same bits on every machine, and with them packed models.</summary>
[TestClass]
public sealed partial class BinaryLogarithmTests
{
    [TestMethod]
    public void IsTheLogarithmToBase2()
    {
        var random = new Random(1);
        for (var i = 0; i < 100_000; i++)
        {
            var x = Math.Pow(2, random.NextDouble() * 200 - 100);
            Assert.AreEqual(Math.Log2(x), BinaryLogarithm.Of(x), 1e-7, $"{x:R}");
        }
        for (var n = -60; n <= 60; n++) Assert.AreEqual(n, BinaryLogarithm.Of(Math.Pow(2, n)), "powers of 2 are exact");
    }

    // Knuth, section 1.2.2, in fractions of any size: nothing is rounded but what the implementation cuts off.
    [TestMethod]
    public void ItsPointsAreTheDigitsOfTheBook()
    {
        for (var point = 1; point < 2048; point += 97)
        {
            BigInteger numerator = 2048 + point, denominator = 2048;
            double digits = 0;
            for (var k = 1; k <= 12; k++)
            {
                (numerator, denominator) = (numerator * numerator, denominator * denominator);
                if (numerator < 2 * denominator) continue;
                denominator *= 2;
                digits += Math.Pow(2, -k);
            }
            var logarithm = BinaryLogarithm.Of(1 + point / 2048.0);
            Assert.AreEqual(digits, Math.Floor(logarithm * 4096) / 4096, $"{point}");
            Assert.AreEqual(0, logarithm * Math.Pow(2, 40) % 1, "40 digits");
        }
    }

    [TestMethod]
    public void ItsBitsAreTheseOnEveryMachine()
    {
        var hash = new PackedModelStream.Hash64();
        for (var (i, x) = (0, 1e-9); i < 10_000; i++, x *= 1.005) hash.Add(BitConverter.GetBytes(BitConverter.DoubleToInt64Bits(BinaryLogarithm.Of(x))), 0, 8);
        Assert.AreEqual(6426753852428682841UL, hash.Value);
    }

    [TestMethod]
    public void NothingElseOfACLibraryPricesAnything()
    {
        var folder = Path.Combine(DotNet.RepositoryRoot, "src", "CompressOnBuild.Engine", "Transport");
        var uses = from file in Directory.GetFiles(folder, "*.cs").Order(StringComparer.Ordinal) from line in File.ReadLines(file) where Library().IsMatch(line) select Path.GetFileName(file);
        // Two tables of the format, rounded to whole numbers: the next test.
        CollectionAssert.AreEqual((string[])["PackedModelStream.Coding.cs", "PackedModelStream.Records.cs"], uses.ToArray());
    }

    [TestMethod]
    public void WhatTheFormatRoundsIsFarFromATie()
    {
        var numbers = Enumerable.Range(0, 33).Select(i => 4096 / (1 + Math.Exp((16 - i) / 2.0))).Concat(Enumerable.Range(0, 64).Select(i => 65536 * Math.Pow(2, i / 64.0)));
        foreach (var x in numbers) Assert.IsGreaterThan(1e-4, Math.Abs(x - Math.Floor(x) - 0.5), $"{x:R}");
    }

    [GeneratedRegex(@"MathF?\.(Log|Exp|Pow|Sin|Cos|Tan|Cbrt)")]
    private static partial Regex Library();
}
