using System.Text.RegularExpressions;
using System.Xml.Linq;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Testing;
using CompressOnBuild.Worker;

namespace CompressOnBuild.Engine.Tests;

/// <summary>What the README names exists, and its examples work.</summary>
[TestClass]
public sealed partial class ReadmeTests
{
    private static readonly string Text = Read("README.md");
    private static readonly string Targets = Read("build", "CompressOnBuild.targets");

    [TestMethod]
    public void MetadataAreThoseOfTheItemWithTheirDefaults()
    {
        var defaults = XDocument.Parse(Read("build", "CompressOnBuild.props")).Descendants("ItemDefinitionGroup").Elements("CompressModel").Elements()
            .ToDictionary(e => e.Name.LocalName, e => e.Value);
        var table = Table("The item `CompressModel`").ToDictionary(r => Code(r[0]), r => r[2]);
        CollectionAssert.AreEquivalent(defaults.Keys.ToList(), table.Keys.ToList());
        foreach (var (name, value) in defaults.Where(d => d.Value.Length > 0 && table.ContainsKey(d.Key)))
            Assert.AreEqual(value, Code(table[name]), name);
    }

    [TestMethod]
    public void PropertiesAreThoseOfTheTargets()
    {
        var refused = Unavailable().Matches(Targets).Select(m => m.Groups[1].Value).ToList();
        CollectionAssert.AreEquivalent(refused, Codes(Section("The item `CompressModel`").Split('\n').Single(l => l.StartsWith("- the properties", StringComparison.Ordinal))).ToList());
        var served = Property().Matches(Targets).Select(m => m.Groups[1].Value).Distinct().Except(refused).ToList();
        CollectionAssert.AreEquivalent(served, Table("Properties").Select(r => Code(r[0])).ToList());
        foreach (var row in Table("Properties").Where(r => Code(r[2]) is "true" or "false"))
            Assert.Contains($">{Code(row[2])}</{Code(row[0])}>", Targets);
    }

    [TestMethod]
    public void PresetsMetricsOperatorsAndVerdictsAreAllNamed()
    {
        CollectionAssert.AreEquivalent(Recipe.Presets.ToList(), Table("Presets and recipes").Select(r => Code(r[0])).ToList());
        CollectionAssert.AreEquivalent(Metric.Names.ToList(), Table("Metrics").Select(r => Code(r[0])).ToList());
        var operators = Codes(Section("Presets and recipes").Split('\n').Single(l => l.StartsWith("Weights of `Conv`", StringComparison.Ordinal)).Split(" are compressed")[0]);
        CollectionAssert.AreEquivalent(Recipe.Operators.ToList(), operators.ToList());
        CollectionAssert.AreEquivalent(Enum.GetNames<Verdict>().Select(v => v.ToLowerInvariant()).ToList(), Table("The gate").Select(r => Code(r[0])).ToList());
    }

    [TestMethod]
    public void EveryCodeHasAPage()
    {
        var named = CodeName().Matches(Text).Select(m => m.Value).Distinct().ToList();
        Assert.IsNotEmpty(named);
        Assert.IsEmpty(named.Except(DiagnosticPages.All));
    }

    [TestMethod]
    public void RecipesAreValidAndThePresetIsTheShippedOne()
    {
        var recipes = Blocks("json").Where(b => b.Contains("\"version\"", StringComparison.Ordinal)).ToList();
        Assert.HasCount(2, recipes);
        Assert.AreEqual(Recipe.PresetText("int8")!.Trim(), recipes[0].Trim());
        using var scratch = new ScratchFolder();
        foreach (var recipe in recipes) Assert.IsNotEmpty(Recipe.Load(scratch.Write("recipe.json", recipe)).Rules);
    }

    [TestMethod]
    public void TheErrorIsTheOneOfTheCode()
    {
        using var scratch = new ScratchFolder();
        var error = Assert.ThrowsExactly<CompressionException>(() => Recipe.Load(scratch.Write("recipe.json", """
            {
              "version": 1,
              "search": true,
              "rules": [
                { "form": "weights", "bits": 9 }
              ]
            }
            """))).Diagnostic;
        Assert.Contains($"models/recipe.json({error.Line},{error.Column}): error {error.Code}: {error.Message}", Section("Errors"));
    }

