using CompressOnBuild.Diagnostics;
using CompressOnBuild.Engine.Tests.Planning;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>A lock file in whole runs: what is followed, what renews it, and what is refused.</summary>
[TestClass]
public class LockTests
{
    private const double Limit = 0.05;
    private const string Renew = "dotnet build -p:CompressOnBuildForceEvaluate=true";

    [TestMethod]
    [DataRow(true), DataRow(false, DisplayName = "a recipe without feedback needs no calibration either")]
    public void UnchangedInputsAreFollowedWithoutSearchAndGiveTheSameBytes(bool feedback)
    {
        using var model = Searched();
        var recipe = model["recipe.json"];
        File.WriteAllText(recipe, Recipe.PresetText("auto")!.Replace("\"errorFeedback\": true", $"\"errorFeedback\": {(feedback ? "true" : "false")}", StringComparison.Ordinal));
        CompressionResult Run(ModelCase model, out string[] stages, Func<CompressionRequest, CompressionRequest>? change = null) =>
            LockTests.Run(model, out stages, r => (change ?? (c => c))(r with { Recipe = recipe }));
        var searched = Run(model, out var stages, r => r with { Lock = true, Threads = 2 });
        Assert.IsGreaterThan(1, searched.Measurements.Candidates.Count, "nothing was searched");
        CollectionAssert.Contains(stages, "calibrating");
        Assert.IsTrue(searched.Weights.Where(w => w.Operator == "Conv" && w.Bits == 8).All(w => w.Technique.StartsWith(feedback ? "rounding with error feedback" : "rounding to nearest", StringComparison.Ordinal)), "the report names what was done");
        var (outputs, lockFile) = (Deterministic(model), File.ReadAllBytes(model.Request.LockPath));
        Assert.HasCount(3, File.ReadAllLines(model.Request.LockPath).Where(l => l.Contains("\"steps\": \"", StringComparison.Ordinal)), "biases to correct");

        // The file alone opts in.
        var followed = Run(model, out stages, r => r with { Threads = 1 });
        Assert.IsEmpty(stages.Where(s => (s.Contains("calibrating", StringComparison.Ordinal) && !feedback) || s.Contains("selection", StringComparison.Ordinal) || s.Contains("forms", StringComparison.Ordinal)), string.Join(", ", stages));
        Assert.IsEmpty(followed.Measurements.Candidates);
        Assert.AreEqual(searched.Measurements.Metrics[0], followed.Measurements.Metrics[0], "the gate still runs");
        CollectionAssert.AreEqual(outputs, Deterministic(model));
        CollectionAssert.AreEqual(lockFile, File.ReadAllBytes(model.Request.LockPath));
        Run(model, out _, r => r with { LockedMode = true });

        File.Delete(model.Request.LockPath);
        Run(model, out _, r => r with { Lock = true, Threads = 1 });
        CollectionAssert.AreEqual(lockFile, File.ReadAllBytes(model.Request.LockPath), "threads change nothing");
    }

    [TestMethod]
    public void WhatTheLockSaysIsBuiltAndOtherBytesThanItsHashAreTold()
    {
        using var model = Searched();
        var before = Run(model, out _, r => r with { Lock = true });
        Assert.AreEqual("qdq", before.Weights.Single(w => w.Name == "w3").Encoding);
        Edit(model, """{ "name": "w4", "form": "weights", "encoding": "cast-mul", "bits": 8,""", """{ "name": "w4", "form": "none", "bits": 32, "code": "COB2105",""");
        var edited = File.ReadAllBytes(model.Request.LockPath);
        var after = Run(model, out _);
        Assert.AreEqual("w4", after.Skipped.Single().Name);
        StringAssert.Contains(after.Warnings.Single(w => w.Code == Codes.LockGaveOtherBytes).Message, $"{after.Compressed.Sha256[..8]}…) than it says ({before.Compressed.Sha256[..8]}…)");
        Refused(Codes.LockGaveOtherBytes, model, r => r with { LockedMode = true });
        CollectionAssert.AreEqual(edited, File.ReadAllBytes(model.Request.LockPath));
        Run(model, out _, r => r with { ForceEvaluate = true });
        Assert.AreEqual(before.Compressed.Sha256, Run(model, out _, r => r with { LockedMode = true }).Compressed.Sha256);
    }

