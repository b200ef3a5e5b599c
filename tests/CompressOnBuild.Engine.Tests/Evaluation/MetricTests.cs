using CompressOnBuild.Numerics;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class MetricTests
{
    private static readonly Decoding Ctc = new(Decode.Ctc, ["", "a", "b", " "], Blank: 0);

    [TestMethod]
    public void Top1IsTheShareOfLargestScoresAtTheLabel() =>
        Assert.AreEqual(2 / 3.0, Value("top1", new(), (Class(2), Row(0, 1, 3)), (Class(0), Row(5, 1, 3)), (Class(1), Row(5, 1, 3))), 1e-12);

    [TestMethod]
    public void Top1TakesTheFirstOfEqualScores() =>
        Assert.AreEqual(0.5, Value("top1", new(), (Class(0), Row(1, 1)), (Class(1), Row(1, 1))));

    [TestMethod]
    public void Top1TakesASingleScoreAsPositiveAboveTheThreshold() =>
        Assert.AreEqual(0.75, Value("top1", new(Threshold: 0.3), (Class(1), Row(0.31f)), (Class(0), Row(0.3f)), (Class(1), Row(0.2f)), (Class(0), Row(0.1f))));

    [TestMethod]
    public void NoNumberIsNeverRight()
    {
        Assert.AreEqual(0, Value("top1", new(), (Class(0), Row(float.NaN, 1)), (Class(0), Row(2, float.NaN)), (Class(0), Row(float.NaN))));
        Assert.AreEqual(0, Value("top5", new(), (Class(0), Row(float.NaN, 1, 2))));
        Assert.AreEqual(0, Fidelity("agreement", (Row(float.NaN, 1), Row(float.NaN, 1))));
        Assert.AreEqual(-1, Fidelity("cosine", (Row(float.NaN, 1), Row(1, 1))));
        Assert.AreEqual(-200, Fidelity("sqnr", (Row(float.NaN, 1), Row(1, 1))));
    }

    [TestMethod]
    public void WhereTheOriginalIsNotFiniteTheOtherMustBeTheSame()
    {
        const float Inf = float.PositiveInfinity, NaN = float.NaN;
        Assert.AreEqual(1, Fidelity("cosine", (Row(Inf, 2, NaN, -Inf), Row(Inf, 2, NaN, -Inf))), "the original's own holes are no loss");
        Assert.AreEqual(0.6, Fidelity("cosine", (Row(Inf, 3, 4), Row(Inf, 1, 0))), 1e-12, "what is finite is compared");
        Assert.AreEqual(-1, Fidelity("cosine", (Row(-Inf, 2), Row(Inf, 2))));
        Assert.AreEqual(-1, Fidelity("cosine", (Row(1, 2), Row(NaN, 2))));
        Assert.AreEqual(-200, Fidelity("sqnr", (Row(1, 2), Row(NaN, 2))));
        Assert.AreEqual(200, Fidelity("sqnr", (Row(Inf, 2), Row(Inf, 2))));
    }

    [TestMethod]
    [DataRow("cosine"), DataRow("sqnr"), DataRow("agreement")]
    public void TheOriginalAgreesWithItselfHoweverItsNumbersLook(string metric)
    {
        var output = Row(float.NaN, float.PositiveInfinity, 2);
        Assert.AreEqual(metric == "sqnr" ? 200 : 1, Fidelity(metric, (output, output)));
    }

    [TestMethod]
    [DataRow("cosine"), DataRow("sqnr")]
    public void AnOriginalWithoutAFiniteNumberIsACodedError(string metric)
    {
        var output = Row(float.NaN, float.NegativeInfinity);
        Assert.AreEqual(Codes.MetricDoesNotFit, Assert.ThrowsExactly<CompressionException>(() => Fidelity(metric, (output, output))).Diagnostic.Code);
    }

    [TestMethod]
    [DataRow("top1"), DataRow("top5"), DataRow("auc"), DataRow("exact")]
    public void AnOriginalThatDecidesNothingIsACodedError(string metric)
    {
        var output = Row(float.NaN, 1);
        Label label = metric == "exact" ? new SequenceLabel([0]) : Class(0);
        var series = new MetricSeries(Metric.Resolve([metric], label.Kind, new(), output, null)[0]);
        var e = Assert.ThrowsExactly<CompressionException>(() => series.Add(new Outcome("a.png", label, output, output)));
        Assert.AreEqual(Codes.MetricDoesNotFit, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "'a.png'");
    }

    [TestMethod]
    public void EmptyOutputsAreEqualToEachOtherOnly()
    {
        Tensor empty = Tensor.Create(Array.Empty<float>(), 0, 4), other = Tensor.Create(Array.Empty<float>(), 0, 4), zeros = Tensor.Create(new float[8], 2, 4);
        foreach (var metric in new[] { "cosine", "agreement" })
        {
            Assert.AreEqual(1, Fidelity(metric, (empty, other)), metric);
            Assert.AreEqual(0, Fidelity(metric, (empty, zeros)), metric);
            Assert.AreEqual(0, Fidelity(metric, (zeros, empty)), metric);
        }
        Assert.AreEqual(200, Fidelity("sqnr", (empty, other)));
        Assert.AreEqual(0, Value("top1", new(), (Class(0), empty)));
        Assert.AreEqual(0, Value("top5", new(), (Class(0), empty)));
        Assert.AreEqual(0, Value("exact", new(Decode.ArgmaxSequence), (new SequenceLabel([0]), empty)));
    }

    [TestMethod]
    public void AgreementOfSeveralRowsIsTheShareOfEqualDecisions()
    {
        // The largest of all scores stays where it is; three of four rows decide otherwise.
        var original = Tensor.Create([9f, 0, 0, 1, 0, 1, 0, 1], 4, 2);
        Assert.AreEqual(0.25, Fidelity("agreement", (Tensor.Create([9f, 0, 1, 0, 1, 0, 1, 0], 4, 2), original)));
        Assert.AreEqual(0.5, Fidelity("agreement", (Tensor.Create([0.9f, 0.1f], 2, 1), Tensor.Create([0.8f, 0.7f], 2, 1))), "single scores against the threshold");
        Assert.AreEqual(0.75, Fidelity("agreement", (Tensor.Create([5L, 6, 7, 8], 1, 2, 2), Tensor.Create([5L, 6, 7, 9], 1, 2, 2))), "whole numbers are decisions");
        Assert.AreEqual(1, Fidelity("agreement", (Tensor.Create([1f, 2, 0], 1, 3, 1, 1), Tensor.Create([1f, 3, 0], 1, 3, 1, 1))), "a pooled picture has one row");
    }

    [TestMethod]
    [DataRow("top1"), DataRow("top5"), DataRow("auc")]
    public void OneLabelForSeveralRowsIsACodedError(string metric)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Value(metric, new(), (Class(1), Tensor.Create(new float[6], 1, 2, 3))));
        Assert.AreEqual(Codes.MetricDoesNotFit, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "2 rows");
    }

    [TestMethod]
    public void Top5CountsWhatComesBeforeTheLabel() =>
        Assert.AreEqual(0.5, Value("top5", new(), (Class(4), Row(9, 8, 7, 6, 5, 5)), (Class(5), Row(9, 8, 7, 6, 5, 5))));

    [TestMethod]
    public void AgreementIsTheShareOfEqualDecisions() =>
        Assert.AreEqual(0.5, Fidelity("agreement", (Row(1, 2), Row(0, 9)), (Row(1, 2), Row(9, 0))));

    [TestMethod]
    public void CosineIsTheMeanOverSamples() =>
        Assert.AreEqual((1 + 0.6 + 0 + 1) / 4, Fidelity("cosine", (Row(1, 2), Row(2, 4)), (Row(3, 4), Row(1, 0)), (Row(0, 0), Row(1, 0)), (Row(0, 0), Row(0, 0))), 1e-12);

    [TestMethod]
    public void CosineOfAModelWithItselfIsExactlyOne() =>
        Assert.AreEqual(1.0, Fidelity("cosine", (Row(0.1f, 0.7f, -3.3f), Row(0.1f, 0.7f, -3.3f))));

    [TestMethod]
    public void SqnrIsTakenOverAllSamplesTogether() =>
        Assert.AreEqual(10 * Math.Log10(125 / 5.0), Fidelity("sqnr", (Row(9, 0), Row(10, 0)), (Row(5, 2), Row(5, 0))), 1e-12);

    [TestMethod]
    public void SqnrOfEqualOutputsIsFinite() => Assert.AreEqual(200, Fidelity("sqnr", (Row(1, 2), Row(1, 2))));

    [TestMethod]
    public void CtcCollapsesRepeatsAndDropsBlanks()
    {
        // a a blank a b b -> "aab"
        var output = Steps(4, 1, 1, 0, 1, 2, 2);
        Assert.AreEqual(1, Value("exact", Ctc, (new TextLabel("aab"), output)));
        Assert.AreEqual(0, Value("exact", Ctc, (new TextLabel("ab"), output)));
    }

    [TestMethod]
    public void SpacesCountUnlessIgnored()
    {
        var output = Steps(4, 1, 3, 2); // "a b"
        Assert.AreEqual(0, Value("exact", Ctc, (new TextLabel("ab"), output)));
        Assert.AreEqual(1, Value("exact", Ctc with { IgnoreSpaces = true }, (new TextLabel("ab "), output)));
    }

    [TestMethod]
    public void SequencesAreCutBeforeTheEnd()
    {
        var decoding = new Decoding(Decode.ArgmaxSequence, End: 3);
        Assert.AreEqual(0.5, Value("exact", decoding, (new SequenceLabel([1, 2]), Steps(4, 1, 2, 3, 1)), (new SequenceLabel([1, 2]), Steps(4, 1, 2, 1, 3))));
    }

    [TestMethod]
    public void CerIsDistanceOverLengthOfAllSamples() =>
        // "ab" for "b": 1 of 1; "a" for "abb": 2 of 3.
        Assert.AreEqual(3 / 4.0, Value("cer", Ctc, (new TextLabel("b"), Steps(4, 1, 2)), (new TextLabel("abb"), Steps(4, 1))));

    [TestMethod]
    public void CerOfIdsIsThePhonemeErrorRate() =>
        Assert.AreEqual(0.5, Value("cer", new Decoding(Decode.ArgmaxSequence, End: 0), (new SequenceLabel([1, 2]), Steps(4, 1, 3, 0, 0))));

    [TestMethod]
    [DataRow("kitten", "sitting", 3)]
    [DataRow("", "abc", 3)]
    [DataRow("abc", "", 3)]
    [DataRow("flaw", "lawn", 2)]
    public void DistanceIsLevenshteins(string a, string b, int distance) =>
        Assert.AreEqual(distance, EditDistance.Of<long>([.. a.Select(c => (long)c)], [.. b.Select(c => (long)c)]));

    [TestMethod]
    public void AucRanksPositivesAmongAllTiesAtMeanRank()
    {
        // Pairs positive/negative: (0.8: 0.5, 0.2) 2 of 2; (0.5: 0.5 tied, 0.2) 1.5 of 2.
        Assert.AreEqual(3.5 / 4, Value("auc", new(), (Class(1), Row(0.8f)), (Class(0), Row(0.5f)), (Class(1), Row(0.5f)), (Class(0), Row(0.2f))), 1e-12);
    }

    [TestMethod]
    public void AucWithoutBothClassesIsACodedError()
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Value("auc", new(), (Class(1), Row(0.8f))));
        Assert.AreEqual(Codes.MetricDoesNotFit, e.Diagnostic.Code);
    }

    [TestMethod]
    public void ALabelBeyondTheScoresIsACodedError()
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Value("top1", new(), (Class(3), Row(1, 2, 3))));
        Assert.AreEqual(Codes.LabelOutOfRange, e.Diagnostic.Code);
    }

    [TestMethod]
    public void UnknownNamesAreACodedErrorThatListsTheValidOnes()
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Metric.Check(["top1", "accuracy"]));
        Assert.AreEqual(Codes.MetricUnknown, e.Diagnostic.Code);
        StringAssert.Contains(e.Message, "'accuracy'");
        foreach (var name in Metric.Names) StringAssert.Contains(e.Message, name);
    }

    [TestMethod]
    public void LabelMetricsWithoutLabelsAreACodedError()
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Metric.Resolve(["top1"], LabelKind.None, new(), Row(1, 2), null));
        Assert.AreEqual(Codes.MetricNeedsLabels, e.Diagnostic.Code);
    }

    [TestMethod]
    [DataRow("top1", nameof(LabelKind.Text))]
    [DataRow("exact", nameof(LabelKind.Class))]
    [DataRow("cer", nameof(LabelKind.Text))] // no alphabet
    public void MetricsThatCannotJudgeTheLabelsAreACodedError(string metric, string labels)
    {
        var e = Assert.ThrowsExactly<CompressionException>(() => Metric.Resolve([metric], Enum.Parse<LabelKind>(labels), new(), Row(1, 2), null));
        Assert.AreEqual(Codes.MetricDoesNotFit, e.Diagnostic.Code);
    }

    [TestMethod]
    public void DefaultsFollowTheLabelsElseTheOutput()
    {
        Assert.AreEqual("top1", Default(LabelKind.Class, Row(1, 2)));
        Assert.AreEqual("auc,top1", Default(LabelKind.Class, Row(1)));
        Assert.AreEqual("exact,cer", Default(LabelKind.Sequence, Row(1, 2)));
        Assert.AreEqual("agreement,kl,cosine", Default(LabelKind.None, Row(0.25f, 0.75f)));
        Assert.AreEqual("cosine,sqnr", Default(LabelKind.None, Row(0.25f, -0.75f)));
        Assert.AreEqual("cosine,sqnr", Default(LabelKind.None, Tensor.Create([0.25f, 0.75f], 1, 1, 2)));

        static string Default(LabelKind labels, Tensor output) => string.Join(",", Metric.Resolve([], labels, new(), output, null).Select(m => m.Name));
    }

    internal static double Value(string metric, Decoding decoding, params (Label Label, Tensor Output)[] samples)
    {
        var series = new MetricSeries(Metric.Resolve([metric], samples[0].Label.Kind, decoding, samples[0].Output, null)[0]);
        foreach (var (label, output) in samples) series.Add(new Outcome("s", label, output, Row(0))); // another model than the original
        return series.Value();
    }

    private static double Fidelity(string metric, params (Tensor Output, Tensor Original)[] samples)
    {
        var series = new MetricSeries(Metric.Resolve([metric], LabelKind.None, new(), samples[0].Output, null)[0]);
        foreach (var (output, original) in samples) series.Add(new Outcome("s", null, output, original));
        return series.Value();
    }

    internal static Label Class(long id) => new ClassLabel(id);

    internal static Tensor Row(params float[] scores) => Tensor.Create(scores, 1, scores.Length);

    /// <summary>An output [1, steps, classes] whose largest score at each step is at the given id.</summary>
    private static Tensor Steps(int classes, params int[] ids)
    {
        var scores = new float[ids.Length * classes];
        for (var i = 0; i < ids.Length; i++) scores[i * classes + ids[i]] = 1;
        return Tensor.Create(scores, 1, ids.Length, classes);
    }
}
