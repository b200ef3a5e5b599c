using System.Text;
using System.Text.Json;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Engine.Tests.Reporting;

[TestClass]
public sealed class ReportJsonTests
{
    private static string Text(CompressionResult result) => Encoding.UTF8.GetString(ReportJson.Write(result));

    [TestMethod]
    public void MembersComeInTheContractsOrder()
    {
        using var json = JsonDocument.Parse(ReportJson.Write(SampleResult.Create()));
        Assert.AreEqual("schemaVersion model verdict original compressed limits weights skipped steps warnings provenance", Keys(json.RootElement));
        Assert.AreEqual("sha256 bytes shippedBytes parameters nonZeroParameters multiplyAdds", Keys(json.RootElement.GetProperty("original")));
        Assert.AreEqual("name operator shape technique encoding bits sparsity rank bytesBefore bytesAfter because", Keys(json.RootElement.GetProperty("weights")[1]));
        Assert.AreEqual("name operator shape bytes code because", Keys(json.RootElement.GetProperty("skipped")[0]));
        Assert.AreEqual(1, json.RootElement.GetProperty("schemaVersion").GetInt32());
        Assert.AreEqual("pass", json.RootElement.GetProperty("verdict").GetString());
        Assert.AreEqual(0.01, json.RootElement.GetProperty("limits").GetProperty("maxAccuracyDrop").GetDouble());
    }

    [TestMethod]
    public void MeasurementsComeInTheContractsOrderAndOnlyFinite()
    {
        using var json = JsonDocument.Parse(MeasurementsJson.Write(SampleResult.Create()));
        Assert.AreEqual("schemaVersion metrics avx2 latencyOriginalMs latencyCompressedMs speedup peakMemoryBytes seconds processor instructionSets onnxRuntime candidates changes", Keys(json.RootElement));
        var metrics = json.RootElement.GetProperty("metrics");
        Assert.AreEqual("name original compressed drop limit samples confidence passed", Keys(metrics[0]));
        Assert.AreEqual("name compressed samples passed", Keys(metrics[1]), "infinite and undefined numbers are left out");
        var avx2 = json.RootElement.GetProperty("avx2");
        Assert.AreEqual("basis products metrics countedSamples saturatingWeights", Keys(avx2));
        Assert.AreEqual("emulated", avx2.GetProperty("basis").GetString());
        Assert.AreEqual("name operator pairs canSaturate counted saturated notEmulated", Keys(avx2.GetProperty("saturatingWeights")[1]));
        Assert.AreEqual("name bytes chosen", Keys(json.RootElement.GetProperty("candidates")[1]));
        var changes = json.RootElement.GetProperty("changes");
        Assert.AreEqual("samples equal medianSignalToNoise signalToNoise decided changed rightToWrong wrongToRight pairs worst", Keys(changes));
        Assert.AreEqual("id signalToNoise label original compressed", Keys(changes.GetProperty("worst")[0]));
        Assert.AreEqual("id", Keys(changes.GetProperty("worst")[1]));
    }

    [TestMethod]
    public void IsLfUtf8WithoutMarkAndEndsWithALine()
    {
        var bytes = ReportJson.Write(SampleResult.Create(name: "Grüße"));
        Assert.AreEqual((byte)'{', bytes[0]);
        Assert.DoesNotContain((byte)'\r', bytes);
        Assert.AreEqual((byte)'\n', bytes[^1]);
        StringAssert.Contains(Encoding.UTF8.GetString(bytes), "Grüße");
    }

    [TestMethod]
    public void HoldsNoFolderOfTheMachine()
    {
        var text = Text(SampleResult.Create());
        Assert.DoesNotContain("/home/someone", text);
        Assert.DoesNotContain("/work space", text);
        StringAssert.Contains(text, "\"val/labels.csv has 3 rows");
    }

    [TestMethod]
    public void MeasurementsAndFoldersDoNotChangeIt()
    {
        var one = SampleResult.Create();
        var other = SampleResult.Create("/other/place") with { Measurements = one.Measurements with { Seconds = 99, Latency = null, Processor = "Other", PeakMemoryBytes = 1, Candidates = [] } };
        Assert.AreEqual(Text(one), Text(other));
    }

    [TestMethod]
    public void HostileNamesRoundTripAsData()
    {
        var name = SampleResult.Hostile + "\ud83d";
        var text = Text(SampleResult.Create(name: name));
        using var json = JsonDocument.Parse(text);
        Assert.AreEqual(name.Replace('\ud83d', '\ufffd'), json.RootElement.GetProperty("weights")[0].GetProperty("name").GetString());
        Assert.DoesNotContain("\u001b", text);
        Assert.DoesNotContain("\r", text);
    }

    private static string Keys(JsonElement element) => string.Join(" ", element.EnumerateObject().Select(p => p.Name));
}
