using System.Runtime.InteropServices;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class NpzTests
{
    private static readonly DatasetContext XOnly = Context(("x", ElementType.Float, [null, 2]));

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void GivesBatchesOfOneForArraysOfTheInputsRank(bool compressed)
    {
        using var scratch = new ScratchFolder();
        var path = new NpzBuilder().Floats("x", [1, 2, 3, 4, 5, 6], 3, 2).Longs("labels", [7, 8, 9], 3).Save(scratch["d.npz"], compressed);
        using var data = Dataset.Open(path, XOnly);
        Assert.AreEqual(3, data.Count);
        var sample = data.Read(1);
        CollectionAssert.AreEqual(new long[] { 1, 2 }, sample.Inputs["x"].Shape.ToArray());
        CollectionAssert.AreEqual(new float[] { 3, 4 }, sample.Inputs["x"].ToFloats());
        Assert.AreEqual(new ClassLabel(8), sample.Label);
        Assert.AreEqual(LabelKind.Class, data.LabelKind);
    }

    [TestMethod]
    public void GivesScalarsAndFullShapesForArraysOfOneRankMore()
    {
        using var scratch = new ScratchFolder();
        var path = new NpzBuilder().Floats("state", [1, 2, 3, 4], 2, 1, 2).Longs("sr", [16000, 8000], 2).Save(scratch["d.npz"]);
        using var data = Dataset.Open(path, Context(("state", ElementType.Float, [1, 2]), ("sr", ElementType.Int64, [])));
        var sample = data.Read(1);
        Assert.AreEqual(0, sample.Inputs["sr"].Rank);
        Assert.AreEqual(8000L, sample.Inputs["sr"].ToLongs()[0]);
        CollectionAssert.AreEqual(new long[] { 1, 2 }, sample.Inputs["state"].Shape.ToArray());
    }

    [TestMethod]
    public void TurnsColumnMajorArraysAround()
    {
        using var scratch = new ScratchFolder();
        // a[i][j][k] = 100 i + 10 j + k of shape (2, 3, 2), first index fastest.
        var values = new List<float>();
        for (var k = 0; k < 2; k++) for (var j = 0; j < 3; j++) for (var i = 0; i < 2; i++) values.Add(100 * i + 10 * j + k);
        var npy = NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 2), }", MemoryMarshal.AsBytes<float>(values.ToArray()));
        using var data = Dataset.Open(new NpzBuilder().Raw("x", npy).Save(scratch["d.npz"]), Context(("x", ElementType.Float, [1, 3, 2])));
        CollectionAssert.AreEqual(new float[] { 100, 101, 110, 111, 120, 121 }, data.Read(1).Inputs["x"].ToFloats());
    }

    [TestMethod]
    public void ReadsHeadersOfVersion3WithKeysInAnyOrder()
    {
        using var scratch = new ScratchFolder();
        var npy = NpzBuilder.Npy("{'shape': (1, 2), 'descr': '<f4', 'fortran_order': False}", MemoryMarshal.AsBytes<float>([5, 6]), version: 3);
        using var data = Dataset.Open(new NpzBuilder().Raw("x", npy).Save(scratch["d.npz"]), XOnly);
        CollectionAssert.AreEqual(new float[] { 5, 6 }, data.Read(0).Inputs["x"].ToFloats());
    }

    [TestMethod]
    public void CutsThePaddingOfLabelSequences()
    {
        using var scratch = new ScratchFolder();
        var path = new NpzBuilder().Floats("x", [1, 2, 3, 4], 2, 2).Longs("labels", [5, -1, -1, 6, 7, 8], 2, 3).Save(scratch["d.npz"]);
        using var data = Dataset.Open(path, XOnly);
        CollectionAssert.AreEqual(new long[] { 5 }, ((SequenceLabel)data.Label(0)!).Ids.ToArray());
        CollectionAssert.AreEqual(new long[] { 6, 7, 8 }, ((SequenceLabel)data.Label(1)!).Ids.ToArray());
    }

    [TestMethod]
    public void ReadsTextLabels()
    {
        using var scratch = new ScratchFolder();
        var path = new NpzBuilder().Floats("x", [1, 2, 3, 4], 2, 2).Array("labels", "<U2", new uint[] { 'a', 0, 'b', 0x1F600 }, 2).Save(scratch["d.npz"]);
        using var data = Dataset.Open(path, XOnly);
        Assert.AreEqual(new TextLabel("a"), data.Label(0));
        Assert.AreEqual(new TextLabel("b\U0001F600"), data.Label(1));
    }

    [TestMethod]
    public void RefusesPickledArrays() =>
        Fails(Codes.NpzPickled, b => b.Raw("x", NpzBuilder.Npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "cos\nsystem\n"u8)));

    [TestMethod]
    public void RefusesShapesLargerThanTheData() =>
        Fails(Codes.NpzDamaged, b => b.Raw("x", NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 2), }", new byte[16])));

    [TestMethod]
    public void RefusesShapesThatOverflow() =>
        Fails(Codes.NpzDamaged, b => b.Raw("x", NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", new byte[16])));

    [TestMethod]
    public void RefusesBigEndian() =>
        Fails(Codes.NpzTypeUnsupported, b => b.Raw("x", NpzBuilder.Npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2), }", new byte[8])));

    [TestMethod]
    public void RefusesHeadersThatClaimToBeHuge() =>
        Fails(Codes.NpzDamaged, b => b.Raw("x", [0x93, .. "NUMPY"u8, 2, 0, 0xFF, 0xFF, 0xFF, 0x7F]));

    [TestMethod]
    public void RefusesWhatIsNoZip()
    {
        using var scratch = new ScratchFolder();
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(scratch.Write("d.npz", "no archive"), XOnly));
        Assert.AreEqual(Codes.NpzDamaged, e.Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesAnEntryWhoseDirectoryLies()
    {
        using var scratch = new ScratchFolder();
        // 4128 bytes are stored; the array's header and the archive's directory both claim 8128.
        var lie = new NpzBuilder().Raw("x", NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 2), }", new byte[4000])).Save(scratch["d.npz"], compressed: true);
        var bytes = File.ReadAllBytes(lie);
        var found = 0;
        for (var i = 0; i + 4 <= bytes.Length; i++)
            if (BitConverter.ToInt32(bytes, i) == 4128) { BitConverter.GetBytes(8128).CopyTo(bytes, i); found++; }
        Assert.IsGreaterThan(0, found);
        File.WriteAllBytes(lie, bytes);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(lie, XOnly));
        Assert.AreEqual(Codes.NpzDamaged, e.Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesABombBeforeItUnpacks()
    {
        using var scratch = new ScratchFolder();
        // Header and directory agree on 3 GB; what is stored unpacks to 4000 bytes.
        var bomb = new NpzBuilder().Raw("x", NpzBuilder.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (375000000, 2), }", new byte[4000])).Save(scratch["d.npz"], compressed: true);
        var bytes = File.ReadAllBytes(bomb);
        for (var i = 0; i + 4 <= bytes.Length; i++)
            if (BitConverter.ToInt32(bytes, i) == 4128) BitConverter.GetBytes(3000000128u).CopyTo(bytes, i);
        File.WriteAllBytes(bomb, bytes);
        Assert.AreEqual(Codes.DataTooLarge, Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(bomb, XOnly)).Diagnostic.Code);
    }

    [TestMethod]
    public void RefusesAMissingInputAndNamesWhatIsThere()
    {
        var message = Fails(Codes.InputMissing, b => b.Floats("image", [1, 2], 1, 2));
        StringAssert.Contains(message, "'image'");
        StringAssert.Contains(message, "'x'");
    }

    [TestMethod]
    public void RefusesAnotherElementType() => Fails(Codes.InputMismatch, b => b.Array("x", "<f8", new double[2], 1, 2));

    [TestMethod]
    public void RefusesAnotherRank() => Fails(Codes.InputMismatch, b => b.Floats("x", new float[2], 2));

    [TestMethod]
    public void RefusesAnotherFixedDimension() => Fails(Codes.InputMismatch, b => b.Floats("x", new float[3], 1, 3));

    [TestMethod]
    public void RefusesArraysOfDifferentLength() => Fails(Codes.SampleCountsDiffer, b => b.Floats("x", new float[4], 2, 2).Longs("labels", [1], 1));

    [TestMethod]
    public void RefusesNoSamples() => Fails(Codes.DataEmpty, b => b.Floats("x", [], 0, 2));

    [TestMethod]
    public void SaysWhichArraysNobodyAskedFor()
    {
        using var scratch = new ScratchFolder();
        using var data = Dataset.Open(new NpzBuilder().Floats("x", [1, 2], 1, 2).Longs("label", [1], 1).Save(scratch["d.npz"]), XOnly);
        Assert.AreEqual(Codes.DataIgnored, data.Warnings.Single().Code);
        StringAssert.Contains(data.Warnings[0].Message, "'label'");
    }

    [TestMethod]
    public void HashesEachSampleByItsContent()
    {
        using var scratch = new ScratchFolder();
        var path = new NpzBuilder().Floats("x", [1, 2, 3, 4, 1, 2], 3, 2).Save(scratch["d.npz"]);
        using var data = Dataset.Open(path, XOnly);
        CollectionAssert.AreEqual(data.ContentHash(0), data.ContentHash(2));
        CollectionAssert.AreNotEqual(data.ContentHash(0), data.ContentHash(1));
    }

    private static string Fails(string code, Func<NpzBuilder, NpzBuilder> build)
    {
        using var scratch = new ScratchFolder();
        var path = build(new NpzBuilder()).Save(scratch["d.npz"]);
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(path, XOnly).Dispose());
        Assert.AreEqual(code, e.Diagnostic.Code, e.Message);
        Assert.AreEqual(path, e.Diagnostic.File);
        return e.Message;
    }

    internal static DatasetContext Context(params (string Name, ElementType Type, long?[] Shape)[] inputs) =>
        new([.. inputs.Select(i => new ModelValue(i.Name, i.Type, i.Shape))], []);
}
