using CompressOnBuild.Diagnostics;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Evaluation;

/// <summary>A metric of the user's own; the assembly that holds some is this one, loaded a second time.</summary>
[TestClass]
public sealed class EvaluatorAssemblyTests
{
    internal static string Reference(string type) => $"{typeof(EvaluatorAssemblyTests).Assembly.Location}#{typeof(EvaluatorAssemblyTests).FullName}+{type}";

    [TestMethod]
    public void TheOwnMetricDecidesWithAnInterval()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(60)));
        var result = model.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights", Evaluator = Reference(nameof(Hits)), MaxAccuracyDrop = 0.9 });
        var metric = result.Measurements.Metrics[0];
        Assert.AreEqual("hits", metric.Name);
        Assert.AreEqual(1, metric.Original, "labels are what the original says");
        Assert.AreEqual(0.9, metric.Limit);
        Assert.IsNotNull(metric.Confidence);
        Assert.IsFalse(result.Measurements.Metrics.Any(m => m.Name == "top1"), "nothing is measured that nobody named");
        var assembly = result.InputFiles.Single(f => f.Path == typeof(EvaluatorAssemblyTests).Assembly.Location);
        Assert.AreEqual(assembly.Sha256, result.Provenance.EvaluatorSha256);
        Assert.IsTrue(result.InputFiles.Any(f => f.Path == Path.ChangeExtension(assembly.Path, ".deps.json")));

        var both = model.RunWhateverTheVerdict(r => r with { Recipe = "int8-weights", Evaluator = Reference(nameof(Hits)), Metrics = ["top1", "hits"], Require = [new Requirement("hits", true, 0.1)] });
        CollectionAssert.AreEqual(new[] { "top1", "hits" }, both.Measurements.Metrics.Take(2).Select(m => m.Name).ToArray());
        Assert.AreEqual(both.Measurements.Metrics[0].Compressed, both.Measurements.Metrics[1].Compressed, 1e-12);
    }

    [TestMethod]
    public void AWorseningInTheMetricsOwnDirectionFails()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(60)));
        var error = Assert.ThrowsExactly<GateException>(() => model.Run(r => r with { Recipe = "int8-weights", Evaluator = Reference(nameof(Distance)) }));
        Assert.AreEqual(Codes.AccuracyDropped, error.Diagnostic.Code, error.Message);
        StringAssert.Contains(error.Message, "distance rose from 0 to");
    }

    [TestMethod]
    [DataRow(nameof(Throws), Codes.EvaluatorFailed, "threw System.InvalidTimeZoneException: no such zone")]
    [DataRow(nameof(ThrowsWhenMade), Codes.EvaluatorFailed, "the constructor of")]
    [DataRow(nameof(NoNumber), Codes.EvaluatorResultInvalid, "returned NaN from Score on sample '")]
    [DataRow(nameof(NoNumbers), Codes.EvaluatorResultInvalid, "returned null from Score")]
    [DataRow(nameof(NoName), Codes.EvaluatorResultInvalid, "has the name 'my metric'")]
    [DataRow(nameof(Top1Again), Codes.EvaluatorResultInvalid, "of a built-in metric")]
    [DataRow(nameof(Never), Codes.MetricDoesNotFit, "gives a finite number")]
    [DataRow(nameof(Abstract), Codes.EvaluatorTypeInvalid, "cannot be created")]
    [DataRow(nameof(NoMetric), Codes.EvaluatorTypeInvalid, "does not implement CompressOnBuild.Evaluation.IEvaluator. Valid are ")]
    [DataRow("Hit", Codes.EvaluatorTypeInvalid, "EvaluatorAssemblyTests+Hits")]
    public void WhatIsWrongWithTheUsersCodeIsOneError(string type, string code, string message)
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(40)));
        var error = Assert.ThrowsExactly<CompressionException>(() => model.Run(r => r with { Recipe = "none", Evaluator = Reference(type) }));
        Assert.AreEqual(code, error.Diagnostic.Code, error.Message);
        StringAssert.Contains(error.Message, message);
        Assert.DoesNotContain("   at ", error.Message, "no stack trace");
    }

    [TestMethod]
    public void WhatIsWrongWithTheAssemblyIsOneError()
    {
        using var scratch = new ScratchFolder();
        scratch.Write("text.dll", "no assembly");
        Expect(Codes.EvaluatorNotLoadable, "does not exist", scratch["gone.dll"] + "#A");
        Expect(Codes.EvaluatorNotLoadable, "no .NET assembly", scratch["text.dll"] + "#A");
        Expect(Codes.EvaluatorTypeInvalid, "Valid is the path of an assembly, '#'", scratch["text.dll"]);
        Expect(Codes.EvaluatorTypeInvalid, "it has none", typeof(Testing.ScratchFolder).Assembly.Location + "#CompressOnBuild.Testing.ScratchFolder");
        // Of an older or newer interface nothing else is found: what lies beside the assembly never replaces the interface.
        var context = EvaluatorAssembly.Load(Reference(nameof(Hits)));
        Assert.AreNotSame(typeof(EvaluatorAssemblyTests).Assembly, context.Evaluator.GetType().Assembly);
        Assert.IsInstanceOfType<IEvaluator>(context.Evaluator);

        static void Expect(string code, string message, string reference)
        {
            var error = Assert.ThrowsExactly<CompressionException>(() => EvaluatorAssembly.Load(reference));
            Assert.AreEqual(code, error.Diagnostic.Code, error.Message);
            StringAssert.Contains(error.Message, message);
        }
    }

    [TestMethod]
    public void DataRecipesAndConfigurationsNameNoCode()
    {
        using var scratch = new ScratchFolder();
        var value = $"\"evaluator\": \"{Reference(nameof(Hits)).Replace("\\", "\\\\", StringComparison.Ordinal)}\"";
        var configuration = scratch.Write("evaluation.json", $$"""{ {{value}} }""");
        StringAssert.Contains(Assert.ThrowsExactly<CompressionException>(() => EvaluationConfiguration.Load(configuration)).Message, "'evaluator' is unknown");
        var recipe = scratch.Write("recipe.json", $$"""{ "version": 1, "rules": [], {{value}} }""");
        StringAssert.Contains(Assert.ThrowsExactly<CompressionException>(() => Recipe.Load(recipe)).Message, "evaluator");
    }

    [TestMethod]
    public void WholeWeightsAreRepetitions()
    {
        var counted = new UserMetric(new Counting(), "x.dll", ["y"]).Over([[1], [10], [100], [1000], [10000]]);
        Assert.AreEqual(30201, counted([1, 0, 2, 0, 3]));
        Assert.AreEqual(11111, counted([1, 1, 1, 1, 1]));
        Assert.IsTrue(double.IsNaN(counted([0, 0, 0, 0, 0])), "nothing is left");
    }

    [TestMethod]
    public void ASampleHasItsInputsOutputsAndLabel()
    {
        var seen = new Seeing();
        var metric = new UserMetric(seen, "x.dll", ["y", "n"]);
        Tensor[] outputs = [Tensor.Create([0.5f, -2f], 1, 2), Tensor.Create([3L], 1)], originals = [Tensor.Create([1f, -1f], 1, 2), Tensor.Create([4L], 1)];
        Sample("17", new ClassLabel(6));
        Assert.AreEqual("17", seen.Last.Id);
        CollectionAssert.AreEqual(new[] { 0.5, -2.0 }, seen.Last.Outputs["y"].ToDoubles());
        CollectionAssert.AreEqual(new long[] { 1, 2 }, seen.Last.Outputs["y"].Shape.ToArray());
        Assert.AreEqual(EvaluatedType.Int64, seen.Last.Outputs["n"].Type);
        CollectionAssert.AreEqual(new long[] { 4 }, seen.Last.OriginalOutputs["n"].ToInt64s());
        CollectionAssert.AreEqual(new[] { 1f, 2f, -0.5f }, seen.Last.Inputs["x"].ToSingles(), "half floats");
        CollectionAssert.AreEqual(new long[] { 6 }, seen.Last.Label!.ToInt64s());
        Sample("t", new TextLabel("abc"));
        Assert.AreEqual("abc", seen.Last.LabelText);
        Assert.IsNull(seen.Last.Label);
        Sample("b", new BoxesLabel([new Box(1, 2, 3, 4, 5, true)]));
        CollectionAssert.AreEqual(new double[] { 1, 2, 3, 4, 5, 1 }, seen.Last.Label!.ToDoubles());

        void Sample(string id, Label label) => metric.Contribute(new Outcome(id, label, outputs[0], originals[0])
        {
            Outputs = outputs, Originals = originals, Inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create([(Half)1, (Half)2, (Half)(-0.5)], 3) },
        });
    }

    public class Hits : IEvaluator
    {
        public virtual string Name => "hits";
        public virtual bool HigherIsBetter => true;
        public bool NeedsLabels => true;
        public virtual IReadOnlyList<double> Score(EvaluatedSample sample)
        {
            var scores = sample.Outputs.Values.First().ToSingles();
            return [Array.IndexOf(scores, scores.Max()) == sample.Label!.ToInt64s()[0] ? 1 : 0];
        }
        public virtual double Aggregate(IReadOnlyList<IReadOnlyList<double>> scores) => scores.Average(s => s[0]);
    }

    /// <summary>1 more than the distance to the original's output, where there is any: smaller is better.</summary>
    public sealed class Distance : Hits
    {
        public override string Name => "distance";
        public override bool HigherIsBetter => false;
        public override IReadOnlyList<double> Score(EvaluatedSample sample)
        {
            var distance = sample.Outputs.Values.First().ToDoubles().Zip(sample.OriginalOutputs.Values.First().ToDoubles(), (a, b) => Math.Abs(a - b)).Max();
            return [distance == 0 ? 0 : distance + 1];
        }
    }

    public sealed class Throws : Hits { public override IReadOnlyList<double> Score(EvaluatedSample sample) => throw new InvalidTimeZoneException("no such zone"); }
    public sealed class ThrowsWhenMade : Hits { public ThrowsWhenMade() => throw new InvalidTimeZoneException("no such zone"); }
    public sealed class NoNumber : Hits { public override IReadOnlyList<double> Score(EvaluatedSample sample) => [double.NaN]; }
    public sealed class NoNumbers : Hits { public override IReadOnlyList<double> Score(EvaluatedSample sample) => null!; }
    public sealed class NoName : Hits { public override string Name => "my metric"; }
    public sealed class Top1Again : Hits { public override string Name => "top1"; }
    public sealed class Never : Hits { public override double Aggregate(IReadOnlyList<IReadOnlyList<double>> scores) => double.NaN; }
    private sealed class Counting : Hits { public override double Aggregate(IReadOnlyList<IReadOnlyList<double>> scores) => scores.Sum(s => s[0]); }
    public abstract class Abstract : Hits;
    public sealed class NoMetric;

    private sealed class Seeing : Hits
    {
        public EvaluatedSample Last { get; private set; } = null!;
        public override IReadOnlyList<double> Score(EvaluatedSample sample) { Last = sample; return [1]; }
    }
}
