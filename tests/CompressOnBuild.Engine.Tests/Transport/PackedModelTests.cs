using System.IO.Compression;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using CompressOnBuild.Transport;

namespace CompressOnBuild.Engine.Tests.Transport;

/// <summary>A packed model is the model again, smaller than what general compressors make of it, or an exception; never another model.</summary>
[TestClass]
public sealed class PackedModelTests
{
    [TestMethod]
    public void EveryModelComesBackByteForByte()
    {
        foreach (var model in (byte[][])
        [
            Quantized(2), Sample("tones"),
            // Tensors of every width, in a Constant and in a body, flat ones, empty ones, one symbol only, more than a chunk.
            ToBytes(new ModelBuilder().Initializer("h", Tensor.Create(Halves(5000), 50, 100)).Initializer("d", Tensor.Create(Doubles(300), 300)).Initializer("i", Tensor.Create(Longs(400), 400))
                .Initializer("zeros", Tensor.Create(new sbyte[20_000], 100, 200)).Initializer("none", Tensor.Create(Array.Empty<float>(), 0)).Initializer("long", Tensor.Create(Codes(1, 200_001, 12), 1, 200_001))
                .Constant("c", Tensor.Create(Codes(2, 4096, 30), 64, 64))
                .NodeWithBodies("If", ["x"], ["y"], ("then_branch", new ModelBuilder().Initializer("b", Codes(3, 900, 5).Select(c => c * 0.1f).ToArray(), 900)))),
            // Chunks that end within a round of the states, with contexts for rows and for both.
            .. (((int, int)[])[(64, 1024), (1, 65537), (66_000, 1), (8, 8201), (13, 5042), (257, 257)]).Select(s => ToBytes(new ModelBuilder().Initializer("w", Tensor.Create(Spread(s.Item1, s.Item2), s.Item1, s.Item2)))),
            // No protobuf at all.
            [], [7], Noise(1, 100), Noise(2, 30_000), new byte[70_000], [.. Noise(3, 300), .. Noise(3, 300), .. Noise(3, 300)],
        ])
            CollectionAssert.AreEqual(model, Read(ModelPacker.Pack(model, 2)), $"{model.Length} bytes");
    }

    [TestMethod]
    public void TheNumberOfThreadsChangesNothing() => CollectionAssert.AreEqual(ModelPacker.Pack(Quantized(1), 1), ModelPacker.Pack(Quantized(1), 4));