    [TestMethod]
    public void OtherBytesOfAnotherKindOfProcessorAreAWarningInLockedModeToo()
    {
        using var model = Searched();
        var made = Run(model, out _, r => r with { Lock = true });
        var sets = Processor.Kind;
        StringAssert.Contains(File.ReadAllText(model.Request.LockPath), $"\"processor\": \"{sets}\"");
        Edit(model, made.Compressed.Sha256, new string('0', 64));
        Refused(Codes.LockGaveOtherBytes, model, r => r with { LockedMode = true });
        Edit(model, $"\"processor\": \"{sets}\"", "\"processor\": \"sse\"");
        var followed = Run(model, out _, r => r with { LockedMode = true });
        Assert.AreEqual(made.Compressed.Sha256, followed.Compressed.Sha256);
        StringAssert.Contains(followed.Warnings.Single(w => w.Code == Codes.LockGaveOtherBytes).Message, $"this processor ({sets}) computes other last bits than the one where it was made (sse)");
    }

    [TestMethod]
    public void LockedModeNamesEveryInputThatChangedAndTheCommandThatRenews()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(60)));
        File.WriteAllText(model["own.json"], """{ "version": 1, "search": true, "rules": [{ "form": "weights" }] }""");
        CompressionRequest Locked(CompressionRequest r) => r with { Recipe = model["own.json"], MaxAccuracyDrop = Limit };
        Run(model, out _, r => Locked(r) with { Lock = true });
        var good = File.ReadAllText(model.Request.LockPath);
        Names("MaxAccuracyDrop (0.05 -> 0.04)", r => r with { MaxAccuracyDrop = 0.04 });
        Names("Metric (top1 agreement kl -> cosine top1 agreement kl)", r => r with { Metrics = ["cosine", "top1"] });
        Names("Seed (1 -> 2)", r => r with { Seed = 2 });
        Names("the calibration samples (", r => r with { CalibrationData = Network.Unlabelled([.. Network.Pictures(70).Skip(60)]).Save(model["calib.npz"]) });
        var more = Network.Labelled(network, Network.Pictures(90)).Save(model["more.npz"]);
        foreach (var samples in new[] { "the calibration samples (", "the evaluation samples that a search looks at (", "the evaluation samples of the gate (" })
            Names(samples, r => r with { EvaluationData = more });
        Edit(model, $"\"package\": \"{Compressor.ToolVersion}\"", "\"package\": \"0.9.0\"");
        Names($"the version of CompressOnBuild (0.9.0 -> {Compressor.ToolVersion})", r => r);
        File.WriteAllText(model.Request.LockPath, good);
        File.WriteAllText(model["own.json"], """{ "version": 1, "search": true, "rules": [{ "form": "fp16" }] }""");
        Names("the recipe (", r => r);
        File.WriteAllBytes(model.Model, Google.Protobuf.MessageExtensions.ToByteArray(Network.Build(weight: 1).Proto));
        Names("the recipe (", r => r);
        Names("the model (", r => r);
        Assert.AreEqual(good, File.ReadAllText(model.Request.LockPath));

        void Names(string change, Func<CompressionRequest, CompressionRequest> with)
        {
            var error = Refused(Codes.LockedInputsChanged, model, r => with(Locked(r)) with { LockedMode = true });
            StringAssert.Contains(error.Message, change);
            StringAssert.Contains(error.Message, Renew);
            Assert.AreEqual(model.Request.LockPath, error.File);
        }
    }

    [TestMethod]
    public void ChangedInputsRenewTheirEntryAndLeaveTheOthers()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(60)));
        Run(model, out _, r => r with { Recipe = "int8-weights", Lock = true });
        Run(model, out _, r => r with { Recipe = "fp16" });
        string[] Lines() => File.ReadAllLines(model.Request.LockPath);
        var before = Lines();
        Assert.HasCount(2, before.Where(l => l.EndsWith(" balanced cpu\": {", StringComparison.Ordinal)));
        var first = Array.FindIndex(before, l => l.Contains("int8-weights balanced cpu", StringComparison.Ordinal));

        var changed = Run(model, out _, r => r with { Recipe = "fp16", Seed = 2 });
        CollectionAssert.Contains(changed.Warnings.Select(w => w.Code).ToArray(), Codes.LockNotComparable, "another seed, other samples in the gate");
        var after = Lines();
        CollectionAssert.AreEqual(before[first..], after[first..]);
        CollectionAssert.AreNotEqual(before[..first], after[..first]);
        // A review sees the lines that changed: three splits and the seed; all decisions stayed.
        Assert.HasCount(before.Length, after);
        Assert.IsLessThanOrEqualTo(5, before.Zip(after).Count(p => p.First != p.Second));
        StringAssert.Contains(Refused(Codes.LockMissing, model, r => r with { Recipe = "int8", LockedMode = true }).Message, "It has 'fp16 balanced cpu', 'int8-weights balanced cpu'.");
    }

    [TestMethod]
    public void AWorseResultThanTheAcceptedOneFailsUntilItIsAccepted()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(80)));
        CompressionRequest Weights(CompressionRequest r) => r with { Recipe = "int8-weights", MaxAccuracyDrop = Limit, Metrics = ["top1"] };
        Run(model, out _, r => Weights(r) with { Lock = true });
        var accepted = File.ReadAllText(model.Request.LockPath);

        // "Retrained": the classifier has forgotten a class. Compression itself loses nothing.
        var retrained = Network.Build();
        var classifier = retrained.Proto.Graph.Initializer.Single(i => i.Name == "b4");
        classifier.MergeFrom(Tensor.Create([-1e6f, 0, 0, 0, 0, 0, 0, 0], Network.Classes).ToProto("b4"));
        retrained.Proto.Graph.Initializer.Remove(classifier);
        retrained.Initializer("b4", [-1e6f, 0, 0, 0, 0, 0, 0, 0], Network.Classes);
        File.WriteAllBytes(model.Model, Google.Protobuf.MessageExtensions.ToByteArray(retrained.Proto));
        var error = Assert.ThrowsExactly<GateException>(() => Run(model, out _, Weights));
        Assert.HasCount(1, error.Errors, "against its own original it lost nothing");
        Assert.AreEqual(Codes.Regressed, error.Diagnostic.Code);
        var (value, samples) = (error.Result.Measurements.Metrics[0].Compressed, error.Result.Measurements.Metrics[0].Samples);
        StringAssert.StartsWith(error.Message, FormattableString.Invariant($"top1 of the compressed model is {value:0.####}; the accepted result of the lock file is 1 on the same {samples} samples (worse by {1 - value:0.####}, MaxRegression 0.005)."));
        StringAssert.Contains(error.Message, Renew);
        Assert.AreEqual(accepted, File.ReadAllText(model.Request.LockPath), "what failed is not accepted");

        Run(model, out _, r => Weights(r) with { ForceEvaluate = true });
        Assert.AreNotEqual(accepted, File.ReadAllText(model.Request.LockPath));
        Run(model, out _, r => Weights(r) with { LockedMode = true });
        File.WriteAllText(model.Request.LockPath, accepted);
        Run(model, out _, r => Weights(r) with { MaxRegression = 0.9 });
    }

    [TestMethod]
    public void AResultOfAnotherVersionOfTheEvaluatorIsNotComparedAndItsPlanIsFollowed()
    {
        var network = Network.Build();
        using var model = new ModelCase(network).With(Network.Labelled(network, Network.Pictures(60)));
        CompressionRequest Own(CompressionRequest r) => r with { Recipe = "int8-weights", MaxAccuracyDrop = 0.9, Evaluator = Evaluation.EvaluatorAssemblyTests.Reference(nameof(Evaluation.EvaluatorAssemblyTests.Hits)) };
        Run(model, out _, r => Own(r) with { Lock = true });
        Assert.IsEmpty(Run(model, out _, Own).Warnings.Where(w => w.Code == Codes.LockNotComparable));
        var value = System.Text.RegularExpressions.Regex.Match(File.ReadAllText(model.Request.LockPath), "\"evaluator\": \"([0-9a-f]{64})\"").Groups[1].Value;
        Edit(model, "\"name\": \"hits\", \"value\": 1,", "\"name\": \"hits\", \"value\": 9,");
        Assert.AreEqual(Codes.Regressed, Assert.ThrowsExactly<GateException>(() => Run(model, out _, Own)).Diagnostic.Code);

        Edit(model, value, new string('0', 64));
        var before = File.ReadAllText(model.Request.LockPath);
        var followed = Run(model, out var stages, r => Own(r) with { LockedMode = true });
        var warning = followed.Warnings.Single(w => w.Code == Codes.LockNotComparable);
        StringAssert.Contains(warning.Message, $"another version of the evaluator gave it (00000000 -> {value[..8]}). Accept the new result and commit the lock file: {Renew}.");
        Assert.AreEqual(before, File.ReadAllText(model.Request.LockPath));
        Run(model, out _, r => Own(r) with { ForceEvaluate = true });
        Assert.IsEmpty(Run(model, out _, r => Own(r) with { LockedMode = true }).Warnings.Where(w => w.Code == Codes.LockNotComparable));
    }

    [TestMethod]
    public void ModesThatCannotBeServedAreErrors()
    {
        var network = Network.Build();
        using var model = new ModelCase(network);
        StringAssert.Contains(Refused(Codes.LockMissing, model, r => r with { LockedMode = true }).Message, "dotnet build -p:CompressOnBuildLock=true");
        Refused(Codes.LockModesContradict, model, r => r with { LockedMode = true, ForceEvaluate = true });
        Refused(Codes.RegressionWithoutLock, model, r => r with { MaxRegression = 0.1 });
        Refused(Codes.LimitWithoutData, model, r => r with { Lock = true, MaxRegression = 0.1 });
        Assert.IsFalse(File.Exists(model.Request.LockPath));
        var unmeasured = Run(model, out _, r => r with { Lock = true });
        Assert.AreEqual(unmeasured.Compressed.Sha256, Run(model, out _, r => r with { LockedMode = true }).Compressed.Sha256, "without data there is a plan too");
    }

    [TestMethod]
    public void AFileThatIsTooLargeOrTooDeepIsRefused()
    {
        using var model = new ModelCase(Network.Build());
        File.WriteAllText(model.Request.LockPath, string.Concat(Enumerable.Repeat("[", 100_000)));
        Refused(Codes.LockInvalid, model, r => r);
        using (var file = File.OpenWrite(model.Request.LockPath)) file.SetLength(5L << 30);
        StringAssert.Contains(Refused(Codes.LockInvalid, model, r => r).Message, "at most");
        Assert.AreEqual(Verdict.Unmeasured, Run(model, out _, r => r with { ForceEvaluate = true }).Verdict, "whoever renews need not read it");
    }

    [TestMethod]
    public void AFolderThatCannotBeWrittenIsToldBeforeTheWork()
    {
        using var folder = new ScratchFolder();
        var sources = Directory.CreateDirectory(folder["sources"]).FullName;
        var path = Path.Combine(sources, "m.onnx");
        File.WriteAllBytes(path, Google.Protobuf.MessageExtensions.ToByteArray(Network.Build().Proto));
        string[] request = [path, "--output", folder["out"], "--recipe", "int8-weights"];
        Posix.SetMode(sources, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        StringAssert.Contains(Posix.CompressWithoutPrivileges([.. request, "--lock"]).Output, $"error {Codes.LockNotWritable}");
        Posix.SetMode(sources, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.AreEqual(0, WorkerProcess.Compress([.. request, "--lock"]).ExitCode);
        Posix.SetMode(sources, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.AreEqual(0, Posix.CompressWithoutPrivileges(request).ExitCode, "following writes nothing there");
        Posix.SetMode(sources, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [TestMethod]
    public void WritersThatCannotTakeTurnsAreACodedError()
    {
        foreach (Exception refusal in new Exception[] { new UnauthorizedAccessException("Access is denied."), new IOException("No space left on device.") })
        {
            var error = Assert.ThrowsExactly<CompressionException>(() => ModelLock.Turn("/models/m.onnx.lock.json", _ => throw refusal)).Diagnostic;
            Assert.AreEqual((Codes.LockNotWritable, "/models/m.onnx.lock.json"), (error.Code, error.File));
            StringAssert.Contains(error.Message, $"cannot take turns: {refusal.Message} The folder for temporary files must be writable");
        }
        string? one = null, other = null;
        using (ModelLock.Turn("/models/m.onnx.lock.json", name => new Mutex(false, one = name)))
        using (ModelLock.Turn("/models/n.onnx.lock.json", name => new Mutex(false, other = name))) Assert.AreNotEqual(one, other, "files do not wait for each other");
    }

    /// <summary>A network of which a search takes parts back, with two biases to correct whose weights are sorted in another order than the graph has.</summary>
    private static ModelCase Searched()
    {
        var network = Network.Build(activation: 2000);
        var convolutions = network.Proto.Graph.Node.Where(n => n.OpType == "Conv").ToArray();
        network.Proto.Graph.Initializer.Single(i => i.Name == "w1").Name = convolutions[0].Input[1] = "z1";
        foreach (var convolution in convolutions)
        {
            convolution.Input.Add("b_" + convolution.Input[1]);
            network.Initializer(convolution.Input[2], [.. Enumerable.Range(0, Network.Channels).Select(i => i * 0.01f - 0.1f)], Network.Channels);
        }
        return new ModelCase(network).With(Network.Labelled(network, Network.Pictures(80)));
    }

    private static CompressionResult Run(ModelCase model, out string[] stages, Func<CompressionRequest, CompressionRequest>? change = null)
    {
        var log = new StageLog();
        var result = Compressor.Run((change ?? (r => r))(model.Request with { MaxAccuracyDrop = model.Request.EvaluationData is null ? null : Limit }), log, default);
        stages = [.. log.Stages];
        return result;
    }

    private static Diagnostic Refused(string code, ModelCase model, Func<CompressionRequest, CompressionRequest> change)
    {
        var error = Assert.ThrowsExactly<CompressionException>(() => Run(model, out _, change)).Diagnostic;
        Assert.AreEqual(code, error.Code, error.Message);
        return error;
    }

    private static void Edit(ModelCase model, string old, string replacement)
    {
        var text = File.ReadAllText(model.Request.LockPath);
        StringAssert.Contains(text, old);
        File.WriteAllText(model.Request.LockPath, text.Replace(old, replacement, StringComparison.Ordinal));
    }

    private static string[] Deterministic(ModelCase model) => [.. model.Outputs().Where(o => o.StartsWith("m.onnx", StringComparison.Ordinal) || o.StartsWith("report.json", StringComparison.Ordinal))];

    private sealed class StageLog : ICompressionLog
    {
        public List<string> Stages { get; } = [];
        public void Stage(string text) => Stages.Add(text);
        public void Progress(double fraction, string text) { }
        public void Warning(Diagnostic diagnostic) { }
    }
}
