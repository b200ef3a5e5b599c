using CompressOnBuild.Engine.Tests.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Operators;

[TestClass]
public class SiteFinderTests
{
    [TestMethod]
    public void FindsInitializersAndConstantNodes()
    {
        var sites = SiteFinder.Find(new ModelBuilder().Input("x", 1, 32).Output("y", 1, 8).Weight("w", 1, 1, 32, 16).Constant("k", ModelBuilder.Random(2, 1, 16, 8))
            .Node("MatMul", ["x", "w"], ["m"]).Node("MatMul", ["m", "k"], ["y"]).Build());
        CollectionAssert.AreEqual(new[] { "w", "k" }, sites.Select(s => s.Name).ToArray());
        Assert.IsTrue(sites.All(s => s.IsObservable && s.OperatorName == "MatMul" && s.ChannelAxes is [1]));
    }

    [TestMethod]
    public void FindsWeightsInBodiesAndTellsSiblingsOfOneNameApart()
    {
        ModelBuilder Branch(int seed) => new ModelBuilder().Output("t", 1, 8).Weight("w", seed, 1, 32, 8).Constant("k", ModelBuilder.Random(seed, 1, 8, 8))
            .Node("MatMul", ["x", "w"], ["m"]).Node("MatMul", ["m", "k"], ["t"]);
        var model = new ModelBuilder().Input("x", 1, 32).Input("flag", ElementType.Bool).Output("y", 1, 8)
            .NodeWithBodies("If", ["flag"], ["y"], ("then_branch", Branch(1)), ("else_branch", Branch(2))).Build();
        var names = SiteFinder.Find(model).Select(s => s.Name).ToArray();
        Assert.HasCount(4, names);
        Assert.HasCount(4, names.Distinct().ToArray());
        CollectionAssert.AreEqual(names, SiteFinder.Find(model.Clone()).Select(s => s.Name).ToArray());
        CollectionAssert.AreEqual(names, SiteFinder.Find(OnnxReader.Read(OnnxWriter.ToBytes(model))).Select(s => s.Name).ToArray());
        Assert.IsFalse(SiteFinder.Find(model).Any(s => s.IsObservable));
        Equivalence.Holds(EncodedCase.Of(model, "cast-mul")!.Reference, EncodedCase.Of(model, "cast-mul")!.Encoded);
    }

    [TestMethod]
    public void FindsWeightsOfLoopAndScanBodies()
    {
        var loop = new ModelBuilder().Input("i", ElementType.Int64).Input("go", ElementType.Bool).Input("s", 1, 8).Output("go2", ElementType.Bool).Output("s2", 1, 8)
            .Constant("k", ModelBuilder.Random(1, 0.3f, 8, 8)).Node("Identity", ["go"], ["go2"]).Node("MatMul", ["s", "k"], ["u"]).Node("MatMul", ["u", "outer"], ["s2"]);
        var scan = new ModelBuilder().Input("e", 1, 8).Output("f", 1, 8).Weight("k3", 3, 1, 8, 8).Node("MatMul", ["e", "k3"], ["f"]);
        var builder = new ModelBuilder().Input("x", 1, 8).Input("seq", 5, 1, 8).Output("y", 1, 8).Output("z", 5, 1, 8).Weight("outer", 2, 0.3f, 8, 8)
            .Initializer("trips", Tensor.Create([3L], [])).Initializer("true", Tensor.Create([true], []))
            .NodeWithBodies("Loop", ["trips", "true", "x"], ["y"], ("body", loop)).NodeWithBodies("Scan", ["seq"], ["z"], ("body", scan));
        builder.Proto.Graph.Node[^1].Attribute.Add(NodeAttribute.Int("num_scan_inputs", 1).Proto);
        var model = builder.Build();
        var sites = SiteFinder.Find(model);
        CollectionAssert.AreEquivalent(new[] { "outer", "k", "k3" }, sites.Select(s => s.Name).ToArray());
        Assert.IsFalse(sites.Any(s => s.IsObservable));
        foreach (var encoding in new[] { "cast-mul", "fp16-cast", "matmul-dq" })
        {
            var encoded = EncodedCase.Of(model, encoding)!;
            var inputs = EncodedCase.Inputs(model);
            foreach (var (e, a) in EncodedCase.Run(encoded.Reference, inputs, false).Zip(EncodedCase.Run(encoded.Encoded, inputs, true)))
                EncodedCase.Near(e, a, (encoding == "matmul-dq" ? 0.05 : 1e-5) * EncodedCase.Largest(e), encoding);
        }
    }