    // Where a machine packs other bytes, its prices are others: the format itself may change this hash.
    [TestMethod]
    public void TheBytesAreTheseOnEveryMachine() => Assert.AreEqual("B2ED30EBAA55BB59", Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(ModelPacker.Pack(Quantized(2), 2)))[..16]);

    [TestMethod]
    public void SmallerThanBrotliAtItsBest()
    {
        var (model, brotli) = (Quantized(1), new MemoryStream());
        using (var stream = new BrotliStream(brotli, new BrotliCompressionOptions { Quality = 11 }, leaveOpen: true)) stream.Write(model);
        Assert.IsLessThan(brotli.Length, ModelPacker.Pack(model, 2).Length);
    }

    [TestMethod]
    public void LevelsOfAnEarlierQuantizationCostNothingTwice()
    {
        // Rows that are multiples of their own step: what a scale for each channel makes of weights that once shared one.
        sbyte[] codes = Codes(1, 128 * 256, 10), finer = [.. codes.Select((c, i) => (sbyte)(c * (1 + i / 256 % 4)))];
        int plain = Packed(codes), stretched = Packed(finer);
        Assert.IsLessThan(plain + 128, stretched);

        static int Packed(sbyte[] weights) => ModelPacker.Pack(ToBytes(new ModelBuilder().Initializer("w", Tensor.Create(weights, 128, 256))), 2).Length;
    }

    [TestMethod]
    public void ReadsInPiecesOfAnySize()
    {
        var model = Quantized(1);
        using var stream = new PackedModelStream(new MemoryStream(ModelPacker.Pack(model, 2)));
        Assert.AreEqual((model.Length, 0, true, false, false), ((int)stream.Length, (int)stream.Position, stream.CanRead, stream.CanSeek, stream.CanWrite));
        var read = new List<byte>();
        var random = new Random(1);
        for (var buffer = new byte[5000]; ;)
        {
            var count = stream.Read(buffer, 10, 1 + random.Next(4900));
            if (count == 0) break;
            read.AddRange(buffer.AsSpan(10, count));
            Assert.AreEqual(read.Count, stream.Position);
        }
        CollectionAssert.AreEqual(model, read);
        Assert.ThrowsExactly<NotSupportedException>(() => stream.Seek(0, SeekOrigin.Begin));
    }

    [TestMethod]
    public void ASourceThatGivesOneByteAtATimeIsReadToo()
    {
        var model = Quantized(1);
        CollectionAssert.AreEqual(model, new PackedModelStream(new Trickle(ModelPacker.Pack(model, 2))).ReadToEnd());
    }

    [TestMethod]
    public void DamageIsAnExceptionAndNeverAnotherModel()
    {
        // A small model with everything in it, so that each part is hit.
        var model = ToBytes(new ModelBuilder().Initializer("w", Tensor.Create(Codes(1, 6000, 9), 60, 100)).Weight("f", 2, 0.1f, 40, 40).Weight("s", 3, 0.1f, 60));
        var packed = ModelPacker.Pack(model, 2);
        var random = new Random(20260101);
        var detected = 0;
        for (var i = 0; i < 2000; i++)
        {
            var damaged = Fuzz.Damage(packed, random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try { CollectionAssert.AreEqual(model, Read(damaged), $"input {i}"); }
            catch (InvalidDataException e)
            {
                detected++;
                Assert.Contains("The packed model is damaged", e.Message);
            }
            Assert.IsLessThan(64 << 20, GC.GetAllocatedBytesForCurrentThread() - before, $"input {i}: no false number costs memory");
        }
        Assert.IsGreaterThan(1700, detected);
    }

    [TestMethod]
    public void WhatIsCutOffIsMissed()
    {
        var packed = ModelPacker.Pack(ToBytes(new ModelBuilder().Initializer("w", Tensor.Create(Codes(1, 3000, 9), 30, 100))), 2);
        for (var length = 0; length < packed.Length; length += 1 + length / 40)
            Assert.ThrowsExactly<InvalidDataException>(() => Read(packed[..length]), $"{length} of {packed.Length} bytes");
        using var stream = new PackedModelStream(new MemoryStream(packed[..^1]));
        Assert.ThrowsExactly<InvalidDataException>(() => stream.ReadToEnd());
        Assert.ThrowsExactly<InvalidDataException>(() => stream.Read(new byte[9], 0, 9), "once failed, it gives nothing more");
    }

    // The vectors of the specification (xxhash.com), seed 0.
    [TestMethod]
    [DataRow("", 0xEF46DB3751D8E999UL)]
    [DataRow("a", 0xD24EC4F1A98C6E5BUL)]
    [DataRow("abc", 0x44BC2CF5AD770999UL)]
    [DataRow("Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1UL)]
    public void TheChecksumIsXxh64(string text, ulong expected)
    {
        var bytes = System.Text.Encoding.ASCII.GetBytes(text);
        PackedModelStream.Hash64 whole = new(), pieces = new();
        whole.Add(bytes, 0, bytes.Length);
        for (var i = 0; i < bytes.Length; i++) pieces.Add(bytes, i, i + 1);
        Assert.AreEqual((expected, expected), (whole.Value, pieces.Value));
    }

    private static byte[] Read(byte[] packed)
    {
        using var stream = new PackedModelStream(new MemoryStream(packed));
        return stream.ReadToEnd();
    }

    private static byte[] Sample(string name) => File.ReadAllBytes(Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", name, name + ".onnx"));

    /// <summary>Layers as a quantized model has them: codes whose rows differ in width, scales, biases.</summary>
    private static byte[] Quantized(int layers)
    {
        var model = new ModelBuilder().Input("x", 1, 64).Output("y", 1, 64);
        for (var l = 0; l < layers; l++)
        {
            var codes = Codes(l, 64 * 1024, 1);
            for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)Math.Clamp(codes[i] * (8 + i / 1024 % 7 * 4) / 12, -127, 127);
            for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)(codes[i] + (i * 7919 % 5) - 2);
            model.Initializer($"w{l}", Tensor.Create(codes, 64, 1024)).Weight($"s{l}", 10 + l, 0.01f, 64, 1).Weight($"b{l}", 20 + l, 0.3f, 64)
                .Node("DequantizeLinear", [$"w{l}", $"s{l}"], [$"d{l}"]);
        }
        return ToBytes(model);
    }

    // As it is: these models compute nothing.
    private static byte[] ToBytes(ModelBuilder model) => Google.Protobuf.MessageExtensions.ToByteArray(model.Proto);

    /// <summary>Near a normal distribution; the larger <paramref name="narrow"/>, the narrower.</summary>
    private static sbyte[] Codes(int seed, int count, int narrow)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (sbyte)(Enumerable.Range(0, 6).Sum(_ => random.Next(-63, 64)) / (3 + narrow)))];
    }

    /// <summary>Rows that differ in width.</summary>
    private static sbyte[] Spread(int rows, int columns)
    {
        var codes = Codes(rows, rows * columns, 1);
        for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)(codes[i] >> i / columns % 3);
        return codes;
    }

    private static byte[] Noise(int seed, int count)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static Half[] Halves(int count) => [.. Codes(5, count, 1).Select(c => (Half)(c * 0.013f))];
    private static double[] Doubles(int count) => [.. Codes(6, count, 1).Select(c => c * 0.013)];
    private static long[] Longs(int count) => [.. Enumerable.Range(0, count).Select(i => i * 31L % 1000)];

    private sealed class Trickle(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 1));
    }
}
