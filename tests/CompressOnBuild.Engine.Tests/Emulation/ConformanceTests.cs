using CompressOnBuild.Emulation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Emulation;

/// <summary>The emulated arithmetic and ONNX Runtime's own, operator by operator, bit by bit.</summary>
[TestClass]
public sealed class ConformanceTests
{
    private static readonly string Goldens = Path.Combine(DotNet.RepositoryRoot, "testassets", "goldens", "avx2.txt");

    [TestMethod]
    public void WithSmallWeightsEveryOperatorIsThatOfOnnxRuntimeOnAnyProcessor()
    {
        var forms = SaturatingForms.All(63).ToList();
        foreach (var form in forms) Assert.AreEqual(Text(Real(form)), Text(Emulated(form, out _)), form.Name);
        Assert.HasCount(32, forms);
    }

    [TestMethod]
    public void WithLargeWeightsEveryOperatorIsThatOfOnnxRuntimeOnAHaswell()
    {
        var recorded = File.ReadAllLines(Goldens).Where(l => !l.StartsWith('#')).ToDictionary(l => l.Split(": ")[0], l => l.Split(": ")[1]);
        var sums = new Dictionary<string, long>();
        foreach (var form in SaturatingForms.All(127))
        {
            Assert.AreEqual(recorded[form.Name], Text(Emulated(form, out var saturated)), form.Name);
            var name = form.Name.Split(' ')[0];
            sums[name] = sums.GetValueOrDefault(name) + saturated;
        }
        Assert.IsTrue(sums.Values.All(s => s > 0), string.Join(", ", sums));
    }

    [TestMethod]
    public void ProductsThatAreNotListedAreExact()
    {
        var recorded = File.ReadAllLines(Goldens).Where(l => !l.StartsWith('#')).ToDictionary(l => l.Split(": ")[0], l => l.Split(": ")[1]);
        foreach (var form in SaturatingForms.Exact())
        {
            Assert.IsEmpty(IntegerProducts.Find(OptimizedGraph.Of(OnnxWriter.ToBytes(form.Model), new SessionSettings("form"))!), form.Name);
            // Float kernels differ in the last bits between processors.
            var (here, there) = (Text(Real(form)).Split(' '), recorded[form.Name].Split(' '));
            foreach (var (x, y) in here.Zip(there, (x, y) => (float.Parse(x), float.Parse(y)))) Assert.AreEqual(x, y, 1e-5f * Math.Abs(x), form.Name);
            Assert.HasCount(here.Length, there);
        }
    }

    /// <summary>
    /// The goldens again, from ONNX Runtime itself: on a processor without VNNI directly, elsewhere in a process on an emulated one, which is
    /// this test again.
    /// </summary>
    [TestMethod]
    public void OnnxRuntimeOnAProcessorWithoutVnniStillGivesTheGoldens()
    {
        if (Processor.SaturatesIntegerProducts)
        {
            var lines = SaturatingForms.All(127).Concat(SaturatingForms.Exact()).Select(f => $"{f.Name}: {Text(Real(f))}");
            if (Environment.GetEnvironmentVariable("COMPRESSONBUILD_RECORD") is { Length: > 0 } file) File.WriteAllLines(file, lines.Prepend("# Outputs of ONNX Runtime on a processor with AVX2 and without VNNI, one form a line. Made by ConformanceTests with COMPRESSONBUILD_RECORD=<this file>."));
            else CollectionAssert.AreEqual(File.ReadAllLines(Goldens)[1..], lines.ToArray());
            return;
        }
        if (!Haswell.IsAvailable) Assert.Inconclusive("This processor has VNNI, and qemu-x86_64-static is not installed (Debian: qemu-user-static): the recorded outputs alone were compared.");
        var result = Haswell.Run(typeof(ConformanceTests).Assembly.Location, ["--progress", "off", "--ansi", "off", "--filter", $"Name={nameof(OnnxRuntimeOnAProcessorWithoutVnniStillGivesTheGoldens)}"], TimeSpan.FromMinutes(5));
        if (result.ExitCode == Haswell.BrokeDown) Assert.Inconclusive("The emulator broke down each time: the recorded outputs alone were compared. " + result.Output);
        Assert.AreEqual(0, result.ExitCode, result.Output);
        StringAssert.Contains(result.Output, "succeeded: 1", result.Output);
    }

    private static Tensor Real(SaturatingForm form)
    {
        using var session = new Session(form.Model, new SessionSettings("form"));
        return session.Run(form.Inputs)[0];
    }

    private static Tensor Emulated(SaturatingForm form, out long saturated)
    {
        var optimized = OptimizedGraph.Of(OnnxWriter.ToBytes(form.Model), new SessionSettings("form"))!;
        var products = IntegerProducts.Find(optimized);
        Assert.HasCount(1, products, form.Name);
        Assert.IsNull(products[0].NotEmulated, form.Name);
        using var emulator = new Avx2Emulator(optimized, products, new SessionSettings("form"));
        var counts = products.ToDictionary(p => p.Weight, _ => new PairCount());
        var result = emulator.Run(form.Inputs, counts, default);
        saturated = counts.Values.Sum(c => c.Saturated);
        Assert.IsLessThan(counts.Values.Sum(c => c.Pairs), saturated, form.Name);
        return result[0];
    }

    private static string Text(Tensor tensor) => string.Join(' ', tensor.ToFloats().Select(v => v.ToString("R", System.Globalization.CultureInfo.InvariantCulture)));
}
