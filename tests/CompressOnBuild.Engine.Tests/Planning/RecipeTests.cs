using System.Text;
using System.Text.Json;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Engine.Tests.Planning;

[TestClass]
public sealed class RecipeTests
{
    private static Recipe Read(string json) => RecipeReader.Read(Encoding.UTF8.GetBytes(json), "test", "r.json");

    private static Diagnostic Refused(string json) => Assert.ThrowsExactly<CompressionException>(() => Read(json)).Diagnostic;

    [TestMethod]
    public void EveryPresetLoads()
    {
        CollectionAssert.AreEqual(new[] { "auto", "fp16", "int4-weights", "int8", "int8-dynamic", "int8-weights", "low-rank", "none", "palette", "prune", "prune-structured", "smallest" }, Recipe.Presets.ToArray());
        foreach (var name in Recipe.Presets)
        {
            var recipe = Recipe.Load(name);
            Assert.AreEqual(name, recipe.Name);
            Assert.AreNotEqual("", recipe.Description);
            Assert.AreEqual(name is "auto" or "prune" or "smallest", recipe.Search);
        }
        Assert.AreEqual((WeightForm.Static, 8), Recipe.Load("int8").For("Conv", "w"));
        Assert.AreEqual((WeightForm.Dynamic, 8), Recipe.Load("int8-dynamic").For("LSTM", "w"));
        Assert.AreEqual((WeightForm.Weights, 8), Recipe.Load("int8-weights").For("Gather", "w"));
        Assert.AreEqual((WeightForm.Weights, 4), Recipe.Load("int4-weights").For("Conv", "w"));
        Assert.AreEqual("3 4 5 6 7 8", string.Join(" ", Recipe.Load("smallest").Widths));
        Assert.AreEqual("2 3 4 5 6 7 8", string.Join(" ", Recipe.Load("smallest").Palettes));
        Assert.AreEqual((WeightForm.Palette, 4), Recipe.Load("palette").For("MatMul", "w"));
        Assert.AreEqual((WeightForm.Fp16, 16), Recipe.Load("fp16").For("MatMul", "w"));
        Assert.AreEqual((WeightForm.None, 0), Recipe.Load("none").For("Conv", "w"));
        Assert.HasCount(Recipe.Presets.Count, Recipe.Presets.Select(p => Recipe.Load(p).Sha256).Distinct());
    }

    [TestMethod]
    public void LaterRulesOverrideEarlierOnes()
    {
        var recipe = Read("""
            { "version": 1, "rules": [ { "form": "static" }, { "match": { "operator": "Conv" }, "form": "weights" },
              { "match": { "operator": ["Conv", "Gemm"], "name": "^head\\." }, "form": "none" } ] }
            """);
        Assert.AreEqual(WeightForm.Static, recipe.For("MatMul", "head.w").Form);
        Assert.AreEqual(WeightForm.Weights, recipe.For("Conv", "body.head.w").Form);
        Assert.AreEqual(WeightForm.None, recipe.For("Conv", "head.w").Form);
    }

    [TestMethod]
    public void WithoutARuleAWeightIsLeftAlone() => Assert.AreEqual((WeightForm.None, 0), Read("""{ "version": 1 }""").For("Conv", "w"));

