using System.Buffers.Binary;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class SoundDatasetTests
{
    private static readonly DatasetContext AnyLength = NpzTests.Context(("x", ElementType.Float, [null, null]));

    [TestMethod]
    [DataRow(1, 8, new byte[] { 128, 192, 0 }), DataRow(1, 16, new byte[] { 0, 0, 0, 64, 0, 128 }), DataRow(1, 24, new byte[] { 0, 0, 0, 0, 0, 64, 0, 0, 128 }),
     DataRow(1, 32, new byte[] { 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 128 }), DataRow(3, 32, new byte[] { 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 128, 191 })]
    public void ReadsEveryWordLength(int encoding, int bits, byte[] data)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.wav"], Wav(data, encoding, 1, 8000, bits));
        using var set = Dataset.Open(scratch.Path, AnyLength);
        var input = set.Read(0).Inputs["x"];
        CollectionAssert.AreEqual(new[] { 0, 0.5f, -1 }, input.ToFloats());
        CollectionAssert.AreEqual(new long[] { 1, 3 }, input.Shape.ToArray());
    }

    [TestMethod]
    public void MixesChannelsAndTakesTheShapeOfTheInput()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.wav"], Wav([0, 64, 0, 0, 0, 192, 0, 192], 1, 2, 8000, 16)); // (0.5, 0), (-0.5, -0.5)
        foreach (var shape in (long?[][])[[2], [1, 2], [null, 1, null]])
        {
            using var set = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, shape)));
            var input = set.Read(0).Inputs["x"];
            CollectionAssert.AreEqual(new[] { 0.25f, -0.5f }, input.ToFloats());
            CollectionAssert.AreEqual(shape.Select((d, i) => d ?? (i == shape.Length - 1 ? 2 : 1)).ToArray(), input.Shape.ToArray());
        }
    }

    [TestMethod]
    public void LabelsComeFromListAndFolders()
    {
        using var scratch = new ScratchFolder();
        Pcm(scratch, "no/b.wav", 8000, 1, 2);
        Pcm(scratch, "yes/a.wav", 8000, 3, 4);
        using (var folders = Dataset.Open(scratch.Path, AnyLength))
            CollectionAssert.AreEqual(new[] { "no/b.wav 0", "yes/a.wav 1" }, Enumerable.Range(0, 2).Select(i => $"{folders.Id(i)} {((ClassLabel)folders.Label(i)!).Id}").ToArray());
        scratch.Write("labels.csv", "file,label\nyes/a.wav,7\n");
        using var listed = Dataset.Open(scratch.Path, AnyLength);
        Assert.AreEqual(new ClassLabel(7), listed.Read(0).Label);
        CollectionAssert.AreEqual(new[] { 3 / 32768f, 4 / 32768f }, listed.Read(0).Inputs["x"].ToFloats());
    }

    [TestMethod]
    public void OneListNamesOneKindOfFile()
    {
        using var scratch = new ScratchFolder();
        Pcm(scratch, "a.wav", 8000, 1);
        scratch.Write("b.png", "x");
        scratch.Write("labels.csv", "file,label\na.wav,0\nb.png,1\n");
        StringAssert.Contains(Error(Codes.DataFormatUnknown, () => Dataset.Open(scratch.Path, AnyLength)), "b.png");
    }

    [TestMethod]
    [DataRow("start", "1,2,3"), DataRow("center", "2,3,4"), DataRow("end", "3,4,5")]
    public void CropsAsAsked(string crop, string expected) => Assert.AreEqual(expected, Fitted($$"""{ "audio": { "crop": "{{crop}}" } }""", 1, 2, 3, 4, 5));

    [TestMethod]
    [DataRow("end", "1,2,0"), DataRow("start", "0,1,2"), DataRow("both", "1,2,0"), DataRow("repeat", "1,2,1")]
    public void PadsAsAsked(string pad, string expected) => Assert.AreEqual(expected, Fitted($$"""{ "audio": { "pad": "{{pad}}" } }""", 1, 2));

    private static string Fitted(string configuration, params short[] samples)
    {
        using var scratch = new ScratchFolder();
        Pcm(scratch, "a.wav", 8000, samples);
        scratch.Write("evaluation.json", configuration);
        using var set = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [1, 3])));
        return string.Join(',', set.Read(0).Inputs["x"].ToFloats().Select(v => v * 32768));
    }

    [TestMethod]
    public void AnotherLengthOrRateIsAnErrorUntilSomethingIsSaidAboutIt()
    {
        using var scratch = new ScratchFolder();
        Pcm(scratch, "a.wav", 8000, new short[800]);
        Pcm(scratch, "b.wav", 16000, [.. Enumerable.Range(0, 1600).Select(i => (short)(8000 * Math.Sin(i * 0.05)))]);
        using (var set = Dataset.Open(scratch.Path, AnyLength)) StringAssert.Contains(Error(Codes.SoundMismatch, () => set.Read(1)), "16000 samples a second");
        using (var set = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [1, 900])))) StringAssert.Contains(Error(Codes.SoundMismatch, () => set.Read(0)), "'pad'");
        scratch.Write("evaluation.json", """{ "audio": { "sampleRate": 16000 } }""");
        using (var set = Dataset.Open(scratch.Path, AnyLength)) Error(Codes.SoundMismatch, () => set.Read(0));
        scratch.Write("evaluation.json", """{ "audio": { "sampleRate": 8000, "resample": true } }""");
        using (var set = Dataset.Open(scratch.Path, AnyLength))
        {
            var half = set.Read(1).Inputs["x"].ToFloats();
            Assert.IsTrue(half.Length is >= 795 and <= 801, $"{half.Length}");
            // A slow sine survives: sample i is the original's 2 i, apart from the edges.
            for (var i = 50; i < 750; i++) Assert.AreEqual(8000 / 32768f * Math.Sin(2 * i * 0.05), half[i], 0.02);
        }
    }

    [TestMethod]
    public void AHeaderThatLiesIsOneCodedError()
    {
        var good = Wav([1, 0, 2, 0], 1, 1, 8000, 16);
        (string What, Action<byte[]> Change)[] lies =
        [
            ("bytes of sound", b => BinaryPrimitives.WriteUInt32LittleEndian(b.AsSpan(40), uint.MaxValue)),
            ("chunk of 2147483647", b => BinaryPrimitives.WriteUInt32LittleEndian(b.AsSpan(16), int.MaxValue)),
            ("0 channels", b => b[22] = 0),
            ("65535 channels", b => { b[22] = 255; b[23] = 255; }),
            ("samples a second", b => BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(24), int.MaxValue)),
            ("samples a second", b => BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(24), 0)),
            ("block align is 0", b => b[32] = 0), ("claims 7 bytes for", b => b[32] = 7),
            ("of 12 bits", b => b[34] = 12),
            ("is stored as", b => b[20] = 2),
            ("RIFF", b => b[0] = 0),
            ("no format", b => b[12] = (byte)'x'),
            ("holds no sound", b => { BinaryPrimitives.WriteInt32LittleEndian(b.AsSpan(40), 0); b[44] = b[45] = b[46] = b[47] = 0; }),
        ];
        using var scratch = new ScratchFolder();
        foreach (var (what, change) in lies)
        {
            var bytes = (byte[])good.Clone();
            change(bytes);
            File.WriteAllBytes(scratch["a.wav"], bytes);
            StringAssert.Contains(Error(Codes.SoundUnreadable, () => Dataset.Open(scratch.Path, AnyLength).Read(0)), what);
        }
        for (var length = 0; length < good.Length; length++)
        {
            File.WriteAllBytes(scratch["a.wav"], good[..length]);
            Error(Codes.SoundUnreadable, () => Dataset.Open(scratch.Path, AnyLength).Read(0));
        }
    }

    [TestMethod]
    public void FloatsThatAreNoNumbersAreRefused()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.wav"], Wav([0, 0, 0xC0, 0x7F], 3, 1, 8000, 32));
        StringAssert.Contains(Error(Codes.SoundUnreadable, () => Dataset.Open(scratch.Path, AnyLength)), "no number");
    }

    [TestMethod]
    public void AnInputThatIsNoWaveformIsRefused()
    {
        using var scratch = new ScratchFolder();
        Pcm(scratch, "a.wav", 8000, 1);
        foreach (var input in new[] { ("x", ElementType.Int32, new long?[] { 1, null }), ("x", ElementType.Float, [1, 2, null]), ("x", ElementType.Float, [1, 1, 1, null]) })
            Error(Codes.InputMismatch, () => Dataset.Open(scratch.Path, NpzTests.Context(input)));
    }

    [TestMethod]
    [DataRow("""{ "audio": { "rate": 1 } }"""), DataRow("""{ "audio": { "sampleRate": 0 } }"""), DataRow("""{ "audio": { "resample": true } }"""), DataRow("""{ "audio": { "hop": 5 } }"""),
     DataRow("""{ "audio": { "frame": 5, "crop": "end" } }"""), DataRow("""{ "audio": { "pad": "left" } }"""), DataRow("""{ "audio": [] }""")]
    public void SettingsThatMeanNothingAreRefused(string json)
    {
        using var scratch = new ScratchFolder();
        Pcm(scratch, "a.wav", 8000, 1);
        scratch.Write("evaluation.json", json);
        Error(Codes.EvaluationConfigurationInvalid, () => Dataset.Open(scratch.Path, AnyLength));
    }

    private static string Error(string code, Action action)
    {
        var e = Assert.ThrowsExactly<CompressionException>(action);
        Assert.AreEqual(code, e.Diagnostic.Code, e.Message);
        return e.Message;
    }

    /// <summary>16-bit mono.</summary>
    internal static void Pcm(ScratchFolder scratch, string name, int rate, params short[] samples)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(scratch[name])!);
        File.WriteAllBytes(scratch[name], Wav([.. samples.SelectMany(BitConverter.GetBytes)], 1, 1, rate, 16));
    }

    private static byte[] Wav(byte[] data, int encoding, int channels, int rate, int bits)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.ASCII);
        writer.Write("RIFF"u8);
        writer.Write(36 + data.Length);
        writer.Write("WAVEfmt "u8);
        writer.Write(16);
        writer.Write((short)encoding);
        writer.Write((short)channels);
        writer.Write(rate);
        writer.Write(rate * channels * bits / 8);
        writer.Write((short)(channels * bits / 8));
        writer.Write((short)bits);
        writer.Write("data"u8);
        writer.Write(data.Length);
        writer.Write(data);
        return stream.ToArray();
    }
}
