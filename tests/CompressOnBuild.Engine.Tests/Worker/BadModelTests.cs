using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Testing;
using Google.Protobuf;

namespace CompressOnBuild.Engine.Tests.Worker;

[TestClass]
public sealed class BadModelTests : BadInput
{
    [TestMethod]
    public void MissingFileFolderAndEmptyPath()
    {
        StringAssert.Contains(Refused("COB1001", Folder["none.onnx"]), "none.onnx: error COB1001: the model does not exist");
        StringAssert.Contains(Refused("COB1001", Folder.Path), "the model is a folder");
        StringAssert.Contains(Refused("COB1001", ""), "the model's path is empty");
        StringAssert.Contains(Refused("COB1001", Folder[new string('m', 300) + ".onnx"], "--name", "m"), "does not exist");
        Refused("COB0035", Folder[new string('m', 300) + ".onnx"]);
        Refused("COB1001", Folder[string.Concat(Enumerable.Repeat(new string('d', 200) + "/", 40)) + "m.onnx"]);
    }

    [TestMethod]
    public void EmptyFile() => StringAssert.Contains(Refused("COB1002", Folder.Write("m.onnx", "")), "0 bytes");

    [TestMethod]
    public void TruncatedModel()
    {
        var whole = Layer().Proto.ToByteArray();
        StringAssert.Contains(Refused("COB1003", Save(whole[..^1000])), "was cut");
    }

    [TestMethod]
    public void RandomBytesAndOtherFormats()
    {
        var bytes = new byte[5000];
        new Random(3).NextBytes(bytes);
        StringAssert.Contains(Refused("COB1003", Save(bytes)), "not a complete ONNX model (5000 bytes");
        Refused("COB1003", Folder.Write("page.onnx", "<!DOCTYPE html><html>Not found</html>"));
        StringAssert.Contains(Refused("COB1003", Folder.Write("lfs.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")), "git lfs pull");
    }

    [TestMethod]
    public void NamesThatTheRuntimeWouldCut() =>
        StringAssert.Contains(Refused("COB1003", Save(new ModelBuilder().Input("x", 2).Output("y\0z", 2).Node("Neg", ["x"], ["y\0z"]))), "zero character");

    [TestMethod]
    public void Cycle() =>
        StringAssert.Contains(Refused("COB1004", Save(new ModelBuilder().Input("x", 2).Output("a", 2).Node("Add", ["x", "b"], ["a"]).Node("Neg", ["a"], ["b"]))), "depends on its own output");

    [TestMethod]
    public void DuplicateNames() =>
        StringAssert.Contains(Refused("COB1005", Save(new ModelBuilder().Input("x", 2).Output("y", 2).Node("Neg", ["x"], ["y"]).Node("Abs", ["x"], ["y"]))), "'y'");

    [TestMethod]
    public void InitializerShorterThanItsShape()
    {
        var model = Layer();
        model.Proto.Graph.Initializer[0].RawData = ByteString.CopyFrom(new byte[100]);
        StringAssert.Contains(Refused("COB1006", Save(model)), "'w'");
    }

    [TestMethod]
    [DataRow("../secret.bin")]
    [DataRow("sub/../../secret.bin")]
    [DataRow("/etc/hostname")]
    public void ExternalDataOutsideTheFolder(string location)
    {
        Folder.Write("secret.bin", new string('s', 64 * 32 * 4));
        Directory.CreateDirectory(Folder["model"]);
        StringAssert.Contains(Refused("COB1007", Save(External(location), "model/m.onnx")), "outside the model's folder");
    }

    [TestMethod]
    public void ExternalDataThroughALink()
    {
        Folder.Write("secret.bin", new string('s', 64 * 32 * 4));
        Directory.CreateDirectory(Folder["model"]);
        File.CreateSymbolicLink(Folder["model/w.bin"], Folder["secret.bin"]);
        Refused("COB1007", Save(External("w.bin"), "model/m.onnx"));
        Directory.CreateSymbolicLink(Folder["model/sub"], Folder.Path);
        Refused("COB1007", Save(External("sub/secret.bin"), "model/m.onnx"));
    }

    [TestMethod]
    public void ExternalDataMissingOrTooShort()
    {
        StringAssert.Contains(Refused("COB1011", Save(External("gone.bin"))), "'gone.bin', which does not exist");
        Folder.Write("short.bin", "short");
        StringAssert.Contains(Refused("COB1006", Save(External("short.bin"))), "which has 5");
    }

    [TestMethod]
    public void NegativeDimensions()
    {
        var model = Layer();
        model.Proto.Graph.Initializer[0].Dims[0] = -64;
        StringAssert.Contains(Refused("COB1008", Save(model)), "-64");
    }

    [TestMethod]
    public void ValuesNobodyComputes() =>
        StringAssert.Contains(Refused("COB1009", Save(new ModelBuilder().Input("x", 2).Output("y", 2).Node("Add", ["x", "ghost"], ["y"]))), "'ghost'");

    [TestMethod]
    public void OldOperatorSet() =>
        StringAssert.Contains(Refused("COB1010", Save(new ModelBuilder(6, 3).Input("x", 2).Output("y", 2).Node("Neg", ["x"], ["y"]))), "operator set 6");

    [TestMethod]
    public void OperatorsThatTheRuntimeDoesNotKnow()
    {
        StringAssert.Contains(Refused("COB1020", Save(new ModelBuilder().Input("x", 2).Output("y", 2).Node("Frobnicate", ["x"], ["y"]))), "cannot load the original model");
        Refused("COB1020", Save(new ModelBuilder().Input("x", 2).Output("y", 2).Node("MatMul", ["x"], ["y"])));
        Refused("COB1020", Save(new ModelBuilder(99).Input("x", 2).Output("y", 2).Node("Neg", ["x"], ["y"])));
    }

    [TestMethod]
    public void AnUnreadableModel()
    {
        var model = Save(Layer());
        Posix.SetMode(model, UnixFileMode.None);
        StringAssert.Contains(Refused("COB1001", Posix.CompressWithoutPrivileges(model, "--output", Output)), "cannot be read");
    }

    // Damage anywhere in the file: whatever the reader lets through, the runtime and every later stage must answer with a code too.
    [TestMethod]
    public void AnyDamageIsRefusedOrSurvived()
    {
        var whole = Layer().Node("Relu", ["y"], ["z"]).Output("z", -1, 32).Proto.ToByteArray();
        var random = new Random(11);
        var graph = whole.Length - 64 * 32 * 4; // the weight itself takes any bytes
        for (var i = 0; i < 12; i++)
        {
            var bytes = (byte[])whole.Clone();
            var at = random.Next(graph);
            bytes[at < graph / 2 ? at : whole.Length - 1 - (at - graph / 2)] ^= (byte)(1 << random.Next(8));
            var run = WorkerProcess.Compress(Save(bytes, $"m{i}.onnx"), "--output", Folder[$"out{i}"]);
            Assert.IsTrue(run.ExitCode is 0 or 1, run.Output);
            if (run.ExitCode == 1) Assert.DoesNotContain("COB9001", run.Output);
        }
    }

    private static ModelBuilder External(string location)
    {
        var model = Layer();
        var weight = model.Proto.Graph.Initializer[0];
        weight.RawData = ByteString.Empty;
        weight.DataLocation = 1;
        weight.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        return model;
    }
}