    [TestMethod]
    [DataRow("""{ "version": 1, "rules": [ { "form": "static", "bits": 5 } ] }""", "COB2003", 1, 56, "'bits' is 5. Valid values are 8 (fewer for the form 'weights').")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "weights", "bits": 1 } ] }""", "COB2003", 1, 57, "'bits' is 1. Valid values are 2, 3, 4, 5, 6, 7, 8.")]
    [DataRow("""{ "version": 1, "timeBudget": 60 }""", "COB2003", 1, 31, "'search' is false")]
    [DataRow("""{ "version": 1, "search": true, "timeBudget": 0 }""", "COB2003", 1, 47, "'timeBudget' is 0")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "palette", "bits": 9 } ] }""", "COB2003", 1, 57, "'bits' is 9. Valid values are 1, 2, 3, 4, 5, 6, 7, 8.")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "weights", "sparsity": 0.96 } ] }""", "COB2003", 1, 61, "'sparsity' is 0.96. Valid values are 0 to 0.95.")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "static", "sparsity": 0.5 } ] }""", "COB2003", 1, 60, "weights, palette and fp16 only")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "weights", "pattern": "4:2" } ] }""", "COB2003", 1, 60, "'pattern' is '4:2'")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "weights", "pattern": "2:4", "sparsity": 0.5 } ] }""", "COB2003", 1, 60, "Remove one of them")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "weights", "pruning": "wanda" } ] }""", "COB2003", 1, 60, "Give 'sparsity' or 'pattern' too")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "weights", "pruning": "wonda", "sparsity": 0.5 } ] }""", "COB2003", 1, 60, "Did you mean 'wanda'?")]
    [DataRow("""{ "version": 1, "sparsities": [0.5] }""", "COB2003", 1, 31, "'search' is false")]
    [DataRow("""{ "version": 1, "search": true, "widths": [4], "sparsities": [0.5] }""", "COB2003", 1, 62, "two searches")]
    [DataRow("""{ "version": 1, "search": true, "palettes": [4] }""", "COB2003", 1, 45, "there are no 'widths'")]
    [DataRow("""{ "version": 1, "search": true, "widths": [4], "palettes": [0] }""", "COB2003", 1, 61, "'palettes' has 0")]
    [DataRow("""{ "version": 1, "widths": [4] }""", "COB2003", 1, 27, "'search' is false")]
    [DataRow("""{ "version": 1, "search": true, "widths": [4, 9] }""", "COB2003", 1, 47, "'widths' has 9")]
    [DataRow("""{ "version": 1, "search": true, "widths": [] }""", "COB2003", 1, 43, "empty list")]
    [DataRow("{\n  \"version\": 1,\n  \"calibraton\": {}\n}", "COB2002", 3, 3, "Did you mean 'calibration'?")]
    [DataRow("{\n \"grüße\": 1 }", "COB2002", 2, 2, "'grüße' is not a key")]
    [DataRow("{ \"description\": \"ü😀\", \"search\": \"yes\", \"version\": 1 }", "COB2004", 1, 35, "'search' is text. Valid is true or false.")]
    [DataRow("""{ "version": 1, "steps": [ { "step": "low-rank", "amount": 1 } ] }""", "COB2003", 1, 60, "above 0 and below 1")]
    [DataRow("""{ "version": 1, "steps": [ { "amount": 0.5 } ] }""", "COB2008", 1, 28, "'step' is missing")]
    [DataRow("""{ "version": 1, "steps": [ { "step": "low-rang" } ] }""", "COB2003", 1, 38, "Did you mean 'low-rank'?")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "statik" } ] }""", "COB2003", 1, 38, "Did you mean 'static'?")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "auto" } ] }""", "COB2003", 1, 38, "'search' is false")]
    [DataRow("""{ "version": 1, "rules": [ { "bits": 8 } ] }""", "COB2008", 1, 28, "'form' is missing")]
    [DataRow("""{ "version": 1, "rules": [ { "form": "fp16", "bits": 8 } ] }""", "COB2003", 1, 54, "Remove it")]
    [DataRow("""{ "version": 1, "rules": [ { "match": { "operator": "conv" }, "form": "none" } ] }""", "COB2003", 1, 53, "Did you mean 'Conv'?")]
    [DataRow("""{ "version": 1, "rules": [ { "match": { "name": "(" }, "form": "none" } ] }""", "COB2003", 1, 49, "not a valid regular expression")]
    [DataRow("""{ "version": 1, "rules": [ { "match": { "name": "(?=x)" }, "form": "none" } ] }""", "COB2003", 1, 49, "not a valid regular expression")]
    [DataRow("""{ "version": 1, "rules": [ { "match": { "name": "((a{900}){900}){900}" }, "form": "none" } ] }""", "COB2003", 1, 49, "not a valid regular expression")]
    [DataRow("""{ "version": 1, "rules": {} }""", "COB2004", 1, 26, "'rules' is an object. Valid is a list.")]
    [DataRow("""{ "version": 1, "calibration": { "percentile": 1e999 } }""", "COB2003", 1, 48, "50 to 100")]
    [DataRow("""{ "version": 1, "calibration": { "samples": 0 } }""", "COB2003", 1, 45, "1 to 100000")]
    [DataRow("""{ "version": 1, "calibration": { "samples": 1.5 } }""", "COB2003", 1, 45, "whole numbers")]
    [DataRow("""{ "version": 2 }""", "COB2003", 1, 14, "Valid values are 1.")]
    [DataRow("""{ "search": true }""", "COB2008", 1, 1, "'version' is missing")]
    [DataRow("{ \"version\": 1,\n\"search\": true,\n \"search\": true }", "COB2007", 3, 2, "first in line 2")]
    [DataRow("""[1]""", "COB2004", 1, 1, "the recipe is a list")]
    [DataRow("{\n \"version\": 1,,\n}", "COB2005", 2, 15, "not valid JSON")]
    [DataRow("", "COB2005", 1, 1, "not valid JSON")]
    [DataRow("{ \"version\": 1 } x", "COB2005", 1, 18, "not valid JSON")]
    public void EveryMistakeHasItsCodeAndPlace(string json, string code, int line, int column, string says)
    {
        var error = Refused(json);
        Assert.AreEqual(code, error.Code, error.Message);
        StringAssert.Contains(error.Message, says);
        Assert.AreEqual(("r.json", line, column), (error.File, error.Line, error.Column));
    }

    [TestMethod]
    public void DeepNestingAndHugeFilesAreRefused()
    {
        Assert.AreEqual(Codes.RecipeNotJson, Refused(new string('[', 100_000)).Code);
        Assert.AreEqual(Codes.RecipeUnreadable, Refused(new string(' ', 2 << 20)).Code);
        Assert.AreEqual(Codes.RecipeNotJson, Assert.ThrowsExactly<CompressionException>(() => RecipeReader.Read([0x22, 0xff, 0x22], "t", "r.json")).Diagnostic.Code);
    }

    [TestMethod]
    public void ManyKeysTakeLinearTime()
    {
        var json = "{" + string.Join(",", Enumerable.Range(0, 90_000).Select(i => $"\"k{i}\":1")) + "}";
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.AreEqual(Codes.RecipeUnknownKey, Refused(json).Code);
        Assert.IsLessThan(TimeSpan.FromSeconds(5), clock.Elapsed);
    }

    [TestMethod]
    public void BacktrackingPatternsDoNotHang()
    {
        var recipe = Read("""{ "version": 1, "rules": [ { "match": { "name": "^(a+)+$" }, "form": "none" } ] }""");
        Assert.AreEqual(WeightForm.None, recipe.For("Conv", new string('a', 100_000) + "!").Form);
    }

    [TestMethod]
    public void UnknownPresetListsThePresets()
    {
        var error = Assert.ThrowsExactly<CompressionException>(() => Recipe.Load("int9")).Diagnostic;
        Assert.AreEqual(Codes.RecipeNotFound, error.Code);
        StringAssert.Contains(error.Message, "auto, fp16, int4-weights, int8, int8-dynamic, int8-weights, low-rank, none, palette, prune, prune-structured, smallest");
    }

    [TestMethod]
    public void LayoutAndDescriptionDoNotChangeTheHashButRulesDo()
    {
        var a = Read("""{ "version": 1, "rules": [ { "form": "static" } ] }""");
        var b = Read("\ufeff{\n\"$schema\": \"x\", \"rules\": [ { \"bits\": 8, \"form\": \"static\" } ], \"description\": \"other\", \"version\": 1 }");
        Assert.AreEqual(a.Sha256, b.Sha256);
        Assert.AreNotEqual(a.Sha256, Read("""{ "version": 1, "rules": [ { "form": "weights" } ] }""").Sha256);
        Assert.HasCount(3, new[] { "", ", \"palettes\": [3]", ", \"palettes\": [4]" }.Select(p => Read("{ \"version\": 1, \"search\": true, \"widths\": [4]" + p + " }").Sha256).Distinct());
        Assert.AreNotEqual(a.Sha256, Read("""{ "version": 1, "rules": [ { "match": { "name": "" }, "form": "static" } ] }""").Sha256);
        Assert.AreNotEqual(a.Sha256, Read("""{ "version": 1, "biasCorrection": false, "rules": [ { "form": "static" } ] }""").Sha256);
        Assert.AreNotEqual(a.Sha256, Read("""{ "version": 1, "statisticsMatching": true, "rules": [ { "form": "static" } ] }""").Sha256);
        Assert.HasCount(3, new[] { "", "\"equalization\": true, ", "\"smoothing\": true, " }.Select(k => Read("{ \"version\": 1, " + k + "\"rules\": [ { \"form\": \"static\" } ] }").Sha256).Distinct());
        Assert.AreNotEqual(a.Sha256, Read("""{ "version": 1, "roundingDescent": true, "rules": [ { "form": "static" } ] }""").Sha256);
    }

    [TestMethod]
    public void ZerosOfARuleAreReadAndHashed()
    {
        Recipe Rule(string zeros) => Read("{ \"version\": 1, \"rules\": [ { \"form\": \"weights\"" + zeros + " } ] }");
        Assert.IsNull(Rule("").PruningFor("Conv", "w"));
        Assert.AreEqual(new PruningTarget(PruningMethod.SparseGpt, 0.5), Rule(", \"sparsity\": 0.5").PruningFor("Conv", "w"));
        Assert.AreEqual(new PruningTarget(PruningMethod.Wanda, 0.5, 2, 4), Rule(", \"pattern\": \"2:4\", \"pruning\": \"wanda\"").PruningFor("Conv", "w"));
        Assert.AreEqual(Rule("").Sha256, Rule(", \"sparsity\": 0").Sha256, "no zeros are no zeros");
        Assert.HasCount(4, new[] { "", ", \"sparsity\": 0.5", ", \"pattern\": \"2:4\"", ", \"sparsity\": 0.5, \"pruning\": \"wanda\"" }.Select(z => Rule(z).Sha256).Distinct());
    }

    // The schema and the parser are two descriptions of one format: they must agree on keys and on every list of words.
    [TestMethod]
    public void SchemaAndParserAgree()
    {
        using var schema = JsonDocument.Parse(Recipe.Schema);
        var root = schema.RootElement.GetProperty("properties");
        var rule = root.GetProperty("rules").GetProperty("items").GetProperty("properties");
        var calibration = root.GetProperty("calibration").GetProperty("properties");
        CollectionAssert.AreEqual(Recipe.Operators.ToArray(), Words(schema.RootElement.GetProperty("$defs").GetProperty("operator")));
        StringAssert.Contains(Refused("""{ "version": 1, "rules": [ { "form": "?" } ] }""").Message, $"are {string.Join(", ", Words(rule.GetProperty("form")))}.");
        StringAssert.Contains(Refused("""{ "version": 1, "calibration": { "method": "?" } }""").Message, $"are {string.Join(", ", Words(calibration.GetProperty("method")))}.");
        var step = root.GetProperty("steps").GetProperty("items").GetProperty("properties");
        StringAssert.Contains(Refused("""{ "version": 1, "steps": [ { "step": "?" } ] }""").Message, $"are {string.Join(", ", Words(step.GetProperty("step")))}.");
        StringAssert.Contains(Refused("""{ "version": 1, "steps": [ { "step": "low-rank", "by": "?" } ] }""").Message, $"are {string.Join(", ", Words(step.GetProperty("by")))}.");
        StringAssert.Contains(Refused("""{ "version": 1, "steps": [ { "?": 1 } ] }""").Message, $"keys are {string.Join(", ", Keys(step).Split(", "))}.");
        StringAssert.Contains(Refused("""{ "?": 1 }""").Message, $"keys are {Keys(root)}.");
        StringAssert.Contains(Refused("""{ "version": 1, "rules": [ { "?": 1 } ] }""").Message, $"keys are {Keys(rule)}.");
        StringAssert.Contains(Refused("""{ "version": 1, "rules": [ { "match": { "?": 1 }, "form": "none" } ] }""").Message, $"keys are {Keys(schema.RootElement.GetProperty("$defs").GetProperty("match").GetProperty("properties"))}.");
        StringAssert.Contains(Refused("""{ "version": 1, "calibration": { "?": 1 } }""").Message, $"keys are {Keys(calibration)}.");

        static string[] Words(JsonElement e) => [.. e.GetProperty("enum").EnumerateArray().Select(x => x.GetString()!)];
        static string Keys(JsonElement e) => string.Join(", ", e.EnumerateObject().Select(p => p.Name));
    }
}
