using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>Metrics against reference implementations (scikit-learn 1.2.1 and SciPy 1.10.1 unless it says otherwise), called on the same numbers.</summary>
[TestClass]
public sealed class MetricReferenceTests
{
    // f1_score(y, p, average="macro"); class 4 is only decided, never a label.
    [TestMethod]
    public void F1IsMacroAveraged()
    {
        int[] labels = [0, 1, 2, 2, 1, 0, 3, 3, 2, 1], decisions = [0, 2, 2, 2, 1, 1, 3, 0, 2, 4];
        Assert.AreEqual(0.4847619047619047, Value("f1", labels.Zip(decisions, (l, d) => ((Label)new ClassLabel(l), OneHot(5, d)))), 1e-12);
        // A score that is no number decides for no class: classes 0 and 1 have F1 2 / 3 and 0.
        Assert.AreEqual((2 / 3.0 + 0) / 2, Value("f1", [(new ClassLabel(0), OneHot(2, 0)), (new ClassLabel(0), MetricTests.Row(float.NaN, 0)), (new ClassLabel(1), MetricTests.Row(float.NaN, 0))]), 1e-12);
    }

    // roc_auc_score(l, s, sample_weight=w).
    [TestMethod]
    public void WeightsCountSamples()
    {
        var auc = Metric.Resolve(["auc"], LabelKind.Class, new(), MetricTests.Row(1), null)[0];
        var value = auc.Over([[0.1, 0], [0.4, 0], [0.35, 1], [0.8, 1], [0.8, 0]]);
        Assert.AreEqual(0.71875, value([1, 2, 0.5, 1.5, 1]), 1e-12);
    }

    [TestMethod]
    [DataRow("top1"), DataRow("f1")]
    public void AWeightOfTwoIsASampleTwice(string name)
    {
        var metric = Metric.Resolve([name], LabelKind.Class, new(), MetricTests.Row(1, 0), null)[0];
        double[][] once = [.. new[] { (0, 0), (1, 0), (1, 1) }.Select(p => metric.Contribute(new Outcome("s", new ClassLabel(p.Item1), OneHot(2, p.Item2), MetricTests.Row(0))))];
        Assert.AreEqual(metric.Over([once[0], once[1], once[1], once[2]])([1, 1, 1, 1]), metric.Over(once)([1, 2, 1]), 1e-15);
    }

    // r2_score, mean_absolute_error, mean_squared_error ** 0.5.
    [TestMethod]
    [DataRow("r2", 0.9368005266622779), DataRow("mae", 0.75), DataRow("rmse", 0.8416254115301732)]
    public void ErrorsOfValuesAreScikitLearns(string metric, double expected) =>
        Assert.AreEqual(expected, Value(metric, [(new ValueLabel([0.5, 1]), MetricTests.Row(0, 2)), (new ValueLabel([-1, 1]), MetricTests.Row(-1, 2)), (new ValueLabel([7, -6]), MetricTests.Row(8, -5))]), 1e-12);

    [TestMethod]
    public void APredictionThatIsNoNumberIsWorseThanAnyOther()
    {
        (Label, Tensor)[] samples = [(new ValueLabel([1]), MetricTests.Row(float.NaN)), (new ValueLabel([2]), MetricTests.Row(2))];
        Assert.IsGreaterThan(1e29, Value("mae", samples));
        Assert.IsGreaterThan(1e29, Value("rmse", samples));
        Assert.IsLessThan(-1e29, Value("r2", samples));
    }

