using System.Globalization;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>The whole way from tables and texts to a verdict: the original finds every label, because its own answers on inputs made by
/// hand are the labels.</summary>
[TestClass]
public sealed class DataAsPeopleHaveItTests
{
    [TestMethod]
    public void ATableIsMeasured()
    {
        using var model = new ModelCase(new ModelBuilder().Input("x", -1, 6).Weight("a", 1, 1, 6, 64).Weight("b", 2, 1, 64, 4)
            .Node("MatMul", ["x", "a"], ["h"]).Node("Relu", ["h"], ["r"]).Node("MatMul", ["r", "b"], ["y"]).Output("y", -1, 4));
        var random = new Random(1);
        var rows = Enumerable.Range(0, 60).Select(_ => Enumerable.Range(0, 6).Select(_ => (float)Math.Round(random.NextDouble() * 2 - 1, 3)).ToArray()).ToList();
        var lines = rows.Select((r, i) => string.Create(CultureInfo.InvariantCulture, $"{i},{string.Join(',', r.Select(v => v.ToString(CultureInfo.InvariantCulture)))},{Answer(model, ("x", Tensor.Create(r, 1, 6)))}"));
        File.WriteAllText(model["d.csv"], "id,a,b,c,d,e,f,label\n" + string.Join('\n', lines));
        File.WriteAllText(model["d.evaluation.json"], """{ "inputs": { "x": ["a", "b", "c", "d", "e", "f"] } }""");
        Measured(model, "d.csv");
    }

    [TestMethod]
    public void ATextModelIsMeasured()
    {
        using var model = new ModelCase(new ModelBuilder().Input("input_ids", ElementType.Int64, -1, -2).Weight("e", 1, 1, 64, 32).Weight("a", 2, 1, 32, 64).Weight("b", 3, 1, 64, 4)
            .Node("Gather", ["e", "input_ids"], ["t"]).Node("ReduceMean", ["t"], ["m"], NodeAttribute.Ints("axes", 1), NodeAttribute.Int("keepdims", 0))
            .Node("MatMul", ["m", "a"], ["h"]).Node("Relu", ["h"], ["r"]).Node("MatMul", ["r", "b"], ["y"]).Output("y", -1, 4));
        var words = Enumerable.Range(0, 60).Select(i => $"{(char)('a' + i / 26)}{(char)('a' + i % 26)}").ToArray();
        File.WriteAllText(model["vocab.txt"], "[UNK]\n[CLS]\n[SEP]\n[PAD]\n" + string.Join('\n', words) + "\n");
        var random = new Random(1);
        var lines = Enumerable.Range(0, 60).Select(_ =>
        {
            var picked = Enumerable.Range(0, random.Next(1, 9)).Select(_ => random.Next(60)).ToArray();
            long[] ids = [1, .. picked.Select(w => w + 4L), 2];
            return $"{{\"text\":\"{string.Join(' ', picked.Select(w => words[w].ToUpperInvariant()))}\",\"label\":{Answer(model, ("input_ids", Tensor.Create(ids, 1, ids.Length)))}}}";
        });
        File.WriteAllText(model["d.jsonl"], string.Join('\n', lines));
        Measured(model, "d.jsonl");
    }

    private static int Answer(ModelCase model, (string, Tensor) input)
    {
        var scores = ModelCase.Infer(model.Model, input)[0].ToFloats();
        return Array.IndexOf(scores, scores.Max());
    }

    private static void Measured(ModelCase model, string data)
    {
        var result = model.RunWhateverTheVerdict(r => r with { EvaluationData = model[data], Recipe = "int8-weights" });
        var metric = result.Measurements.Metrics[0];
        Assert.AreEqual("top1", metric.Name);
        Assert.AreEqual(1, metric.Original);
        Assert.IsGreaterThan(0.8, metric.Compressed);
    }
}