    [TestMethod]
    [DataRow(3), DataRow(8)]
    public void FindsAnInitializerThatIsAnInputToo(int irVersion)
    {
        var model = new ModelBuilder(13, irVersion).Input("x", 1, 32).Input("w", 32, 8).Output("y", 1, 8).Weight("w", 1, 1, 32, 8).Node("MatMul", ["x", "w"], ["y"]).Build();
        // Inputs that only repeat weights go first; one that stays is a caller's to set and no site.
        new InitializerInputs().Apply(model);
        Assert.AreEqual("w", SiteFinder.Find(model).Single().Name);
        CollectionAssert.AreEqual(new[] { "MatMul" }, OptimizedForm.Operators(EncodedCase.Of(model, "cast-mul")!.Encoded));
    }

    [TestMethod]
    public void OneConvolutionWeightOfTwoNodesIsOneSite()
    {
        var model = new ModelBuilder().Input("x", 1, 4, 8, 8).Output("y", 1, 4, 4, 4).Weight("w", 1, 1, 4, 4, 3, 3).Weight("b", 2, 1, 4)
            .Node("Conv", ["x", "w", "b"], ["c"]).Node("Conv", ["c", "w"], ["y"]).Build();
        var site = SiteFinder.Find(model).Single();
        Assert.HasCount(2, site.Uses);
        Assert.IsNull(site.SingleNode);
        Assert.IsNotNull(site.Operator);
        var encoded = EncodedCase.Of(model, "qdq", EncodedCase.Ranges(model, EncodedCase.Inputs(model)))!;
        CollectionAssert.AreEqual(new[] { "QuantizeLinear", "QLinearConv", "QLinearConv", "DequantizeLinear" }, OptimizedForm.Operators(encoded.Encoded));
    }

    [TestMethod]
    public void ATiedEmbeddingIsRestoredAsAWhole()
    {
        // Rows for Gather, transposed product for the output: only a form that suits both is left.
        var model = new ModelBuilder().Input("i", ElementType.Int64, 2, 3).Input("x", 1, 8).Output("e", 2, 3, 8).Output("y", 1, 20).Weight("w", 1, 1, 20, 8)
            .Node("Gather", ["w", "i"], ["e"]).Node("Gemm", ["x", "w"], ["y"], NodeAttribute.Int("transB", 1)).Build();
        var site = SiteFinder.Find(model).Single();
        Assert.IsNull(site.Operator);
        foreach (var encoding in CompressOnBuild.Encodings.EncodingTable.All) Assert.AreEqual(encoding is CompressOnBuild.Encodings.RestoredAtLoad, encoding.Refuses(site, 17) is null, encoding.Id);
        Equivalence.Holds(EncodedCase.Of(model, "cast-mul")!.Reference, EncodedCase.Of(model, "cast-mul")!.Encoded, given: MatrixCase.Given);
    }

    [TestMethod]
    public void ATableReadAlongTwoAxesHasNoRowForm()
    {
        var model = new ModelBuilder().Input("i", ElementType.Int64, 2, 3).Output("y", 2, 3, 9).Output("z", 20, 2, 3).Weight("w", 1, 1, 20, 9)
            .Node("Gather", ["w", "i"], ["y"]).Node("Gather", ["w", "i"], ["z"], NodeAttribute.Int("axis", 1)).Build();
        Assert.IsNull(EncodedCase.Of(model, "gather"));
    }