    [TestMethod]
    public void EqualLabelsHaveNoCoefficientOfDetermination()
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Value("r2", [(new ValueLabel([1]), MetricTests.Row(1)), (new ValueLabel([1]), MetricTests.Row(2))]));
        Assert.AreEqual(Codes.MetricDoesNotFit, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "labels differ");
    }

    // rel_entr(softmax(b), softmax(a)).sum(1).mean(), b the original's logits.
    [TestMethod]
    public void KlIsTakenFromTheOriginalsProbabilities()
    {
        Tensor[] after = [MetricTests.Row(1, 2, 3), MetricTests.Row(0.5f, -1, 2)], before = [MetricTests.Row(1.5f, 1, 3), MetricTests.Row(0, 0, 0)];
        Assert.AreEqual(0.3632257129772535, Kl(before, after), 1e-7);
        Assert.AreEqual(0.3632257129772535, Kl([Tensor.Create([1.5f, 1, 3, 0, 0, 0], 1, 2, 3)], [Tensor.Create([1f, 2, 3, 0.5f, -1, 2], 1, 2, 3)]), 1e-7, "rows of one sample");
        // Distributions are taken as they are: 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75); 0 ln 0 is 0.
        Assert.AreEqual(0.5 * Math.Log(2) + 0.5 * Math.Log(2 / 3.0), Kl([MetricTests.Row(0.5f, 0.5f)], [MetricTests.Row(0.25f, 0.75f)]), 1e-7);
        Assert.AreEqual(Math.Log(2), Kl([MetricTests.Row(1, 0)], [MetricTests.Row(0.5f, 0.5f)]), 1e-7);
        Assert.AreEqual(0.5 * Math.Log(2) + 0.5 * Math.Log(2 / 3.0), Kl([MetricTests.Row(0.5f)], [MetricTests.Row(0.25f)]), 1e-7, "one score is the probability of class 1");
    }

    [TestMethod]
    public void KlIsFiniteWhateverAModelGives()
    {
        Assert.AreEqual(-Math.Log(1e-12), Kl([MetricTests.Row(1, 0)], [MetricTests.Row(0, 1)]), 1e-9);
        Assert.AreEqual(-Math.Log(1e-12), Kl([MetricTests.Row(3, 0)], [MetricTests.Row(float.NaN, 0)]), 1e-9);
        Assert.AreEqual(-Math.Log(1e-12), Kl([MetricTests.Row(3, 0)], [MetricTests.Row(3, 0, 0)]), 1e-9);
        Assert.AreEqual(0, Kl([MetricTests.Row(float.NegativeInfinity, 0)], [MetricTests.Row(float.NegativeInfinity, 5)]), 1e-9, "a class that a model masks out");
    }

    // exp(-mean(log_softmax(logits)[step, id])).
    [TestMethod]
    public void PerplexityIsTheExponentOfTheMeanSurprise()
    {
        var output = Tensor.Create([1f, 2, 3, 0, 1, 0.5f, 2, 0, -1], 1, 3, 3);
        Assert.AreEqual(1.5208061430640758, Value("perplexity", [(new SequenceLabel([2, 1, 0]), output)]), 1e-7);
        Assert.AreEqual(Value("perplexity", [(new SequenceLabel([2]), output)]), Value("perplexity", [(new SequenceLabel([2, -1]), output)]), 1e-12, "padding does not count");
        Assert.AreEqual(1 / Math.Sqrt(0.5 * 0.25), Value("perplexity", [(new SequenceLabel([0, 1]), Tensor.Create([0.5f, 0.5f, 0.75f, 0.25f], 1, 2, 2))]), 1e-7, "probabilities as they are");
        Assert.AreEqual(Codes.LabelOutOfRange, Assert.ThrowsExactly<CompressionException>(() => Value("perplexity", [(new SequenceLabel([3]), output)])).Diagnostic.Code);
        Assert.AreEqual(Codes.OutputDoesNotFitLabel, Assert.ThrowsExactly<CompressionException>(() => Value("perplexity", [(new SequenceLabel([0, 0, 0, 0]), output)])).Diagnostic.Code);
    }

    // By hand: "a b" for "a b" 0 of 2; "ab" for "a b" is one word replaced and one missing; "b a b" for "b b" one word too many.
    [TestMethod]
    public void WerCountsWords()
    {
        var ctc = new Decoding(Decode.Ctc, ["", "a", "b", " "], Blank: 0, IgnoreSpaces: true);
        (string Truth, int[] Ids)[] lines = [("a b", [1, 3, 2]), ("a  b", [1, 2]), ("b b", [2, 3, 1, 3, 2])];
        Assert.AreEqual(3 / 6.0, MetricTests.Value("wer", ctc, [.. lines.Select(l => ((Label)new TextLabel(l.Truth), Steps(4, l.Ids)))]), 1e-12);
    }

    // jaccard_score(y, p, average="macro"); class 3 is only decided.
    [TestMethod]
    public void MiouIsTheMeanOverClassesOfAllSamplesTogether()
    {
        int[] truth = [0, 0, 1, 1, 2, 2, 2, 0], found = [0, 1, 1, 1, 2, 0, 2, 3];
        (Label, Tensor)[] samples = [.. Enumerable.Range(0, 2).Select(s => ((Label)new MaskLabel(truth[(4 * s)..(4 * s + 4)], [2, 2]), Tensor.Create([.. Enumerable.Range(0, 4).SelectMany(c => found[(4 * s)..(4 * s + 4)].Select(f => f == c ? 1f : 0f))], 1, 4, 2, 2)))];
        Assert.AreEqual(0.3958333333333333, Value("miou", samples), 1e-12);
        samples = [.. samples.Select((s, i) => (s.Item1, Tensor.Create([.. found[(4 * i)..(4 * i + 4)].Select(f => (long)f)], 1, 2, 2)))];
        Assert.AreEqual(0.3958333333333333, Value("miou", samples), 1e-12, "whole numbers are decisions");
        samples = [.. samples.Select((s, i) => (s.Item1, Tensor.Create([.. found[(4 * i)..(4 * i + 4)].SelectMany(f => Enumerable.Range(0, 4).Select(c => f == c ? 1f : 0f))], 1, 2, 2, 4)))];
        Assert.AreEqual(0.3958333333333333, Value("miou", samples), 1e-12, "classes behind the picture");
    }

    [TestMethod]
    public void MasksMayBeOfASingleScoreAndIgnoreElements()
    {
        // Class 1: 1 of 2, class 0: 1 of 2; what is 255 or below 0 does not count.
        Assert.AreEqual(0.5, Value("miou", [(new MaskLabel([1, 0, 1, 255, -1], [1, 5]), Tensor.Create([0.9f, 0.1f, 0.2f, 0.9f, 0.9f], 1, 1, 1, 5))]), 1e-12);
        Assert.AreEqual(Codes.OutputDoesNotFitLabel, Assert.ThrowsExactly<CompressionException>(() => Value("miou", [(new MaskLabel([1, 0], [1, 2]), Tensor.Create(new float[9], 1, 1, 3, 3))])).Diagnostic.Code);
        Assert.AreEqual(Codes.LabelOutOfRange, Assert.ThrowsExactly<CompressionException>(() => Value("miou", [(new MaskLabel([1, 5], [1, 2]), Tensor.Create(new float[6], 1, 3, 1, 2))])).Diagnostic.Code);
    }

    [TestMethod]
    public void TheMetricFollowsTheKindOfLabels()
    {
        foreach (var (kind, expected) in new[] { (LabelKind.Value, "r2,mae"), (LabelKind.Mask, "miou") })
            Assert.AreEqual(expected, string.Join(",", Metric.Resolve([], kind, new(), MetricTests.Row(0.3f, 0.2f), null).Select(m => m.Name)));
        Assert.AreEqual(Codes.DetectionsUnknown, Assert.ThrowsExactly<CompressionException>(() => Metric.Resolve([], LabelKind.Boxes, new(), MetricTests.Row(0), null)).Diagnostic.Code);
        var e = Assert.ThrowsExactly<CompressionException>(() => Metric.Resolve(["wer"], LabelKind.Sequence, new(), MetricTests.Row(1, 0), null));
        StringAssert.Contains(e.Message, "Valid are exact, cer, perplexity, agreement, kl, cosine, sqnr");
        CollectionAssert.AreEqual(new[] { "agreement", "kl" }, Metric.Companions(LabelKind.Class, MetricTests.Row(1, 0)).ToArray());
    }

    private static double Value(string metric, IEnumerable<(Label, Tensor)> samples) => MetricTests.Value(metric, new(), [.. samples]);

    private static double Kl(Tensor[] before, Tensor[] after)
    {
        var series = new MetricSeries(Metric.Resolve(["kl"], LabelKind.None, new(), before[0], null)[0]);
        foreach (var (b, a) in before.Zip(after)) series.Add(new Outcome("s", null, a, b));
        return series.Value();
    }

    private static Tensor OneHot(int classes, int id) => MetricTests.Row([.. Enumerable.Range(0, classes).Select(c => c == id ? 1f : 0f)]);

    private static Tensor Steps(int classes, int[] ids) => Tensor.Create([.. ids.SelectMany(id => Enumerable.Range(0, classes).Select(c => c == id ? 1f : 0f))], 1, ids.Length, classes);

    [TestMethod]
    public void ALogitThatLooksLikeAProbabilityDoesNotMakeTheOthersProbabilities()
    {
        // The first sample's single score lies between 0 and 1 by chance.
        var metric = Metric.Resolve(["kl"], LabelKind.None, new(), Tensor.Create([0.4f], 1, 1), null)[0];
        var series = new MetricSeries(metric);
        foreach (var logit in new[] { 0.4f, -3, 5, 2 }) series.Add(new Outcome("s", null, Tensor.Create([logit + 0.01f], 1, 1), Tensor.Create([logit], 1, 1)));
        Assert.IsLessThan(1e-3, series.Value());
    }
}
