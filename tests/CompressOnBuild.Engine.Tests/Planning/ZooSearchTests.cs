using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary><c>auto</c> on real models: returning the original is not a result.</summary>
[TestClass]
public class ZooSearchTests
{
    [TestMethod, ZooCondition]
    [DataRow("mnist-8"), DataRow("dtln-1"), DataRow("dtln-2"), DataRow("vad")]
    public void AlmostAllBytesAreTransformedOrCarryAReason(string name)
    {
        using var output = new ScratchFolder();
        var model = ZooModels.PathOf(name);
        CompressionResult result;
        try
        {
            result = Compressor.Run(new CompressionRequest { Model = model, Output = output.Path, Name = name, EvaluationData = Zoo.File(name, "eval.npz"), MaxAccuracyDrop = 0.02 }, NullCompressionLog.Instance, default);
        }
        catch (GateException e) { Assert.Fail(string.Join("\n", e.Errors.Select(d => d.Message))); throw; }
        var (done, left) = (result.Weights.Sum(w => w.BytesBefore), result.Skipped.Where(s => s.Code != Codes.WeightTooSmall).Sum(s => s.Bytes));
        Assert.IsGreaterThanOrEqualTo(0.8, (double)done / (done + left), string.Join("\n", result.Skipped.Select(s => $"{s.Name} {s.Code} {s.Because}")));
        Assert.IsLessThan(0.6, (double)result.Compressed.Bytes / result.Original.Bytes);
        Assert.IsTrue(result.Skipped.All(s => s.Code.StartsWith("COB21", StringComparison.Ordinal) && s.Because.Length > 5));
        Assert.AreNotEqual(Verdict.Fail, result.Verdict);
    }
}