    [TestMethod]
    public void WhatTheModelShowsIsNoWeightToChange()
    {
        Assert.IsEmpty(SiteFinder.Find(new ModelBuilder().Input("x", 1, 32).Output("y", 1, 8).Output("w", 32, 8).Weight("w", 1, 1, 32, 8).Node("MatMul", ["x", "w"], ["y"]).Build()));
        // A body that hands out a captured weight.
        var left = new ModelBuilder().Output("w", 32, 8);
        var right = new ModelBuilder().Output("r", 32, 8).Constant("r", ModelBuilder.Random(1, 1, 32, 8));
        Assert.IsEmpty(SiteFinder.Find(new ModelBuilder().Input("x", 1, 32).Input("flag", ElementType.Bool).Output("y", 1, 8).Output("v", 32, 8).Weight("w", 1, 1, 32, 8).Node("MatMul", ["x", "w"], ["y"])
            .NodeWithBodies("If", ["flag"], ["v"], ("then_branch", left), ("else_branch", right)).Build()));
    }

    [TestMethod]
    public void LargeConstantsThatNoOperatorCompressesAreTold()
    {
        var model = new ModelBuilder().Input("x", 1, 32).Output("y", 32, 32).Output("s", 32, 32).Weight("w", 1, 1, 32, 32).Weight("p", 2, 1, 32, 32).Weight("q", 3, 1, 5, 5).Weight("v", 4, 1, 1024).Weight("s", 5, 1, 32, 32)
            .Initializer("n", Tensor.Create(new long[1024], 32, 32)).Weight("unused", 6, 1, 32, 32)
            .Node("MatMul", ["x", "w"], ["a"]).Node("Mul", ["a", "p"], ["b"]).Node("Add", ["b", "p"], ["y"]).Node("Neg", ["q"], ["q2"]).Node("Neg", ["v"], ["v2"]).Node("Neg", ["n"], ["n2"]).Build();
        Assert.AreEqual("w", SiteFinder.Find(model).Single().Name);
        CollectionAssert.AreEqual(new[] { ("p", "Add, Mul", "no operator that reads it has a compressed form for it"), ("s", "output", "the graph shows it as an output, whose values stay") },
            SiteFinder.Unmatched(model).Select(u => (u.Name, u.Readers, u.Because)).ToArray());
    }

    [TestMethod]
    public void UnmatchedNamesAreNoSitesNames()
    {
        ModelBuilder Branch(string op) => new ModelBuilder().Output("t", 32, 32).Weight("w", 1, 1, 32, 32).Node(op, ["x", "w"], ["t"]);
        var model = new ModelBuilder().Input("x", 32, 32).Input("flag", ElementType.Bool).Output("y", 32, 32).NodeWithBodies("If", ["flag"], ["y"], ("then_branch", Branch("Add")), ("else_branch", Branch("MatMul"))).Build();
        Assert.AreEqual("w", SiteFinder.Find(model).Single().Name);
        Assert.AreEqual("w#2", SiteFinder.Unmatched(model).Single().Name);
    }

    [TestMethod]
    public void SixteenBitsAreRefusedWhereTheValuesUnderflow()
    {
        WeightDecision Decide(float scale, WeightForm form) => FormTable.Resolve(SiteFinder.Find(new ModelBuilder().Input("x", 1, 32).Output("y", 1, 32)
            .Initializer("w", [.. ModelBuilder.Random(1, 1, 32, 32).ToFloats().Select(v => v * scale)], 32, 32).Node("MatMul", ["x", "w"], ["y"]).Build()).Single(), form, 17, false, "asked");
        foreach (var scale in new[] { 1e-9f, 1e-7f, 1e-30f })
        {
            var refused = Decide(scale, WeightForm.Fp16);
            Assert.AreEqual((WeightForm.None, "COB2106", (string?)null), (refused.Form, refused.Code, refused.Encoding), $"{scale}");
            StringAssert.Contains(refused.Because, "too small");
            Assert.AreEqual(WeightForm.Weights, Decide(scale, WeightForm.Weights).Form);
        }
        foreach (var scale in new[] { 1e-3f, 1, 100, 0 }) Assert.AreEqual(WeightForm.Fp16, Decide(scale, WeightForm.Fp16).Form, $"{scale}");
    }

