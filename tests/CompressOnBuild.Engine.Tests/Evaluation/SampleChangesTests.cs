using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class SampleChangesTests
{
    private static Tensor Scores(params float[] scores) => Tensor.Create(scores, 1, scores.Length);

    private static OutputChanges Collect(IEnumerable<(float[] Original, float[] Compressed, Label? Label)> samples, Decoding? decoding = null, IReadOnlyList<string>? names = null, bool decides = true)
    {
        var changes = new SampleChanges(decoding ?? new Decoding(), decides);
        var i = 0;
        foreach (var (original, compressed, label) in samples)
        {
            var outcome = new Outcome($"s{i}", label, Scores(compressed), Scores(original));
            changes.Add(i++, outcome.SampleId, changes.Compare(outcome));
        }
        return changes.Result(names, index => new byte[] { (byte)index });
    }

    [TestMethod]
    public void AnswersThatWereLostAndWonAreCountedByPairOfClasses()
    {
        var found = Collect(
        [
            ([2, 1, 0], [1, 2, 0], new ClassLabel(0)), // lost
            ([2, 1, 0], [1, 2, 0], new ClassLabel(1)), // won
            ([2, 1, 0], [1, 2, 0], new ClassLabel(2)), // wrong before and after
            ([0, 1, 2], [2, 1, 0], new ClassLabel(2)), // lost
            ([2, 1, 0], [3, 1, 0], new ClassLabel(0)), // the same
        ], names: ["cat", "dog"]);
        Assert.AreEqual("5 4 2 1", $"{found.Decided} {found.Changed} {found.RightToWrong} {found.WrongToRight}");
        CollectionAssert.AreEqual((DecisionChange[])[new("cat", "dog", 3, 1, 1), new("2", "cat", 1, 1, 0)], found.Pairs.ToArray());
    }

    [TestMethod]
    public void TheWorstAreLostAnswersThenChangedOnesThenTheLoudestDifferences()
    {
        var found = Collect(
        [
            ([10, 0], [9, 0], new ClassLabel(0)),
            ([10, 0], [10, 0], new ClassLabel(0)), // equal: not listed
            ([10, 0], [6, 0], new ClassLabel(0)),
            ([2, 1], [1, 2], new ClassLabel(1)), // won
            ([2, 1], [1, 2], new ClassLabel(5)), // wrong before and after
            ([2, 1], [1, 2], new ClassLabel(0)), // lost
            ([2, 1], [0, 9], new ClassLabel(0)), // lost, and further away
        ]);
        Assert.AreEqual("s6 s5 s4 s3 s2 s0", string.Join(' ', found.Worst.Select(w => w.Id)));
        Assert.AreEqual("0 0 1", $"{found.Worst[0].Label} {found.Worst[0].Original} {found.Worst[0].Compressed}");
        Assert.AreEqual(6, found.Worst[0].Picture!.Value.Span[0], "the picture is that of the sample");
        Assert.AreEqual(20, found.Worst[^1].SignalToNoise!.Value, 1e-9);
        var many = Collect(Enumerable.Range(1, 500).Select(i => (new float[] { 100, 0 }, new float[] { 100 - i / 50f, 0 }, (Label?)null)));
        CollectionAssert.AreEqual(Enumerable.Range(0, OutputChanges.MostWorst).Select(i => $"s{499 - i}").ToArray(), many.Worst.Select(w => w.Id).ToArray());
    }

    [TestMethod]
    public void TheHistogramHoldsEverySampleThatDiffersOnce()
    {
        var found = Collect(
        [
            ([10, 0], [9, 0], null), // 20 dB
            ([10, 0], [float.NaN, 0], null), // a number became none
            ([float.PositiveInfinity, 1], [float.PositiveInfinity, 1], null), // equal
            ([1000, 0], [999.9999f, 0], null), // 140 dB
            ([0, 0], [0, 1], null), // silence became something
        ]);
        Assert.AreEqual(1, found.Equal);
        Assert.AreEqual(-20, found.Histogram[0].Low);
        Assert.AreEqual(100, found.Histogram[^1].High);
        Assert.AreEqual("2 at -20, 1 at 20, 1 at 95", string.Join(", ", found.Histogram.Where(b => b.Samples > 0).Select(b => $"{b.Samples} at {b.Low}")));
        Assert.IsTrue(found.Histogram.Zip(found.Histogram.Skip(1)).All(p => p.First.High == p.Second.Low));
        var narrow = Collect([([10, 0], [9, 0], null), ([10, 0], [9.1f, 0], null)]).Histogram;
        Assert.AreEqual("20..21: 2", string.Join(", ", narrow.Select(b => $"{b.Low}..{b.High}: {b.Samples}")), "bins are as fine as the spread allows");
        Assert.AreEqual(20, found.MedianSignalToNoise!.Value, 1e-9);
        Assert.IsTrue(found.Worst.Take(2).All(w => double.IsNegativeInfinity(w.SignalToNoise!.Value)));
    }

    [TestMethod]
    public void TextsAreShownAsTheirAlphabetSpellsThem()
    {
        var decoding = new Decoding(Decode.Ctc, ["", "a", "ß", "🙂"], IgnoreSpaces: false);
        float[] Steps(params int[] ids) => [.. ids.SelectMany(id => Enumerable.Range(0, 4).Select(c => c == id ? 1f : 0f))];
        var changes = new SampleChanges(decoding, decides: true);
        var outcome = new Outcome("line", new TextLabel("aß"), Tensor.Create(Steps(1, 0, 3), 1, 3, 4), Tensor.Create(Steps(1, 2, 2), 1, 3, 4));
        changes.Add(0, outcome.SampleId, changes.Compare(outcome));
        var worst = changes.Result(null, _ => null).Worst.Single();
        Assert.AreEqual("aß aß a🙂", $"{worst.Label} {worst.Original} {worst.Compressed}");
        Assert.IsEmpty(changes.Result(null, _ => null).Pairs);
    }

    [TestMethod]
    public void OutputsOfARegressionAreNoDecisions()
    {
        var found = Collect([([2, 1], [1, 2], null)], decides: false);
        Assert.AreEqual("0 0", $"{found.Decided} {found.Changed}");
        Assert.IsNull(found.Worst.Single().Original);
    }
}
