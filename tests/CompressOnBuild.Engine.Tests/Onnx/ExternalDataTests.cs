using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Testing;
using Google.Protobuf;

namespace CompressOnBuild.Engine.Tests.Onnx;

[TestClass]
public class ExternalDataTests
{
    [TestMethod]
    public void AModelWrittenWithExternalDataIsReadBackTheSame()
    {
        using var folder = new ScratchFolder();
        var then = new ModelBuilder().Output("t", -1, 32).Constant("k", ModelBuilder.Random(3, 1, 16, 32)).Node("MatMul", ["x", "k"], ["t"]);
        var otherwise = new ModelBuilder().Output("e", -1, 32).Node("MatMul", ["x", "w"], ["e"]);
        var b = new ModelBuilder().Input("x", -1, 16).Input("if", ElementType.Bool).Output("y", -1, 32).Weight("w", 1, 1, 16, 32).Initializer("small", [1f], 1)
            .NodeWithBodies("If", ["if"], ["z"], ("then_branch", then), ("else_branch", otherwise)).Node("Add", ["z", "small"], ["y"]);
        b.Proto.Graph.Initializer[0] = new TensorProto { Name = "w", DataType = 1, Dims = { 16, 32 }, FloatData = { Enumerable.Range(0, 512).Select(i => i * 0.01f) } };
        var model = b.Build();
        var before = OnnxWriter.ToBytes(model);
        OnnxWriter.Write(model, folder["m.onnx"], externalData: true);
        CollectionAssert.AreEqual(before, OnnxWriter.ToBytes(model));
        CollectionAssert.AreEquivalent(new[] { "m.onnx", "m.onnx.data" }, Directory.GetFiles(folder.Path).Select(Path.GetFileName).ToArray());
        Assert.AreEqual(2 * 16 * 32 * 4, new FileInfo(folder["m.onnx.data"]).Length);

        var read = OnnxReader.Load(folder["m.onnx"]);
        CollectionAssert.AreEqual(new[] { folder["m.onnx.data"] }, read.ExternalFiles.ToArray());
        Equivalence.Holds(model, read, 0);
        Assert.AreEqual(0, read.Graphs().SelectMany(g => g.Initializers).Count(v => OnnxWriter.ToProto(read).Graph.Initializer.Any(t => t.Name == v.Name && t.DataLocation == 1)));

        // Written again over itself while its data are mapped.
        OnnxWriter.Write(read, folder["m.onnx"], externalData: true);
        Equivalence.Holds(model, OnnxReader.Load(folder["m.onnx"]), 0);
    }

    [TestMethod]
    public void MoreThanTwoGigabytesInAllAreRefused()
    {
        const long Size = 1L << 30;
        using var folder = new ScratchFolder();
        var b = new ModelBuilder().Input("x", 1, 4).Output("y", 1, 4).Node("Neg", ["x"], ["y"]);
        for (var i = 0; i < 3; i++)
        {
            var tensor = new TensorProto { Name = $"w{i}", DataType = 1, Dims = { Size / 4 }, DataLocation = 1 };
            foreach (var (key, value) in new[] { ("location", "big.bin"), ("offset", (i * Size).ToString(System.Globalization.CultureInfo.InvariantCulture)), ("length", Size.ToString(System.Globalization.CultureInfo.InvariantCulture)) })
                tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
            b.Proto.Graph.Initializer.Add(tensor);
        }
        File.WriteAllBytes(folder["m.onnx"], b.Proto.ToByteArray());
        using (var file = File.Create(folder["big.bin"])) file.SetLength(3 * Size); // a hole: nothing is stored
        var error = Assert.ThrowsExactly<CompressionException>(() => OnnxReader.Load(folder["m.onnx"]));
        Assert.AreEqual(Codes.ModelTooLarge, error.Diagnostic.Code);
        StringAssert.Contains(error.Diagnostic.Message, (3 * Size + new FileInfo(folder["m.onnx"]).Length).ToString(System.Globalization.CultureInfo.InvariantCulture));

        b.Proto.Graph.Initializer.RemoveAt(2);
        b.Proto.Graph.Initializer.RemoveAt(1);
        File.WriteAllBytes(folder["m.onnx"], b.Proto.ToByteArray());
        Assert.HasCount(1, OnnxReader.Load(folder["m.onnx"]).ExternalFiles.ToArray());
    }

    [TestMethod]
    [DataRow("../out.bin"), DataRow("sub/../../out.bin"), DataRow("/etc/hostname"), DataRow("."), DataRow("..")]
    public void FilesOutsideTheFolderAreRefused(string location) => Refused(Codes.ExternalDataOutside, location);

