using CompressOnBuild.Runtime;

namespace CompressOnBuild.Engine.Tests.Runtime;

[TestClass]
public class MachineTests
{
    [TestMethod]
    public void MemoryFiguresFitEachOther()
    {
        var now = ProcessMemory.WorkingSet();
        Assert.IsGreaterThan(10 << 20, now);
        Assert.AreEqual(Environment.WorkingSet, now, 64 << 20);
        Assert.IsGreaterThanOrEqualTo(now - (16 << 20), ProcessMemory.PeakWorkingSet());
    }

    [TestMethod]
    public void TheProcessorHasANameAndKnownInstructionSets()
    {
        Assert.IsFalse(string.IsNullOrWhiteSpace(Processor.Name));
        CollectionAssert.IsSubsetOf(Processor.InstructionSets.ToArray(), new[] { "avx2", "avx_vnni", "avx512f", "avx512_vnni", "neon", "dotprod" });
        Console.WriteLine($"{Processor.Name}: {string.Join(' ', Processor.InstructionSets)}");
    }
}
