using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class InOrderTests
{
    [TestMethod]
    [DataRow(1), DataRow(3)]
    public void FewResultsWaitAtOnceAndTheirOrderStays(int threads)
    {
        int begun = 0, most = 0;
        var seen = new List<int>();
        InOrder.ForEach(200, threads, i =>
        {
            Interlocked.Increment(ref begun);
            Thread.SpinWait(i % 7 * 2000); // the first of a few takes the longest or the shortest time
            return i;
        }, (i, result) =>
        {
            most = Math.Max(most, Volatile.Read(ref begun) - seen.Count);
            Assert.AreEqual(i, result);
            seen.Add(i);
        }, null, default);
        CollectionAssert.AreEqual(Enumerable.Range(0, 200).ToArray(), seen);
        Assert.IsTrue(most >= 1 && most <= 2 * threads, $"{most} at once");
    }

    [TestMethod]
    public void TheReasonOfAFailureComesOutAndNothingRunsAnyMore()
    {
        int running = 0, added = 0;
        var e = Assert.ThrowsExactly<CompressionException>(() => InOrder.ForEach(1000, 4, i =>
        {
            Interlocked.Increment(ref running);
            try { return i == 20 ? throw new CompressionException(Codes.DataUnreadable, "sample 20") : i; }
            finally { Interlocked.Decrement(ref running); }
        }, (_, _) => added++, null, default));
        Assert.AreEqual("sample 20", e.Message);
        Assert.AreEqual(0, running);
        Assert.IsLessThanOrEqualTo(20, added, "what follows the failure is not added");
        Assert.ThrowsExactly<InvalidOperationException>(() => InOrder.ForEach(100, 4, i => i, (i, _) => { if (i == 5) throw new InvalidOperationException(); }, null, default));
    }

    [TestMethod]
    public void CancellationEndsIt()
    {
        using var cancel = new CancellationTokenSource();
        var added = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => InOrder.ForEach(1000, 2, i => i, (i, _) => { added++; if (i == 10) cancel.Cancel(); }, null, cancel.Token));
        Assert.IsLessThan(100, added);
    }
}
