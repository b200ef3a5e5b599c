using CompressOnBuild.Emulation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Emulation;

[TestClass]
public class IntegerProductsTests
{
    /// <summary>In the graph that the runtime writes, values between nodes have no declared type.</summary>
    [TestMethod]
    [DataRow(true, 0), DataRow(false, 1)]
    public void SignedActivationsInsideAGraphAreToldByTheirZeroPoints(bool signed, int products)
    {
        var zero = signed ? Tensor.Scalar((sbyte)0) : Tensor.Scalar((byte)128);
        var model = new ModelBuilder().Input("x", 1, 4, 5, 5).Output("y", 1, 8, 5, 5).Initializer("s", Tensor.Scalar(0.1f)).Initializer("z", zero).Initializer("wz", Tensor.Scalar((sbyte)0))
            .Initializer("w", Tensor.Create([.. Enumerable.Repeat((sbyte)120, 32)], 8, 4, 1, 1))
            .Node("QuantizeLinear", ["x", "s", "z"], ["q"]).Node("QLinearConv", ["q", "s", "z", "w", "s", "wz", "s", "z"], ["r"]).Node("DequantizeLinear", ["r", "s", "z"], ["y"]).Build();
        var found = IntegerProducts.Find(model);
        Assert.HasCount(products, found);
        Assert.IsTrue(found.All(p => p.CanSaturate > 0));
    }
}