    [TestMethod]
    public void TheEvaluationJsonIsValidAndItsKeysAreAllNamed()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("keys.txt", "a\nb\n");
        var configuration = EvaluationConfiguration.Load(scratch.Write("evaluation.json", Blocks("json").Single(b => b.Contains("\"decode\"", StringComparison.Ordinal))));
        CollectionAssert.AreEqual((string[])["", "a", "b", " "], configuration.Decoding.Alphabet!.ToArray());
        // The message that refuses a key lists those that are valid.
        var refusal = Assert.ThrowsExactly<CompressionException>(() => EvaluationConfiguration.Load(scratch.Write("evaluation.json", """{ "none": 1 }"""))).Message;
        var data = Section("Data");
        foreach (var key in Word().Matches(refusal[refusal.IndexOf("Valid", StringComparison.Ordinal)..]).Select(m => m.Value).Where(w => Read("src", "CompressOnBuild.Engine", "Evaluation", "EvaluationConfiguration.cs").Contains($"case \"{w}\":", StringComparison.Ordinal)))
            Assert.Contains($"`{key}`", data);
        foreach (var key in Table("Data", "key").Select(r => Code(r[0]))) Assert.Contains(key, refusal);
    }

    [TestMethod]
    public void PreprocessingKeysAreKnown()
    {
        var source = Read("src", "CompressOnBuild.Engine", "Evaluation", "Datasets", "Images", "Preprocessing.cs");
        var line = Section("Data").Split('\n').Single(l => l.StartsWith("Pictures need", StringComparison.Ordinal));
        foreach (var key in Codes(line).Where(c => c.Contains('_') && !c.EndsWith(".json", StringComparison.Ordinal))) Assert.Contains($"\"{key}\"", source);
    }

    [TestMethod]
    public void TheQuickStartIsTheDemo()
    {
        var snippet = XElement.Parse($"<ItemGroup>{Blocks("xml")[0]}</ItemGroup>");
        var demo = XDocument.Parse(Read("testassets", "projects", "demo", "demo.csproj")).Descendants("ItemGroup").Single();
        Assert.AreEqual(demo.ToString().Replace("$(CompressOnBuildDemoVersion)", "1.0.0", StringComparison.Ordinal), snippet.ToString());
        Assert.Contains(">1.0.0</Version>", Read("Directory.Build.props"));
        Assert.Contains($"<OnnxRuntimeVersion>{snippet.Elements("PackageReference").Last().Attribute("Version")!.Value}</OnnxRuntimeVersion>", Read("Directory.Packages.props"));
        Assert.Contains("CompressedModels.Shapes.CreateSession()", Read("testassets", "projects", "demo", "Program.cs"));
        foreach (Match member in Member().Matches(Text)) Assert.Contains(member.Groups[1].Value, Read("src", "CompressOnBuild.Tasks", "AccessorSource.cs"));
    }

    [TestMethod]
    public void TheSummaryLineHasTheShapeOfTheTools()
    {
        using var scratch = new ScratchFolder();
        var sample = Reporting.SampleResult.Create(Path.Combine(scratch.Path, "obj"));
        var printed = SummaryLine.Format(sample with { Measurements = sample.Measurements with { Avx2 = null } }, scratch.Path); // what this tool quantizes itself needs no second figure
        var shown = Blocks("").Single(b => b.StartsWith("CompressOnBuild: ", StringComparison.Ordinal)).Trim();
        Assert.AreEqual(Shape(printed), Shape(shown));

        static string Shape(string line) => Varying().Replace(line[..line.IndexOf('[', StringComparison.Ordinal)].Replace("FAILED, ", "", StringComparison.Ordinal), "#");
    }

    [TestMethod]
    public void CommandsExist()
    {
        var dev = Read("build", "dev.cs");
        var verbs = DevVerb().Matches(Text).Select(m => m.Groups[1].Value).Distinct().ToList();
        CollectionAssert.IsSubsetOf((string[])["demo", "test", "pack"], verbs);
        foreach (var verb in verbs) Assert.Contains($"case \"{verb}\":", dev);
        Assert.IsTrue(Directory.Exists(Path.Combine(DotNet.RepositoryRoot, "tests", "CompressOnBuild.Benchmarks", "Zoo")));
        foreach (var line in Blocks("").SelectMany(b => b.Split('\n')).Where(l => l.StartsWith("compressonbuild ", StringComparison.Ordinal)))
        {
            // What follows two spaces is an explanation. Help is asked for, because there is no such model here.
            var arguments = line.Split("  ")[0].Split(' ')[1..];
            var (output, error) = (new StringWriter(), new StringWriter());
            using var interruption = new Interruption();
            Assert.AreEqual(0, new CommandLine(output, error, (_, _, _) => throw new AssertFailedException("compressed"), interruption).Run([arguments[0], "--help"]), error.ToString());
            foreach (var option in arguments.Where(a => a.StartsWith("--", StringComparison.Ordinal))) Assert.Contains(option, output.ToString());
        }
    }

    [TestMethod]
    public void LinksLeadSomewhere()
    {
        foreach (Match link in Link().Matches(Text))
        {
            var target = link.Groups[1].Value;
            if (target.StartsWith('#')) Assert.IsTrue(Text.Split('\n').Any(l => l.StartsWith('#') && l.TrimStart('#', ' ').Replace(' ', '-').Equals(target[1..], StringComparison.OrdinalIgnoreCase)), target);
            else Assert.IsTrue(Path.Exists(Path.Combine(DotNet.RepositoryRoot, target)), target);
        }
        Assert.DoesNotContain("://", Text);
        Assert.IsEmpty(Section("FAQ").Split('\n').Where(l => l.StartsWith("### ", StringComparison.Ordinal) && !l.EndsWith('?')));
    }

    private static string Read(params string[] parts) => File.ReadAllText(Path.Combine([DotNet.RepositoryRoot, .. parts])).ReplaceLineEndings("\n");

    private static string Section(string heading)
    {
        var start = Text.IndexOf($"\n## {heading}\n", StringComparison.Ordinal);
        Assert.IsGreaterThan(0, start, heading);
        var end = Text.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return end < 0 ? Text[start..] : Text[start..end];
    }

    /// <summary>Rows of the n-th table of a section, without its head.</summary>
    /// <summary>The rows of a section's first table, or of the one whose first column is called <paramref name="column"/>.</summary>
    private static List<string[]> Table(string heading, string? column = null)
    {
        var tables = new List<List<string[]>>();
        var inside = false;
        foreach (var line in Section(heading).Split('\n'))
        {
            if (line.StartsWith('|') && !inside) tables.Add([]);
            inside = line.StartsWith('|');
            if (inside) tables[^1].Add([.. line.Trim('|').Split('|').Select(c => c.Trim())]);
        }
        return tables.First(t => column is null || t[0][0] == column)[2..];
    }

    private static List<string> Blocks(string language) => [.. Fence().Matches(Text).Where(m => m.Groups[1].Value == language).Select(m => m.Groups[2].Value)];

    private static string Code(string cell) => Codes(cell).FirstOrDefault() ?? "";

    private static IEnumerable<string> Codes(string text) => CodeSpan().Matches(text).Select(m => m.Groups[1].Value);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();
    [GeneratedRegex("^```(.*?)\n(.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();
    [GeneratedRegex("COB[0-9]{4}")]
    private static partial Regex CodeName();
    [GeneratedRegex(@"_CobUnavailable\);(\w+)<")]
    private static partial Regex Unavailable();
    [GeneratedRegex(@"\$\((CompressOnBuild\w*)\)")]
    private static partial Regex Property();
    [GeneratedRegex(@"dotnet run build/dev\.cs -- ([a-z]+)")]
    private static partial Regex DevVerb();
    [GeneratedRegex(@"CompressedModels\.Shapes\.(\w+)")]
    private static partial Regex Member();
    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Link();
    [GeneratedRegex("[A-Za-z]+")]
    private static partial Regex Word();
    [GeneratedRegex(@"[^ ]+\.onnx|-?[0-9]+\.?[0-9]*|\b[kM]?B\b|faster|slower")]
    private static partial Regex Varying();
}