    [TestMethod]
    public void LinksOutOfTheFolderAreRefused()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("links need a privilege on Windows.");
        Refused(Codes.ExternalDataOutside, "link.bin", folder => File.CreateSymbolicLink(folder["link.bin"], Elsewhere.Write("secret.bin", "sixteen letters!")));
        Refused(Codes.ExternalDataOutside, "sub/secret.bin", folder => Directory.CreateSymbolicLink(folder["sub"], Path.GetDirectoryName(Elsewhere.Write("secret.bin", "sixteen letters!"))!));
        Refused(Codes.ExternalDataOutside, "chain.bin", folder =>
        {
            File.CreateSymbolicLink(folder["chain2.bin"], Elsewhere.Write("secret.bin", "sixteen letters!"));
            File.CreateSymbolicLink(folder["chain.bin"], "chain2.bin");
        });
        Refused(Codes.ExternalDataOutside, "circle.bin", folder => File.CreateSymbolicLink(folder["circle.bin"], "circle.bin"));
    }

    [TestMethod]
    public void ALinkInsideTheFolderIsFollowed()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("links need a privilege on Windows.");
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder["real.bin"], new byte[16]);
        File.CreateSymbolicLink(folder["link.bin"], "real.bin");
        Assert.AreEqual(16, Load(folder, "link.bin").Graph.Initializers[0].Initializer!.Data.Length);
    }

    [TestMethod]
    public void FilesThatAreMissingOrNoFiles()
    {
        Refused(Codes.ExternalDataUnreadable, "missing.bin");
        Refused(Codes.ExternalDataUnreadable, "zero\0.bin");
        Refused(Codes.ExternalDataUnreadable, new string('a', 5000));
        Refused(Codes.ExternalDataUnreadable, "sub", folder => Directory.CreateDirectory(folder["sub"]));
        Refused(Codes.ExternalDataUnreadable, null);
    }

    [TestMethod]
    [DataRow("0", null, 15), DataRow("4", null, 16), DataRow("9223372036854775807", null, 16), DataRow("0", "15", 16), DataRow("0", "9223372036854775807", 16)]
    public void FilesThatAreTooShort(string offset, string? length, int size) =>
        Refused(Codes.TensorDataLength, "w.bin", folder => File.WriteAllBytes(folder["w.bin"], new byte[size]), offset, length);

    [TestMethod]
    [DataRow("-1"), DataRow("1e3"), DataRow("99999999999999999999"), DataRow("")]
    public void OffsetsThatAreNoNumbers(string offset) => Refused(Codes.ExternalDataUnreadable, "w.bin", folder => File.WriteAllBytes(folder["w.bin"], new byte[16]), offset);

    [TestMethod]
    public void AnEmptyTensorOfAnEmptyFileIsRead()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder["e.bin"], []);
        Assert.AreEqual(0, Load(folder, "e.bin", shape: 0).Graph.Initializers[0].Initializer!.Data.Length);
    }

    [TestMethod]
    public void AFileThatVanishesBeforeItIsTouchedIsACodedError()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder["w.bin"], new byte[16]);
        var tensor = Load(folder, "w.bin").Graph.Initializers[0].Initializer!;
        File.Delete(folder["w.bin"]);
        Assert.AreEqual(Codes.ExternalDataUnreadable, Assert.ThrowsExactly<CompressionException>(() => tensor.Data).Diagnostic.Code);
    }

    private static readonly ScratchFolder Elsewhere = new();

    [ClassCleanup]
    public static void Clean() => Elsewhere.Dispose();

    private static void Refused(string code, string? location, Action<ScratchFolder>? prepare = null, string? offset = null, string? length = null)
    {
        using var folder = new ScratchFolder();
        prepare?.Invoke(folder);
        var diagnostic = Assert.ThrowsExactly<CompressionException>(() => Load(folder, location, offset, length)).Diagnostic;
        Assert.AreEqual(code, diagnostic.Code, diagnostic.Message);
    }

    private static Model Load(ScratchFolder folder, string? location, string? offset = null, string? length = null, long shape = 4)
    {
        var tensor = new TensorProto { Name = "w", DataType = 1, Dims = { shape }, DataLocation = 1 };
        foreach (var (key, value) in new[] { ("location", location), ("offset", offset), ("length", length) })
            if (value is not null) tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        var b = new ModelBuilder().Input("x", shape).Output("y", shape).Node("Add", ["x", "w"], ["y"]);
        b.Proto.Graph.Initializer.Add(tensor);
        File.WriteAllBytes(folder["m.onnx"], b.Proto.ToByteArray());
        return OnnxReader.Load(folder["m.onnx"]);
    }
}