    [TestMethod]
    public void BiasesIndicesAndVectorsAreNoWeights()
    {
        var sites = SiteFinder.Find(new ModelBuilder().Input("x", 1, 4, 8, 8).Output("y", 1, 4, 6, 6).Weight("w", 1, 1, 4, 4, 3, 3).Weight("b", 2, 1, 4).Weight("v", 3, 1, 6)
            .Initializer("n", Tensor.Create(new long[] { 1, 2, 3, 4 }, 2, 2)).Node("Conv", ["x", "w", "b"], ["c"]).Node("Mul", ["c", "v"], ["y"]).Build());
        Assert.AreEqual("w", sites.Single().Name);
    }

    [TestMethod]
    public void AnAxisOutsideTheTableIsLeftToTheRuntime() => Assert.IsEmpty(SiteFinder.Find(new ModelBuilder().Input("i", ElementType.Int64, 2).Output("y", -1, -2)
        .Weight("w", 1, 1, 20, 8).Node("Gather", ["w", "i"], ["y"], NodeAttribute.Int("axis", 7)).Build()));

    [TestMethod]
    public void WeightsWithNonFiniteOrTooLargeValuesAreLeftAlone()
    {
        WeightDecision Decide(float value, WeightForm wanted)
        {
            var weights = ModelBuilder.Random(1, 1, 32, 32).ToFloats();
            weights[77] = value;
            return FormTable.Resolve(SiteFinder.Find(new ModelBuilder().Input("x", 1, 32).Output("y", 1, 32).Initializer("w", weights, 32, 32).Node("MatMul", ["x", "w"], ["y"]).Build()).Single(), wanted, 17, false, "asked");
        }
        foreach (var value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
            foreach (var form in new[] { WeightForm.Weights, WeightForm.Dynamic, WeightForm.Fp16 }) Assert.AreEqual("COB2106", Decide(value, form).Code);
        Assert.AreEqual("COB2106", Decide(-65520, WeightForm.Fp16).Code);
        Assert.IsNull(Decide(65519, WeightForm.Fp16).Code);
        Assert.IsNotNull(Decide(1e30f, WeightForm.Weights).Encoding);
    }

    [TestMethod]
    public void AnLstmWhosePartnerMatrixIsLeftAloneStaysFloat()
    {
        var model = new ModelBuilder().Input("x", 5, 2, 8).Output("y", 5, 1, 2, 6).Weight("w", 1, 1, 1, 24, 8).Weight("r", 2, 1, 1, 24, 6).Node("LSTM", ["x", "w", "r"], ["y"], NodeAttribute.Int("hidden_size", 6)).Build();
        var sites = SiteFinder.Find(model);
        WeightDecision[] decisions = [.. sites.Select((s, i) => FormTable.Resolve(s, i == 0 ? WeightForm.Dynamic : WeightForm.None, 17, false, "asked"))];
        var settled = FormTable.Settle(decisions, sites, 17);
        Assert.AreEqual("dynamic-lstm", decisions[0].Encoding);
        Assert.AreEqual("cast-mul", settled[0].Encoding);
        Assert.IsNull(settled[1].Encoding);
        Assert.IsTrue(FormTable.Settle([.. sites.Select(s => FormTable.Resolve(s, WeightForm.Dynamic, 17, false, "asked"))], sites, 17).All(d => d.Encoding == "dynamic-lstm"));
    }
}
