using CompressOnBuild.Onnx;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Rewrites;

[TestClass]
public class ConstantSharingTests
{
    private static readonly Tensor Large = ModelBuilder.Random(1, 0.5f, 16, 32);

    [TestMethod]
    public void EqualInitializersAndConstantNodesAreStoredOnce()
    {
        var model = new ModelBuilder().Input("x", 1, 2).Output("y", 1, 2)
            .Constant("a", Tensor.Create([1f, 2f], 2)).Node("Add", ["x", "a"], ["p"])
            .Initializer("b", [1f, 2f], 2).Node("Add", ["p", "b"], ["q"])
            .Constant("other", Tensor.Create([1f, 2f], 1, 2)).Node("Add", ["q", "other"], ["y"]).Build();
        var shared = Share(model, 1);
        Assert.AreEqual("b", shared.Graph.Initializers.Single().Name);
        Assert.AreEqual(1, shared.AllNodes().Count(n => n.Is("Constant")));
    }

    [TestMethod]
    public void AConstantBothBranchesStoreMovesToTheGraphAround()
    {
        var shared = Share(Branches(Large), 1);
        Assert.AreEqual(Large.ByteCount, shared.Graphs().SelectMany(g => g.Initializers).Sum(v => v.Initializer!.ByteCount));
        Assert.HasCount(1, shared.Graph.Initializers);
    }

    [TestMethod]
    public void SmallConstantsOfDifferentGraphsStay() => Share(Branches(ModelBuilder.Random(1, 1, 16, 2)), 0);

    [TestMethod]
    public void OutputsKeepTheirNames()
    {
        var model = new ModelBuilder().Input("x", 2).Output("y", 2).Output("a", 2)
            .Constant("a", Tensor.Create([1f, 2f], 2)).Constant("b", Tensor.Create([1f, 2f], 2))
            .Node("Add", ["x", "a"], ["p"]).Node("Add", ["p", "b"], ["y"]).Build();
        Share(model, 0);
    }

    [TestMethod]
    public void TheSameModelGivesTheSameBytes() => CollectionAssert.AreEqual(OnnxWriter.ToBytes(Share(Branches(Large), 1)), OnnxWriter.ToBytes(Share(Branches(Large), 1)));

    [TestMethod, ZooCondition]
    public void ARealModelWithNestedBranchesStillGivesTheSame()
    {
        var model = ZooModels.Load("vad");
        var shared = model.Clone();
        Assert.AreNotEqual(0, new ConstantSharing().Apply(shared));
        Assert.IsLessThan(OnnxWriter.ToBytes(model).Length, OnnxWriter.ToBytes(shared).Length);
        foreach (var rate in new[] { 16000L, 8000L })
            Equivalence.Holds(model, shared, 1e-4, dynamic: [1, rate == 16000 ? 576 : 288, 1], given: new() { ["sr"] = Tensor.Create([rate]) });
    }

    private static Model Branches(Tensor weight)
    {
        ModelBuilder Branch(string name) => new ModelBuilder().Output(name, 1, weight.Shape[1]).Constant($"{name}_w", weight).Node("MatMul", ["x", $"{name}_w"], [name]);
        return new ModelBuilder().Input("x", 1, 16).Input("if", ElementType.Bool).Output("y", 1, weight.Shape[1])
            .NodeWithBodies("If", ["if"], ["y"], ("then_branch", Branch("t")), ("else_branch", Branch("e"))).Build();
    }

    private static Model Share(Model model, int expected)
    {
        var shared = model.Clone();
        Assert.AreEqual(expected, new ConstantSharing().Apply(shared));
        Equivalence.Holds(model, shared, 0);
        return shared;
    }
}
