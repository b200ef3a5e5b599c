using System.Text.RegularExpressions;
using CompressOnBuild.Testing;
using Google.Protobuf;

namespace CompressOnBuild.Engine.Tests.Worker;

/// <summary>A scratch folder with an input that is wrong in one way, and the real worker run on it.</summary>
public abstract partial class BadInput
{
    private readonly ScratchFolder folder = new();

    protected ScratchFolder Folder => folder;
    protected string Output => folder["out"];

    [TestCleanup]
    public void Clean() => folder.Dispose();

    /// <summary>A small layer that is worth compressing: 64 to 32 features, <c>x</c> to <c>y</c>.</summary>
    protected static ModelBuilder Layer() => new ModelBuilder().Input("x", -1, 64).Output("y", -1, 32).Weight("w", 1, 0.1f, 64, 32).Node("MatMul", ["x", "w"], ["y"]);

    protected string Save(ModelBuilder model, string name = "m.onnx") => Save(model.Proto.ToByteArray(), name);

    protected string Save(byte[] bytes, string name = "m.onnx")
    {
        File.WriteAllBytes(folder[name], bytes);
        return folder[name];
    }

    /// <summary>Samples for <see cref="Layer"/>, with the class that the layer's weights give most of them.</summary>
    protected string SaveData(int samples = 60, string name = "val.npz", string input = "x") => new NpzBuilder()
        .Floats(input, ModelBuilder.Random(5, 1, samples, 64).AsSpan<float>().ToArray(), samples, 64)
        .Longs("labels", [.. Enumerable.Range(0, samples).Select(i => (long)(i % 32))], samples).Save(folder[name]);

    /// <summary>The worker refuses with exactly one line, which has the code, and leaves nothing. Returns that line.</summary>
    protected string Refused(string code, params string[] arguments) => Refused(code, WorkerProcess.Compress([.. arguments, "--output", Output]));

    protected string Refused(string code, ProcessResult run)
    {
        Assert.AreEqual(1, run.ExitCode, run.Output);
        var lines = run.Output.TrimEnd('\n').Split('\n');
        var errors = lines.Where(l => l.Contains("error", StringComparison.OrdinalIgnoreCase)).ToArray();
        Assert.HasCount(1, errors, run.Output);
        Assert.MatchesRegex(ErrorLine(), errors[0]);
        StringAssert.Contains(errors[0], $": error {code}: ");
        Assert.DoesNotContain("   at ", run.Output);
        Assert.IsFalse(Directory.Exists(Output) && Directory.EnumerateFileSystemEntries(Output).Any(), "nothing may be left in the output folder");
        return errors[0];
    }

    // The canonical form, one line, no control characters.
    [GeneratedRegex(@"^[^\p{C}]+(\(\d+(,\d+)?\))?: error COB\d{4}: [^\p{C}]+$")]
    private static partial Regex ErrorLine();
}
