using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>What an array of labels is, by its type and shape or by evaluation.json.</summary>
[TestClass]
public sealed class NpzLabelsTests
{
    [TestMethod]
    public void FloatsAreValues()
    {
        CollectionAssert.AreEqual(new[] { 0.5, 0.25 }, Values(Read(b => b.Floats("labels", [2, 1, 0.5f, 0.25f], 2, 2), null, 1)));
        CollectionAssert.AreEqual(new[] { -1.5 }, Values(Read(b => b.Array("labels", "<f8", [3.0, -1.5], 2), null, 1)));
        CollectionAssert.AreEqual(new[] { 7.0 }, Values(Read(b => b.Longs("labels", [3, 7], 2), "values", 1)), "whole numbers where evaluation.json says so");

        static double[] Values(Label label) => [.. ((ValueLabel)label).Values];
    }

    [TestMethod]
    public void WholeNumbersOfAPicturesShapeAreMasks()
    {
        var mask = (MaskLabel)Read(b => b.Array("labels", "|u1", new byte[] { 0, 1, 2, 0, 1, 255, 0, 0, 0, 3, 0, 1 }, 2, 2, 3), null, 1);
        CollectionAssert.AreEqual(new[] { 0, 0, 0, 3, 0, 1 }, mask.Ids);
        CollectionAssert.AreEqual(new long[] { 2, 3 }, mask.Shape.ToArray());
        var other = (MaskLabel)Read(b => b.Array("labels", "|i1", new sbyte[] { 0, -1, 2, 0 }, 2, 2), "masks", 0);
        CollectionAssert.AreEqual(new[] { 0, -1 }, other.Ids, "one axis, where evaluation.json says so");
        Assert.AreNotEqual(mask.Canonical, other.Canonical);
    }

    [TestMethod]
    public void BoxesEndWhereThePaddingBegins()
    {
        var label = (BoxesLabel)Read(b => b.Floats("labels", [1, 0, 0, 5, 6.5f, 2, 1, 1, 2, 2, 0, 0, 0, 9, 9, -1, -1, -1, -1, -1], 2, 2, 5), "boxes", 1);
        CollectionAssert.AreEqual(new[] { new Box(0, 0, 0, 9, 9) }, label.Boxes.ToArray());
        label = (BoxesLabel)Read(b => b.Longs("labels", [1, 0, 0, 5, 6, 1, 2, 1, 1, 2, 2, 0], 2, 1, 6), "boxes", 0);
        CollectionAssert.AreEqual(new[] { new Box(1, 0, 0, 5, 6, Ignored: true) }, label.Boxes.ToArray());
        Assert.IsEmpty(((BoxesLabel)Read(b => b.Floats("labels", [], 2, 0, 5), "boxes", 1)).Boxes);
    }

    [TestMethod]
    public void WhatCannotBeALabelIsACodedError()
    {
        StringAssert.Contains(Fails(b => b.Floats("labels", [1, float.NaN], 2)), "sample 1 is not finite");
        StringAssert.Contains(Fails(b => b.Longs("labels", [1, -1], 2)), "sample 1 is -1");
        StringAssert.Contains(Fails(b => b.Floats("labels", new float[10], 2, 1, 5)), "\"labelKind\": \"boxes\"", "floats of rank 3 are nothing by themselves");
        StringAssert.Contains(Fails(b => b.Longs("labels", [1, 2], 2), "boxes"), "cannot be boxes");
        StringAssert.Contains(Fails(b => b.Floats("labels", [1, 2], 2), "masks"), "cannot be masks");
        StringAssert.Contains(Fails(b => b.Floats("labels", [1, 0, 0, 5, 6, 0, 4, 4, 3, 9], 2, 1, 5), "boxes"), "box 0 of sample 1 is [0, 4, 4, 3, 9]");
        StringAssert.Contains(Fails(b => b.Floats("labels", [0.5f, 0, 0, 5, 6, 0, 4, 4, 5, 9], 2, 1, 5), "boxes"), "box 0 of sample 0");
    }

    [TestMethod]
    public void AnUnknownKindIsACodedError()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("evaluation.json", """{ "labelKind": "class" }""");
        var e = Assert.ThrowsExactly<CompressionException>(() => Dataset.Open(new NpzBuilder().Floats("x", [1, 2], 1, 2).Save(scratch["d.npz"]), XOnly));
        StringAssert.Contains(e.Message, "classes, sequences, texts, values, masks, boxes");
    }

    private static readonly DatasetContext XOnly = NpzTests.Context(("x", ElementType.Float, [null, 2]));

    private static string Fails(Func<NpzBuilder, NpzBuilder> labels, string? kind = null)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Read(labels, kind, 0));
        Assert.AreEqual(Codes.LabelsInvalid, e.Diagnostic.Code, e.Message);
        return e.Message;
    }

    private static Label Read(Func<NpzBuilder, NpzBuilder> labels, string? kind, int row)
    {
        using var scratch = new ScratchFolder();
        if (kind is not null) scratch.Write("evaluation.json", $$"""{ "labelKind": "{{kind}}" }""");
        using var data = Dataset.Open(labels(new NpzBuilder().Floats("x", [1, 2, 3, 4], 2, 2)).Save(scratch["d.npz"]), XOnly);
        Assert.AreEqual(data.Label(row)!.Kind, data.LabelKind);
        return data.Label(row)!;
    }
}
