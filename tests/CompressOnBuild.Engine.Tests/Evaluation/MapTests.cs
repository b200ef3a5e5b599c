using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>COCO's mean average precision.</summary>
[TestClass]
public sealed class MapTests
{
    private static readonly Detections Separate = new("boxes", "scores", "classes", null, ["x1", "y1", "x2", "y2"]);

    // The example of TorchMetrics' documentation of MeanAveragePrecision, which calls COCO's own code: 0.6.
    [TestMethod]
    public void OneBoxThatOverlapsToThreeQuartersHasSixOfTenThresholds() =>
        Assert.AreEqual(0.6, Value([(new Box(0, 214, 41, 562, 285), 0)], [(new Box(0, 258, 41, 606, 285), 0.536f, 0)]), 1e-12);

    // Nine labels (three crowds) and seven detections in four pictures, as x, y, width, height. The expected values are those of a transcription of
    // COCO's evaluation (match per picture and class, accumulate over pictures, 101 recalls) in NumPy, written from its definition.
    [TestMethod]
    [DataRow(true, 0.3653465346534653), DataRow(false, 0.28665841584158414)]
    public void CrowdsTakeDetectionsWithoutCountingThem(bool crowds, double expected)
    {
        int[][] labels = [[0, 1, 19, 6, 33, 22, 1], [0, 1, 1, 25, 27, 39, 0], [1, 0, 33, 34, 21, 18, 0], [1, 1, 19, 18, 30, 37, 1], [2, 1, 54, 48, 26, 16, 0], [2, 1, 5, 2, 24, 30, 0], [2, 0, 47, 37, 20, 30, 0], [3, 0, 45, 14, 18, 34, 1], [3, 1, 18, 29, 10, 11, 0]];
        double[][] found = [[1, 0, 31, 34, 21, 17, 0.22], [1, 1, 20, 20, 29, 36, 0.32], [1, 1, 17, 20, 30, 35, 0.38], [2, 1, 53, 47, 26, 16, 0.06], [2, 1, 5, 1, 23, 28, 0.53], [2, 2, 6, 2, 23, 30, 0.56], [3, 1, 18, 27, 10, 11, 0.42]];
        Assert.AreEqual(expected, Value(labels.Select(l => (new Box(l[1], l[2], l[3], l[2] + l[4], l[3] + l[5], crowds && l[6] == 1), l[0])),
            found.Select(d => (new Box((int)d[1], d[2], d[3], d[2] + d[4], d[3] + d[5]), (float)d[6], (int)d[0]))), 1e-12);
    }

    [TestMethod]
    public void PicturesWithoutObjectsCountWhatIsFoundThere()
    {
        // At recall 1 the precision is 1 of 2: the wrong one in the empty picture has the higher score.
        var box = new Box(0, 0, 0, 10, 10);
        Assert.AreEqual(0.5, Value([(box, 1)], [(box, 0.9f, 0), (box, 0.8f, 1)]), 1e-12);
        Assert.AreEqual(1, Value([(box, 1)], [(box, 0.7f, 0), (box, 0.8f, 1)]), 1e-12);
    }

    [TestMethod]
    [DataRow("x1 y1 x2 y2 score class", new[] { 10f, 20, 40, 60, 0.9f, 0 })]
    [DataRow("y1 x1 y2 x2 class score", new[] { 20f, 10, 60, 40, 0, 0.9f })]
    [DataRow("- cx cy w h score class", new[] { 7f, 25, 40, 30, 40, 0.9f, 0 })]
    [DataRow("x1 y1 w h class score", new[] { 10f, 20, 30, 40, 0, 0.9f })]
    public void TheLayoutNamesTheColumns(string layout, float[] row)
    {
        using var scratch = new ScratchFolder();
        var detections = EvaluationConfiguration.Load(scratch.Write("evaluation.json", $$"""{ "detections": { "boxes": "all", "layout": "{{layout}}" } }""")).Decoding.Detections!;
        var outcome = new Outcome("s", new BoxesLabel([new Box(0, 10, 20, 40, 60)]), MetricTests.Row(0), MetricTests.Row(0)) { Outputs = [Tensor.Create(row, 1, 1, row.Length)] };
        var found = new DetectedBoxes(detections, ["all"]).Of(outcome, "map").Single();
        Assert.AreEqual(new DetectedBox(new Box(0, 10, 20, 40, 60), 0.9f), found);
    }

