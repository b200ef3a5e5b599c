using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class NpyTests
{
    private static readonly DatasetContext XOnly = NpzTests.Context(("x", ElementType.Float, [null, 2]));

    [TestMethod]
    [DataRow("labels.npy", "val.labels.npy")]
    [DataRow("val.labels.npy", null)]
    public void OneFileFeedsTheOnlyInputWithLabelsBesideIt(string labels, string? absent)
    {
        using var scratch = new ScratchFolder();
        Floats(scratch["val.npy"], [1, 2, 3, 4], 2, 2);
        Longs(scratch[labels], [7, 8], 2);
        using var data = Dataset.Open(scratch["val.npy"], XOnly);
        Assert.AreEqual(2, data.Count);
        CollectionAssert.AreEqual(new float[] { 3, 4 }, data.Read(1).Inputs["x"].ToFloats());
        CollectionAssert.AreEqual(new long[] { 1, 2 }, data.Read(1).Inputs["x"].Shape.ToArray());
        Assert.AreEqual(new ClassLabel(8), data.Label(1));
        CollectionAssert.AreEquivalent(new[] { scratch["val.npy"], scratch[labels] }, data.Files.ToArray());
        Assert.IsTrue(absent is null || data.Absent.Contains(scratch[absent]));
    }

    [TestMethod]
    public void AFolderFeedsInputsByFileName()
    {
        using var scratch = new ScratchFolder();
        Floats(scratch["x.npy"], [1, 2, 3, 4], 2, 2);
        Longs(scratch["n.npy"], [5, 6], 2);
        Longs(scratch["truth.npy"], [0, 1], 2);
        scratch.Write("evaluation.json", """{ "inputs": { "count": "n" }, "labels": "truth" }""");
        using var data = Dataset.Open(scratch.Path, NpzTests.Context(("x", ElementType.Float, [null, 2]), ("count", ElementType.Int64, [])));
        Assert.AreEqual(6L, data.Read(1).Inputs["count"].ToLongs()[0]);
        Assert.AreEqual(new ClassLabel(1), data.Label(1));
        Assert.IsEmpty(data.Warnings);
        CollectionAssert.Contains(data.Folders.ToArray(), scratch.Path);
    }

    [TestMethod]
    public void EqualArraysHaveEqualHashesInNpyAndNpz()
    {
        using var scratch = new ScratchFolder();
        Floats(scratch["a.npy"], [1, 2, 3, 4], 2, 2);
        using var npy = Dataset.Open(scratch["a.npy"], XOnly);
        using var npz = Dataset.Open(new NpzBuilder().Floats("x", [1, 2, 3, 4], 2, 2).Save(scratch["a.npz"], compressed: true), XOnly);
        CollectionAssert.AreEqual(npz.ContentHash(1), npy.ContentHash(1));
    }

    [TestMethod]
    public void ColumnMajorFilesAreTurnedAround()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.npy"], NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", MemoryMarshal.AsBytes<float>([1, 3, 2, 4])));
        using var data = Dataset.Open(scratch["a.npy"], XOnly);
        CollectionAssert.AreEqual(new float[] { 3, 4 }, data.Read(1).Inputs["x"].ToFloats());
    }

    [TestMethod]
    [DataRow("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }", 64, Codes.NpzPickled)]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", 7, Codes.NpzDamaged)]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", 9, Codes.NpzDamaged)]
    [DataRow("{'descr': '<f4', 'fortran_order': True, 'shape': (1000000000, 2), }", 8, Codes.NpzDamaged)]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", 0, Codes.DataEmpty)]
    [DataRow("{'descr': '<c8', 'fortran_order': False, 'shape': (1, 2), }", 16, Codes.NpzTypeUnsupported)]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, Codes.InputMismatch)]
    public void RefusesWhatIsNoArrayOfSamples(string header, int bytes, string code)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.npy"], NpzBuilder.Npy(header, new byte[bytes]));
        var diagnostic = Fails(scratch["a.npy"], XOnly, code);
        Assert.AreEqual(scratch["a.npy"], diagnostic.File);
    }

    [TestMethod]
    public void RefusesSamplesWithoutElementsWhateverTheirNumber()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllBytes(scratch["a.npy"], NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 0), }", []));
        Fails(scratch["a.npy"], NpzTests.Context(("x", ElementType.Float, [null, null])), Codes.DataEmpty);
    }

    [TestMethod]
    public void RowsOfAFileLargerThanAnArrayCanBeAreReadOneByOne()
    {
        using var scratch = new ScratchFolder();
        var header = NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (400000000, 2), }", []);
        using (var file = File.Create(scratch["a.npy"]))
        {
            file.Write(header);
            file.SetLength(header.Length + 3_200_000_000); // a hole, which takes no space
            file.Seek(-8, SeekOrigin.End);
            file.Write(MemoryMarshal.AsBytes<float>([5, 6]));
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var data = Dataset.Open(scratch["a.npy"], XOnly);
        CollectionAssert.AreEqual(new float[] { 5, 6 }, data.Read(399_999_999).Inputs["x"].ToFloats());
        Assert.IsLessThan(1 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void RefusesOneFileForTwoInputs()
    {
        using var scratch = new ScratchFolder();
        Floats(scratch["a.npy"], [1, 2], 1, 2);
        Fails(scratch["a.npy"], NpzTests.Context(("x", ElementType.Float, [null, 2]), ("y", ElementType.Float, [null, 2])), Codes.InputMissing);
    }

    [TestMethod]
    public void SaysHowLabelsOfOneFileAreCalledWhenTheirNumberDiffers()
    {
        using var scratch = new ScratchFolder();
        Floats(scratch["calib.npy"], [1, 2], 1, 2);
        Longs(scratch["labels.npy"], [1, 2], 2);
        StringAssert.Contains(Fails(scratch["calib.npy"], XOnly, Codes.SampleCountsDiffer).Message, "calib.labels.npy");
    }

    private static Diagnostic Fails(string path, DatasetContext context, string code)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(path, context).Dispose());
        Assert.AreEqual(code, e.Diagnostic.Code, e.Message);
        return e.Diagnostic;
    }

    private static void Floats(string path, float[] values, params long[] shape) => Write(path, "<f4", MemoryMarshal.AsBytes<float>(values), shape);

    private static void Longs(string path, long[] values, params long[] shape) => Write(path, "<i8", MemoryMarshal.AsBytes<long>(values), shape);

    private static void Write(string path, string descr, ReadOnlySpan<byte> data, long[] shape) =>
        File.WriteAllBytes(path, NpzBuilder.Npy($"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({string.Join(", ", shape)},), }}", data));
}
