using System.Security.Cryptography;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>What is told of a file is told of the bytes that were used.</summary>
[TestClass]
public class InputFileTests
{
    [TestMethod]
    public void TheStateIsThatOfTheBytesThatWereRead()
    {
        using var folder = new ScratchFolder();
        var path = folder.Write("m", "first");
        var ticks = File.GetLastWriteTimeUtc(path).Ticks;
        var file = InputFile.Of(path, p =>
        {
            var read = File.ReadAllBytes(p);
            File.WriteAllText(p, "replaced");
            File.SetLastWriteTimeUtc(p, new DateTime(2040, 1, 1, 0, 0, 0, DateTimeKind.Utc));
            return read;
        }, out var content);
        Assert.AreEqual(new InputFile(path, Convert.ToHexStringLower(SHA256.HashData("first"u8)), 5, ticks), file);
        CollectionAssert.AreEqual("first"u8.ToArray(), content);
    }

    [TestMethod]
    public void AModelReplacedDuringTheRunIsNotMixedIntoIt()
    {
        var b = new ModelBuilder().Input("x", -1, 64).Output("y", -1, 64).Weight("w", 1, 0.2f, 64, 64).Node("MatMul", ["x", "w"], ["y"]);
        using var model = new ModelCase(b).With(new NpzBuilder().Floats("x", ModelBuilder.Random(1, 1, 30, 64).ToFloats(), 30, 64));
        var first = File.ReadAllBytes(model.Model);
        var result = Compressor.Run(model.Request with { Recipe = "none", MaxAccuracyDrop = 0.02 }, new Replacing(() => File.WriteAllText(model.Model, "something else")), default);
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(first));
        Assert.AreEqual(sha256, result.Original.Sha256);
        Assert.AreEqual(sha256, result.Compressed.Sha256);
        Assert.AreEqual(sha256, result.InputFiles[0].Sha256);
        CollectionAssert.AreEqual(first, File.ReadAllBytes(result.OutputModel));
    }

    private sealed class Replacing(Action replace) : ICompressionLog
    {
        public void Stage(string text) { if (text == "preparing") replace(); }
        public void Progress(double fraction, string text) { }
        public void Warning(Diagnostic diagnostic) { }
    }
}
