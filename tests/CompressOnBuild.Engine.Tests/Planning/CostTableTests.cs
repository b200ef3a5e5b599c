using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>Facts of the estimates that plans hang on: who wins, and who pays with whom. The constants are measured elsewhere.</summary>
[TestClass]
public class CostTableTests
{
    [TestMethod]
    public void IntegersWinWhereAConvolutionIsLarge()
    {
        var (asFloat, asInteger) = Conv(inputs: 64, outputs: 64, kernel: 3, side: 28, group: 1);
        Assert.IsLessThan(asFloat / 2, asInteger);
    }

    [TestMethod]
    public void IntegersLoseWhereItIsTinyOrThin()
    {
        // The first layer of a digit classifier.
        var (asFloat, asInteger) = Conv(inputs: 1, outputs: 8, kernel: 5, side: 28, group: 1);
        Assert.IsGreaterThan(asFloat, asInteger);
    }

    [TestMethod]
    [DataRow(32), DataRow(96)]
    public void IntegersLoseOnADepthwiseConvolutionByItself(int channels)
    {
        var (asFloat, asInteger) = Conv(inputs: 1, outputs: channels, kernel: 3, side: 28, group: channels);
        Assert.IsGreaterThan(asFloat, asInteger);
    }

    [TestMethod]
    public void MoreWorkNeverCostsLess()
    {
        var smaller = Conv(32, 32, 3, 14, 1);
        foreach (var larger in new[] { Conv(32, 32, 3, 28, 1), Conv(32, 64, 3, 14, 1), Conv(64, 32, 3, 14, 1), Conv(32, 32, 5, 14, 1) })
        {
            Assert.IsGreaterThan(smaller.Float, larger.Float);
            Assert.IsGreaterThan(smaller.Integer, larger.Integer);
        }
    }

    [TestMethod]
    public void DynamicActivationsPayForManyRowsAndNotForOne()
    {
        var (dynamic, weights) = Product(rows: 256, inner: 512, columns: 512);
        Assert.IsLessThan(weights, dynamic);
        (dynamic, weights) = Product(rows: 1, inner: 64, columns: 64);
        Assert.IsGreaterThan(weights, dynamic);
    }

    [TestMethod]
    public void MultiplyAddsAreThoseOfTheDefinition()
    {
        var model = new ModelBuilder().Input("x", 1, 8, 6, 6).Output("y", 1, 4, 12, 12).Weight("c", 1, 1, 12, 4, 3, 3).Weight("t", 2, 1, 12, 4, 2, 2)
            .Node("Conv", ["x", "c"], ["a"], NodeAttribute.Int("group", 2), NodeAttribute.Ints("pads", 1, 1, 1, 1)).Node("ConvTranspose", ["a", "t"], ["y"], NodeAttribute.Ints("strides", 2, 2)).Build();
        var seen = Shapes(("x", [1, 8, 6, 6]), ("a", [1, 12, 6, 6]), ("y", [1, 4, 12, 12]));
        var nodes = model.Graph.Nodes.ToArray();
        // Conv: outputs x (channels of the group x kernel); ConvTranspose: inputs x (output channels x kernel).
        Assert.AreEqual(12 * 36 * (4 * 9), CostTable.MultiplyAdds(nodes[0], seen));
        Assert.AreEqual(12 * 36 * (4 * 4), CostTable.MultiplyAdds(nodes[1], seen));
        var gemm = new ModelBuilder().Input("x", 2, 16).Output("y", 2, 10).Weight("w", 1, 1, 10, 16).Node("Gemm", ["x", "w"], ["y"], NodeAttribute.Int("transB", 1)).Build();
        Assert.AreEqual(2 * 16 * 10, CostTable.MultiplyAdds(gemm.Graph.Nodes.First!, Shapes(("x", [2, 16]), ("y", [2, 10]))));
        Assert.AreEqual(0, CostTable.MultiplyAdds(gemm.Graph.Nodes.First!, Shapes()));
    }

    [TestMethod]
    public void AProfitableChainStaysTogether()
    {
        var planner = Chain(kernels: [3, 3, 3], channels: 64, side: 28, depthwise: -1);
        Assert.AreEqual("Static Static Static", Kept(planner));
    }

