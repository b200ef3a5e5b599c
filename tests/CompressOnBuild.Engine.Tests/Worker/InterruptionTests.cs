using System.Diagnostics;
using CompressOnBuild.Worker;

namespace CompressOnBuild.Engine.Tests.Worker;

[TestClass]
public sealed class InterruptionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [TestMethod]
    public void TheRunStopsWhenTheParentEnds()
    {
        using var parent = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, "--help") { RedirectStandardOutput = true, RedirectStandardError = true })!;
        using var interruption = new Interruption();
        interruption.Watch(parent.Id);
        parent.StandardOutput.ReadToEnd();
        Assert.IsTrue(interruption.Token.WaitHandle.WaitOne(Patience));
    }

    [TestMethod]
    public void TheRunGoesOnWhileTheParentLives()
    {
        using var interruption = new Interruption();
        interruption.Watch(Environment.ProcessId);
        Assert.IsFalse(interruption.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(300)));
    }
}
