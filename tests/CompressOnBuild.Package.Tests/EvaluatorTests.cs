using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

[TestClass]
public class EvaluatorTests
{
    [TestMethod]
    public void TheExampleOfTheReadmeCompilesAndIsFound()
    {
        var readme = File.ReadAllText(Path.Combine(DotNet.RepositoryRoot, "README.md")).ReplaceLineEndings("\n");
        var tones = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        // The item of the example, with the model and the data that lie here.
        var items = Block("evaluator project", 1);
        using var project = new SampleProject(items.Replace("models/shapes.onnx", "tones.onnx", StringComparison.Ordinal).Replace("data/val\"", "val.npz\" Recipe=\"none\"", StringComparison.Ordinal), realWorker: true);
        foreach (var name in (string[])["tones.onnx", "val.npz"]) File.Copy(Path.Combine(tones, name), project[name]);
        project.Write("../Metrics/Metrics.csproj", Block("evaluator project").Replace("1.0.0", PackedPackage.Version, StringComparison.Ordinal));
        project.Write("../Metrics/WeightedAccuracy.cs", Block("evaluator"));
        Assert.Contains("weighted-accuracy 0.97", project.Build().Succeeded(workerRuns: 0).Lines("CompressOnBuild: tones.onnx").Single());

        // The code block below a marker, or one of those that follow.
        string Block(string marker, int later = 0) => readme[readme.IndexOf($"<!-- {marker} -->", StringComparison.Ordinal)..].Split("```")[1 + 2 * later].Split('\n', 2)[1];
    }

    [TestMethod]
    public void AMetricOfAReferencedProjectIsBuiltFirstDecidesAndIsAnInput()
    {
        var tones = Path.Combine(DotNet.RepositoryRoot, "testassets", "samples", "tones");
        using var project = new SampleProject("""
            <ProjectReference Include="../metrics/metrics.csproj" ReferenceOutputAssembly="false" />
            <CompressModel Include="tones.onnx" EvaluationData="val.npz" CalibrationData="calib.npz" Recipe="int8-weights" Evaluator="../metrics/bin/$(Configuration)/net10.0/metrics.dll#Own.Metric" MaxAccuracyDrop="0.02" />
            """, realWorker: true);
        foreach (var name in (string[])["tones.onnx", "val.npz", "calib.npz"]) File.Copy(Path.Combine(tones, name), project[name]);
        project.Write("../metrics/metrics.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><TargetFramework>net10.0</TargetFramework><EnableDynamicLoading>true</EnableDynamicLoading></PropertyGroup>
              <ItemGroup><PackageReference Include="CompressOnBuild.Evaluation" Version="{PackedPackage.Version}" /></ItemGroup>
            </Project>
            """);
        void Metric(string score) => project.Write("../metrics/Metric.cs", $$"""
            using System.Collections.Generic;
            using System.Linq;
            using CompressOnBuild.Evaluation;
            namespace Own;
            public sealed class Metric : IEvaluator
            {
                public string Name => "own";
                public bool HigherIsBetter => true;
                public bool NeedsLabels => true;
                public IReadOnlyList<double> Score(EvaluatedSample sample)
                {
                    float[] scores = sample.Outputs["logits"].ToSingles(), originals = sample.OriginalOutputs["logits"].ToSingles();
                    return new double[] { {{score}} ? 1 : 0 };
                }
                public double Aggregate(IReadOnlyList<IReadOnlyList<double>> scores) => scores.Average(s => s[0]);
            }
            """);

        Metric("scores.ToList().IndexOf(scores.Max()) == sample.Label!.ToInt64s()[0]");
        var build = project.Build().Succeeded(workerRuns: 0);
        Assert.Contains("own 0.98", build.Lines("CompressOnBuild: tones.onnx").Single());
        CollectionAssert.DoesNotContain(project.Build("--no-restore").Succeeded(workerRuns: 0).PackageTargets().ToList(), "CompressModel");

        Metric("scores.SequenceEqual(originals)");
        var failed = project.Build("--no-restore");
        Assert.AreNotEqual(0, failed.ExitCode);
        Assert.Contains("own fell from 1 to 0", failed.Lines("error COB4001").First());

        Metric("scores[99] > 0");
        Assert.Contains("Score of 'Own.Metric' on sample '", project.Build("--no-restore").Lines("error COB1145").First());
    }
}