    [TestMethod]
    public void ABridgeThatLosesByItselfStaysBetweenTwoThatWin()
    {
        Assert.AreEqual("Static Static Static", Kept(Chain(kernels: [1, 3, 1], channels: 64, side: 28, depthwise: 1)));
        Assert.AreEqual("Weights", Kept(Chain(kernels: [3], channels: 64, side: 28, depthwise: 0)), "by itself");
    }

    [TestMethod]
    public void APoorIslandIsLeftInFloatsWithItsFigures()
    {
        var planner = Chain(kernels: [1], channels: 8, side: 28, depthwise: -1);
        var wanted = Wanted(planner);
        PoorIslands.Drop(planner, planner.Decide(wanted), wanted);
        var (form, because) = wanted["w0"];
        Assert.AreEqual(WeightForm.Weights, form);
        StringAssert.Matches(because, new System.Text.RegularExpressions.Regex(@"\d µs instead of \d|\d µs more than floats"));
    }

    // The nodes of a chain hand their results on; everything has been seen.
    private static Planner Chain(int[] kernels, int channels, int side, int depthwise)
    {
        var b = new ModelBuilder().Input("v0", 1, channels, side, side).Output($"v{kernels.Length}", 1, channels, side, side);
        var shapes = new List<(string, long[])> { ("v0", [1, channels, side, side]) };
        for (var i = 0; i < kernels.Length; i++)
        {
            var (k, group) = (kernels[i], i == depthwise ? channels : 1);
            b.Weight($"w{i}", i, 0.1f, channels, channels / group, k, k)
                .Node("Conv", [$"v{i}", $"w{i}"], [$"v{i + 1}"], NodeAttribute.Ints("pads", k / 2, k / 2, k / 2, k / 2), NodeAttribute.Int("group", group));
            shapes.Add(($"v{i + 1}", [1, channels, side, side]));
        }
        return new Planner(b.Build(), Recipe.Load("auto"), Shapes([.. shapes]));
    }

    private static string Kept(Planner planner)
    {
        var wanted = Wanted(planner);
        PoorIslands.Drop(planner, planner.Decide(wanted), wanted);
        return string.Join(" ", planner.Sites.Select(s => wanted[s.Name].Form));
    }

    private static Dictionary<string, (WeightForm Form, string Because)> Wanted(Planner planner) => planner.Sites.ToDictionary(s => s.Name, _ => (WeightForm.Static, ""), StringComparer.Ordinal);

    private static (double Float, double Integer) Conv(int inputs, int outputs, int kernel, int side, int group)
    {
        var model = new ModelBuilder().Input("x", 1, inputs * group, side, side).Output("y", 1, outputs, side, side).Weight("w", 1, 1, outputs, inputs, kernel, kernel)
            .Node("Conv", ["x", "w"], ["y"], NodeAttribute.Int("group", group), NodeAttribute.String("auto_pad", "SAME_UPPER")).Build();
        var site = SiteFinder.Find(model).Single();
        var seen = Shapes(("x", [1, inputs * group, side, side]), ("y", [1, outputs, side, side]));
        return (CostTable.Float(site, site.SingleNode!, seen), CostTable.Integer(site, site.SingleNode!, seen));
    }

    private static (double Dynamic, double Weights) Product(int rows, int inner, int columns)
    {
        var model = new ModelBuilder().Input("x", rows, inner).Output("y", rows, columns).Weight("w", 1, 1, inner, columns).Node("MatMul", ["x", "w"], ["y"]).Build();
        var site = SiteFinder.Find(model).Single();
        var seen = Shapes(("x", [rows, inner]), ("y", [rows, columns]));
        return (CostTable.Dynamic(site, site.SingleNode!, seen), CostTable.NBits(site, site.SingleNode!, seen));
    }

    private static Statistics Shapes(params (string Name, long[] Shape)[] values) => new(1, values.ToDictionary(v => v.Name, v => new ValueStatistics(v.Name)
    {
        ElementType = ElementType.Float, Shape = v.Shape, Min = -1, Max = 1, Count = 1, MeanElements = v.Shape.Aggregate(1.0, (a, d) => a * d),
    }, StringComparer.Ordinal));
}
