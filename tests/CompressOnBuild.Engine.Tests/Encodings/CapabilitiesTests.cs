using CompressOnBuild.Encodings;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Encodings;

[TestClass]
public class CapabilitiesTests
{
    private static IEnumerable<string> Forms => EncodingTable.All.Select(e => e.Id);

    [TestMethod]
    public void EveryFormIsDecidedOnEveryTargetWithASource()
    {
        foreach (var target in Enum.GetValues<Target>())
            foreach (var form in Forms) Assert.IsTrue(CapabilityTable.Rows.Any(r => r.Form == form && r.Targets.Contains(target)), $"{form} on {target}");
        foreach (var row in CapabilityTable.Rows)
        {
            Assert.Contains(row.Form, Forms);
            Assert.IsGreaterThan(5, row.Source.Length, row.Form);
            Assert.IsGreaterThan(10, row.Says.Length, row.Form);
        }
    }

    // Measured: a matrix of 1024 x 1024 takes 130 us in floats, 2 ms in this form up to 1.24.3, and 60 us from 1.25.1 on.
    [TestMethod]
    [DataRow("1.20.1", false), DataRow("1.24.3", false), DataRow("1.25.0-rc1", false), DataRow("1.25.0", true), DataRow("1.31.1", true), DataRow("2.0.0", true)]
    public void AFormIsWrittenFromTheVersionOnThatRunsIt(string version, bool runs)
    {
        var refused = Capabilities.Of(Target.Cpu, version).Refuses("matmul-dq");
        Assert.AreEqual(runs, refused is null, refused);
        if (!runs) Assert.Contains("1.25.0", refused!, "says which version would be needed");
    }

    [TestMethod]
    public void ThePlanForAnOlderRuntimeSaysWhatANewerOneWouldGet()
    {
        var site = SiteFinder.Find(new ModelBuilder(13).Input("x", 1, 256).Output("y", 1, 256).Weight("w", 1, 1, 256, 256).Node("MatMul", ["x", "w"], ["y"]).Build()).Single();
        var now = FormTable.Resolve(site, WeightForm.Weights, 13, false, "asked");
        Assert.AreEqual("matmul-dq", now.Encoding);
        var old = FormTable.Resolve(site, WeightForm.Weights, 13, false, "asked", runtime: Capabilities.Of(Target.Cpu, "1.20.1"));
        Assert.AreEqual("cast-mul", old.Encoding);
        Assert.Contains("not matmul-dq: ONNX Runtime 1.20.1 lacks it, 1.25.0", old.Because);
    }

    [TestMethod]
    [DataRow(Target.Cuda, "cuda"), DataRow(Target.Qnn, "qnn"), DataRow(Target.CoreMl, "coreml"), DataRow(Target.Web, "web")]
    public void AProviderWithoutTheKernelIsNeverGivenTheForm(Target target, string name)
    {
        var model = new ModelBuilder(13).Input("x", 1, 256).Output("y", 1, 256).Weight("w", 1, 1, 256, 256).Node("MatMul", ["x", "w"], ["y"]).Build();
        var site = SiteFinder.Find(model).Single();
        foreach (var wanted in (WeightForm[])[WeightForm.Dynamic, WeightForm.Weights])
        {
            var decision = FormTable.Resolve(site, wanted, 13, false, "asked", runtime: Capabilities.Of(target));
            Assert.AreEqual("cast-mul", decision.Encoding, name);
            Assert.Contains(wanted == WeightForm.Dynamic ? "not dynamic-matmul" : "not matmul-dq", decision.Because);
        }
    }

    [TestMethod]
    public void AnNpuThatQuantizesNothingAtRunTimeGetsCalibratedRanges()
    {
        var site = SiteFinder.Find(new ModelBuilder(13).Input("x", 1, 256).Output("y", 1, 256).Weight("w", 1, 1, 256, 256).Node("MatMul", ["x", "w"], ["y"]).Build()).Single();
        var decision = FormTable.Resolve(site, WeightForm.Dynamic, 13, observed: true, "asked", runtime: Capabilities.Of(Target.Qnn));
        Assert.AreEqual((WeightForm.Static, "qdq"), (decision.Form, decision.Encoding));
        Assert.Contains("not dynamic-matmul: the QNN provider", decision.Because);
        Assert.AreEqual("dynamic-matmul", FormTable.Resolve(site, WeightForm.Dynamic, 13, observed: true, "asked").Encoding, "a processor does");
    }

    [TestMethod]
    public void AnUpdateThatChangesNothingKeepsPlans()
    {
        string Summary(string version) => Capabilities.Of(Target.Cpu, version).Summary;
        Assert.AreEqual(Summary("1.31.0"), Summary("1.31.1"));
        Assert.AreNotEqual(Summary("1.24.3"), Summary("1.25.0"));
        Assert.Contains("operator set 25, IR 13, not matmul-dq", Summary("1.24.3"));
    }

    [TestMethod]
    [DataRow("1.12.1", 17, 8), DataRow("1.16.3", 19, 9), DataRow("1.20.1", 21, 10), DataRow("1.23.2", 23, 11), DataRow("1.24.3", 25, 13), DataRow("1.29.0", 26, 13)]
    public void OperatorSetsAreThoseThatTheReleaseLoads(string version, int opset, int ir)
    {
        var runtime = Capabilities.Of(Target.Cpu, version);
        Assert.AreEqual((opset, ir), (runtime.Opset, runtime.IrVersion));
        Assert.IsTrue(NuGet.Versioning.NuGetVersion.Parse(Capabilities.OldestFor(opset, ir)!) <= NuGet.Versioning.NuGetVersion.Parse(version));
    }
}
