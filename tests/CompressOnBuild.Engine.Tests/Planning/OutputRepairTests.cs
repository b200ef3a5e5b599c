using CompressOnBuild.Calibration;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

[TestClass]
public class OutputRepairTests
{
    [TestMethod]
    [DataRow(WeightForm.Weights, 3, 2.0), DataRow(WeightForm.Static, 4, 2.0)]
    public void OutputsOnOtherSamplesComeNearerToTheOriginals(WeightForm form, int bits, double decibels)
    {
        var model = Layers();
        var planner = new Planner(model, Recipe.Load("int8"), Statistics(model));
        var decisions = planner.Sites.Select(s => planner.Decide(s, form, "", bits) with { Bits = bits }).ToArray();
        Assert.IsTrue(decisions.All(d => d.Form == form && d.Bits == bits));
        var transformer = new Transformer(model, new Dictionary<string, float[]>());
        var plan = planner.Complete(decisions, join: true);
        var repaired = Repair(model, transformer, threads: 2).Repair(plan);
        Assert.HasCount(3, repaired.Biases!);
        Assert.IsGreaterThan(Decibels(model, transformer, plan with { Biases = [] }) + decibels, Decibels(model, transformer, repaired));

        var again = Repair(model, new Transformer(model, new Dictionary<string, float[]>()), threads: 1).Repair(plan);
        Assert.AreEqual(Text(repaired), Text(again), "the number of threads changed something");
    }

    [TestMethod]
    public void APlanThatSaysItsBiasesStaysAsItIs()
    {
        var plan = new Plan([], [], true, []);
        Assert.AreSame(plan, Repair(Layers(), new Transformer(Layers(), new Dictionary<string, float[]>()), 1).Repair(plan));
    }

    [TestMethod]
    public void WhatDoesNotHelpOnOtherSamplesIsNotDone()
    {
        var model = Layers();
        var planner = new Planner(model, Recipe.Load("int8"), Statistics(model));
        var transformer = new Transformer(model, new Dictionary<string, float[]>());
        var plan = planner.Complete([.. planner.Sites.Select(s => planner.Decide(s, WeightForm.Static, ""))], join: true);
        var repaired = Repair(model, transformer, 2, p => p.Gains is null ? 30 : 29).Repair(plan);
        Assert.AreEqual(Text(transformer.WithBiases(plan)), Text(repaired));
        Assert.IsNull(repaired.Gains);
    }

    private static string Text(Plan plan) => string.Join('\n', plan.Biases!.Select(b => $"{b.Site} {string.Join(' ', b.Steps)}").Concat((plan.Gains ?? []).Select(g => $"{g.Site} {string.Join(' ', g.Steps)}")));

    private static OutputRepair Repair(Model model, Transformer transformer, int threads, Func<Plan, double>? decibels = null) =>
        new(model, transformer, (m, buffers) => new LayerwiseRun(m, Samples(0, 24), new SessionSettings("test"), threads, CancellationToken.None, buffers), decibels ?? (p => p.Gains is null ? 0 : 1), new ParallelOptions { MaxDegreeOfParallelism = threads });

    private static double Decibels(Model model, Transformer transformer, Plan plan)
    {
        using Session original = new(model, new SessionSettings("original")), compressed = new(transformer.Apply(plan), new SessionSettings("compressed"));
        var fresh = Samples(1000, 40);
        return Fidelity.Decibels([.. fresh.Select(s => original.Run(s))], fresh.Select(s => compressed.Run(s)));
    }

    private static Statistics Statistics(Model model) =>
        Calibrator.Run(model, Samples(0, 24), new CalibrationRequest { Values = [.. Planner.ValuesToObserve(model)] }, CancellationToken.None);

    private static IReadOnlyDictionary<string, Tensor>[] Samples(int seed, int count) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var values = ModelBuilder.Random(seed + i, 1, 16 * 64).ToFloats();
        for (var j = 0; j < values.Length; j++) values[j] += 1; // inputs with means: what rounding leaves has one, too
        return new Dictionary<string, Tensor> { ["x"] = Tensor.Create(values, 1, 16, 8, 8) };
    })];

    private static Model Layers() => new ModelBuilder().Input("x", 1, 16, 8, 8).Output("y", 1, 8)
        .Weight("w1", 1, 0.1f, 16, 16, 3, 3).Weight("w2", 2, 0.1f, 16, 16, 3, 3).Weight("w3", 3, 0.3f, 16, 8)
        .Weight("b1", 4, 1, 16).Weight("b2", 5, 1, 16).Weight("b3", 6, 1, 8)
        .Node("Conv", ["x", "w1", "b1"], ["c1"]).Node("Relu", ["c1"], ["r1"]).Node("Conv", ["r1", "w2", "b2"], ["c2"]).Node("Relu", ["c2"], ["r2"])
        .Node("GlobalAveragePool", ["r2"], ["g"]).Node("Flatten", ["g"], ["f"]).Node("Gemm", ["f", "w3", "b3"], ["y"]).Build();
}
