using System.Reflection;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>What a program that hosts the engine can see: no more than it needs, and nothing of the libraries underneath.</summary>
[TestClass]
public sealed class PublicSurfaceTests
{
    private static readonly Assembly Engine = typeof(Compressor).Assembly;

    [TestMethod]
    public void PublicTypesAreThoseAHostNeeds()
    {
        string[] expected =
        [
            // The request and its answer
            "Avx2Accuracy", "Avx2Basis", "CandidateResult", "CompressionRequest", "CompressionResult", "Compressor", "Goal", "ICompressionLog", "InputFile", "Interval", "Latency",
            "Measurements", "MetricResult", "ModelComparison", "ModelFacts", "NullCompressionLog", "ProjectRuntime", "Provenance", "Requirement", "SaturatingWeight", "SizeLimit", "SkippedWeight", "Target",
            "Verdict", "WeightFacts", "Evaluation.GateException", "DecisionChange", "OutputChanges", "SampleChange", "SignalToNoiseBin",
            // Recipes
            "Calibration.CalibrationMethod", "Calibration.RecipeCalibration", "Planning.Recipe", "Planning.RecipeRule", "Planning.RecipeStep", "Planning.StepCriterion", "Planning.StepKind", "Planning.WeightForm",
            // What is told
            "Diagnostics.Codes", "Diagnostics.CompressionException", "Diagnostics.ConsoleText", "Diagnostics.Diagnostic", "Diagnostics.DiagnosticFormat",
            "Diagnostics.DiagnosticPages", "Diagnostics.Severity", "Reporting.ReportWriter", "Reporting.SummaryLine",
            // Models
            "Onnx.ElementType", "Onnx.Graph", "Onnx.Model", "Onnx.Node", "Onnx.NodeAttribute", "Onnx.NodeList", "Onnx.OnnxReader", "Onnx.OnnxWriter",
            "Onnx.Tensor", "Onnx.Use", "Onnx.Value",
        ];
        var actual = Engine.GetExportedTypes().Select(t => t.FullName!["CompressOnBuild.".Length..]);
        Assert.AreEqual(string.Join("\n", expected.Order(StringComparer.Ordinal)), string.Join("\n", actual.Order(StringComparer.Ordinal)));
    }

    [TestMethod]
    public void NoPublicMemberShowsATypeOfAnotherLibrary()
    {
        const BindingFlags Own = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var shown = Engine.GetExportedTypes().SelectMany(t => t.GetMethods(Own).SelectMany(m => m.GetParameters().Select(p => p.ParameterType).Append(m.ReturnType))
            .Concat(t.GetConstructors(Own).SelectMany(c => c.GetParameters().Select(p => p.ParameterType))).Concat(t.GetInterfaces()).Append(t.BaseType ?? typeof(object)));
        string[] foreign = [.. shown.SelectMany(WithArguments).Where(t => t.Assembly != Engine && !t.Namespace!.StartsWith("System", StringComparison.Ordinal)).Select(t => t.FullName!).Distinct()];
        Assert.IsEmpty(foreign, string.Join(", ", foreign));

        static IEnumerable<Type> WithArguments(Type type) => type.HasElementType ? WithArguments(type.GetElementType()!) : type.GetGenericArguments().SelectMany(WithArguments).Append(type);
    }

    [TestMethod]
    public void TheSummaryOfACodeIsItsPagesTitle()
    {
        var lines = File.ReadAllLines(Path.Combine(DotNet.RepositoryRoot, "src", "CompressOnBuild.Engine", "Diagnostics", "Codes.cs"));
        var seen = 0;
        for (var i = 1; i < lines.Length; i++)
        {
            if (!lines[i].Contains(" const string ", StringComparison.Ordinal)) continue;
            var code = lines[i].Split('"')[1];
            var title = DiagnosticPages.Get(code)!.Split('\n')[0][$"# {code}: ".Length..];
            Assert.AreEqual($"    /// <summary>{title}.</summary>", lines[i - 1], code);
            seen++;
        }
        Assert.AreEqual(DiagnosticPages.All.Count, seen);
    }
}
