using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

[TestClass]
public class RangeChoiceTests
{
    [TestMethod]
    [DataRow(20.0, 25.0, 22.0, CalibrationMethod.Percentile)]
    [DataRow(20.0, 19.0, 22.0, CalibrationMethod.MinMax)]
    [DataRow(20.0, 19.0, 18.0, CalibrationMethod.Mse)]
    [DataRow(20.0, 20.1, 20.2, CalibrationMethod.Mse, DisplayName = "a difference that is chance changes nothing")]
    public void TheRangesWithTheNearestOutputsAreTaken(double mse, double percentile, double minMax, CalibrationMethod expected)
    {
        var planner = Observed();
        RangeChoice.Make(planner, _ => planner.Ranges switch { CalibrationMethod.Percentile => percentile, CalibrationMethod.MinMax => minMax, _ => mse });
        Assert.AreEqual(expected, planner.Ranges);
    }

    [TestMethod]
    public void WhereNothingIsStaticNothingIsMeasured()
    {
        var planner = new Planner(new ModelBuilder().Input("x", 1, 64).Output("y", 1, 64).Weight("w", 1, 1, 64, 64).Node("MatMul", ["x", "w"], ["y"]).Build(), Recipe.Load("int8"), null);
        RangeChoice.Make(planner, _ => throw new InvalidOperationException("measured"));
        Assert.AreEqual(CalibrationMethod.Mse, planner.Ranges);
    }

    /// <summary>Convolutions whose input has a long tail, so that every method gives other ranges.</summary>
    private static Planner Observed()
    {
        var model = Network.Build().Build();
        var samples = Network.Pictures(4).Select(p =>
        {
            p[0] = 40;
            return (IReadOnlyDictionary<string, Tensor>)new Dictionary<string, Tensor> { ["x"] = Tensor.Create(p, 1, Network.Channels, Network.Side, Network.Side) };
        });
        var statistics = Calibrator.Run(model, samples, new CalibrationRequest { SampleCount = 4, Values = [.. Planner.ValuesToObserve(model)] }, default);
        return new Planner(model, Recipe.Load("int8") with { Calibration = new RecipeCalibration(CalibrationMethod.Auto, 99) }, statistics);
    }
}