    [TestMethod]
    public void TheLargestScoreIsTheClassAndTheCountEndsTheRows()
    {
        var detections = Separate with { Classes = null, Count = "count" };
        var outcome = new Outcome("s", null, MetricTests.Row(0), MetricTests.Row(0)) { Outputs = [Tensor.Create(new float[12], 1, 3, 4), Tensor.Create([0.1f, 0.7f, 0.6f, 0.2f, 1, 1], 1, 3, 2), Tensor.Create([2L], 1)] };
        CollectionAssert.AreEqual(new[] { (1, 0.7f), (0, 0.6f) }, new DetectedBoxes(detections, ["boxes", "scores", "count"]).Of(outcome, "map").Select(d => (d.Box.Class, (float)d.Score)).ToArray());
    }

    [TestMethod]
    [DataRow("""{ "scores": "s" }""", "'boxes'"), DataRow("""{ "boxes": "b" }""", "'scores'"), DataRow("""{ "boxes": "b", "scores": "s", "layout": "x1 y1 x2" }""", "'layout' is 'x1 y1 x2'")]
    [DataRow("""{ "boxes": "b", "scores": "s", "layout": "x1 y1 x2 y2 what" }""", "what"), DataRow("""{ "boxes": "b", "score": "s" }""", "'score' of 'detections' is unknown")]
    public void WhatCannotBeReadIsRefusedWithItsPlace(string json, string expected)
    {
        using var scratch = new ScratchFolder();
        var e = Assert.ThrowsExactly<CompressionException>(() => EvaluationConfiguration.Load(scratch.Write("evaluation.json", $$"""{ "detections": {{json}} }""")));
        Assert.AreEqual(Codes.EvaluationConfigurationInvalid, e.Diagnostic.Code);
        Assert.AreEqual(1, e.Diagnostic.Line);
        StringAssert.Contains(e.Message, expected);
    }

    [TestMethod]
    public void OutputsOfAnotherShapeAreACodedError()
    {
        var outcome = new Outcome("s", new BoxesLabel([]), MetricTests.Row(0), MetricTests.Row(0)) { Outputs = [Tensor.Create(new float[10], 1, 2, 5), MetricTests.Row(1, 2), MetricTests.Row(0, 0)] };
        Assert.AreEqual(Codes.OutputDoesNotFitLabel, Assert.ThrowsExactly<CompressionException>(() => new DetectedBoxes(Separate, ["boxes", "scores", "classes"]).Of(outcome, "map")).Diagnostic.Code);
        outcome = outcome with { Outputs = [Tensor.Create(new float[8], 1, 2, 4), MetricTests.Row(1, 2, 3), MetricTests.Row(0, 0)] };
        Assert.AreEqual(Codes.OutputDoesNotFitLabel, Assert.ThrowsExactly<CompressionException>(() => new DetectedBoxes(Separate, ["boxes", "scores", "classes"]).Of(outcome, "map")).Diagnostic.Code);
        var e = Assert.ThrowsExactly<CompressionException>(() => new DetectedBoxes(Separate, ["a", "scores"]).Of(outcome, "map"));
        StringAssert.Contains(e.Message, "'boxes'. The model's outputs are 'a', 'scores'");
    }

    private static double Value(IEnumerable<(Box Box, int Picture)> labels, IEnumerable<(Box Box, float Score, int Picture)> found)
    {
        string[] outputs = ["boxes", "scores", "classes"];
        var series = new MetricSeries(Metric.Resolve([], LabelKind.Boxes, new(Detections: Separate), MetricTests.Row(0), null, outputs)[0]);
        var (byLabel, byFound) = (labels.ToLookup(l => l.Picture), found.ToLookup(f => f.Picture));
        for (var picture = 0; picture < 4; picture++)
        {
            var here = byFound[picture].ToArray();
            Tensor boxes = Tensor.Create([.. here.SelectMany(h => new[] { (float)h.Box.X1, (float)h.Box.Y1, (float)h.Box.X2, (float)h.Box.Y2 })], here.Length, 4);
            series.Add(new Outcome($"{picture}", new BoxesLabel([.. byLabel[picture].Select(l => l.Box)]), boxes, MetricTests.Row(0))
            {
                Outputs = [boxes, Tensor.Create([.. here.Select(h => h.Score)], here.Length), Tensor.Create([.. here.Select(h => (long)h.Box.Class)], here.Length)],
            });
        }
        return series.Value();
    }
}
