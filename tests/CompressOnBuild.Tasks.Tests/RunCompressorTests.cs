using System.Text;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public sealed class RunCompressorTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void StartsNoWorkerWhenAnotherBuildAnsweredMeanwhile()
    {
        Directory.CreateDirectory(_folder["m"]);
        byte[] request = Encoding.UTF8.GetBytes("m.onnx\n--name=m\n");
        File.WriteAllBytes(_folder["m/request.rsp"], request);
        File.WriteAllText(_folder["m/inputs.txt"], $"cob-inputs 1 {InputsFile.Hash(request)}\n");
        File.WriteAllText(_folder["no-program.dll"], "");
        var engine = new FakeBuildEngine();
        RunCompressor Task() => new() { BuildEngine = engine, Worker = _folder["no-program.dll"], RequestFile = _folder["m/request.rsp"], DotNetHost = DotNet.Host };

        Assert.IsFalse(Task().Execute(), "an unanswered request needs the worker, which is no program here");
        engine.Errors.Clear();
        Placement.MarkAnswered(_folder["m"], request);
        Assert.IsTrue(Task().Execute());
        Assert.IsEmpty(engine.Errors);
    }
}
