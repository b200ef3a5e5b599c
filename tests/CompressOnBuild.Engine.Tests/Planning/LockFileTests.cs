using System.Text;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Pruning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests.Planning;

/// <summary>The text of a lock file: what is written reads back as the same, and nothing else is followed.</summary>
[TestClass]
public class LockFileTests
{
    private const string Key = "auto balanced cpu";

    [TestMethod]
    public void ReadsBackWhatWasWritten()
    {
        var hostile = "a\"b\\\n\u001b[31m ##vso[task] <<<<<<< µ";
        var plan = new Plan([new("d", WeightForm.Palette, "sparse-mask", 3, "") { Pruning = new(PruningMethod.SparseGpt, 1.0 / 3) }, new("c", WeightForm.Weights, "sparse-mask", 8, "") { Pruning = new(PruningMethod.Wanda, 0.5, 2, 4) }, new("b", WeightForm.None, null, 32, hostile, Codes.WeightTooSmall), new("a", WeightForm.Static, "qdq", 8, "12.5 µs", SaturationSafe: true)],
            [new(hostile, new(0.1f, 255)), new("x", new(1.17549435E-38f, 0)), new("y", new(16777217f / 3, 7))], false, [new("a", [0, -16384, 16384])], Gains: [new("a", [512, 0, -512])], Scales: [new(hostile, [120, -120, 0])]);
        var inputs = new Fingerprint(new Dictionary<string, string> { ["model"] = new('a', 64), ["seed"] = "1" });
        var entry = new LockEntry(inputs, plan, new LockedResult(new('0', 64), 5_000_000_000, 0, [new("top1", 0.990667, 750), new("sqnr", -1.5, 1)], new('e', 64)));
        var bytes = LockFileWriter.Write(LockFile.Empty.With(Key, entry).With(hostile, entry with { Plan = new Plan([], [], true, []) }), "l");
        var read = LockFileReader.Read(bytes, "l");
        Assert.AreEqual(Encoding.UTF8.GetString(bytes), Encoding.UTF8.GetString(LockFileWriter.Write(read, "l")));
        var same = read.Entries[Key];
        CollectionAssert.AreEqual(plan.Weights.Reverse().ToArray(), same.Plan.Weights.ToArray(), "sorted by name");
        CollectionAssert.AreEquivalent(plan.Values.ToArray(), same.Plan.Values.ToArray());
        CollectionAssert.AreEqual(plan.Gains![0].Steps.ToArray(), same.Plan.Gains![0].Steps.ToArray());
        Assert.AreEqual(hostile, same.Plan.Scales![0].Constant);
        CollectionAssert.AreEqual(plan.Scales![0].Steps.ToArray(), same.Plan.Scales![0].Steps.ToArray());
        CollectionAssert.AreEqual(plan.Biases![0].Steps.ToArray(), same.Plan.Biases![0].Steps.ToArray());
        CollectionAssert.AreEqual(entry.Result.Metrics.ToArray(), same.Result.Metrics.ToArray());
        Assert.AreEqual(entry.Result.Evaluator, same.Result.Evaluator);
        Assert.IsEmpty(same.Inputs.Changes(inputs));
        Assert.DoesNotContain((byte)'\r', bytes);
        Assert.DoesNotContain((byte)0x1b, bytes);
    }

    [TestMethod]
    [DataRow("""  "entries": {""", "<<<<<<< HEAD\n  \"entries\": {", Codes.LockHasConflict, 3)]
    [DataRow("\"schemaVersion\": 1", "\"schemaVersion\": 2", Codes.LockVersionNewer, 2)]
    [DataRow("\"schemaVersion\": 1", "\"schemaVersion\": \"1\"", Codes.LockInvalid, 2)]
    [DataRow("\"joinRegions\": true", "\"joinRegion\": true", Codes.LockInvalid, 0)]
    [DataRow("\"joinRegions\": true", "\"joinRegions\": 1", Codes.LockInvalid, 0)]
    [DataRow("\"joinRegions\": true", "\"joinRegions\": true,", Codes.LockInvalid, 0)]
    [DataRow("\"zeroPoint\": ", "\"zeroPoint\": 9", Codes.LockInvalid, 0)]
    [DataRow("\"scale\": ", "\"scale\": -", Codes.LockInvalid, 0)]
    [DataRow("\"form\": \"static\"", "\"form\": \"auto\"", Codes.LockInvalid, 0)]
    [DataRow("\"name\": \"w2\"", "\"name\": \"w1\"", Codes.LockInvalid, 0)]
    [DataRow("\"name\": \"w2\"", "\"name\": \"w9\"", Codes.LockDoesNotFit, 0)]
    [DataRow("\"encoding\": \"cast-mul\"", "\"encoding\": \"qdq\"", Codes.LockDoesNotFit, 0)]
    [DataRow("\"encoding\": \"cast-mul\"", "\"encoding\": \"nothing\"", Codes.LockDoesNotFit, 0)]
    [DataRow("\"bits\": 8", "\"bits\": 4", Codes.LockDoesNotFit, 0)]
    [DataRow("{ \"name\": \"c1\",", "{ \"name\": \"c9\",", Codes.LockDoesNotFit, 0)]
    [DataRow("\"steps\": \"1 ", "\"steps\": \"", Codes.LockDoesNotFit, 0)]
    [DataRow("\"steps\": \"1 ", "\"steps\": \"16385 ", Codes.LockInvalid, 0)]
    [DataRow("\"steps\": \"-5 ", "\"steps\": \"", Codes.LockDoesNotFit, 0)]
    [DataRow("\"steps\": \"-5 ", "\"steps\": \"-513 ", Codes.LockInvalid, 0)]
    public void WhatIsNotALockIsOneErrorWithItsPlace(string old, string replacement, string code, int line)
    {
        var (model, text) = Locked();
        Assert.Contains(old, text);
        var at = text.IndexOf(old, StringComparison.Ordinal);
        var changed = text[..at] + replacement + text[(at + old.Length)..];
        var error = Assert.ThrowsExactly<CompressionException>(() => Follow(model, Encoding.UTF8.GetBytes(changed))).Diagnostic;
        Assert.AreEqual(code, error.Code, error.Message);
        if (code is not Codes.LockDoesNotFit) Assert.IsGreaterThan(0, error.Line);
        if (line > 0) Assert.AreEqual(line, error.Line);
    }

    [TestMethod]
    public void AnythingElseIsRefusedOrBuilds()
    {
        var (model, text) = Locked();
        var random = new Random(7);
        string[] words = ["0", "-1", "1e30", "\"\"", "null", "[]", "\"w1\"", "\"x\"", "\"static\"", "\"none\"", "\"cast-mul\"", "\"fp16-cast\"", "8", "255", "true", "}", ""];
        var tokens = System.Text.RegularExpressions.Regex.Split(text, """("[^"]*"|[{}\[\],:]|-?[0-9][0-9.E-]*)""");
        int followed = 0, refused = 0;
        for (var i = 0; i < 400; i++)
        {
            var changed = tokens.ToArray();
            var at = random.Next(changed.Length);
            changed[at] = random.Next(2) == 0 ? words[random.Next(words.Length)] : tokens[random.Next(tokens.Length)];
            try { Follow(model, Encoding.UTF8.GetBytes(string.Concat(changed))); followed++; }
            catch (CompressionException e) when (e.Diagnostic.Code.StartsWith("COB30", StringComparison.Ordinal)) { refused++; }
        }
        Assert.IsGreaterThan(10, followed);
        Assert.IsGreaterThan(100, refused);
    }

    [TestMethod]
    public void TheHashOfAnEntryIsOfItsLinesAlone()
    {
        var entry = new LockEntry(new Fingerprint(new Dictionary<string, string> { ["seed"] = "1" }), new Plan([], [], true, []), new LockedResult(new('0', 64), 1, 1, []));
        var one = LockFileWriter.Write(LockFile.Empty.With(Key, entry), "l");
        var two = LockFileWriter.Write(LockFile.Empty.With(Key, entry).With("b", entry).With("a", entry), "l");
        var first = LockFileWriter.FirstLine(Key);
        var hash = LockFile.EntrySha256(one, first);
        Assert.AreEqual(hash, LockFile.EntrySha256(two, first));
        Assert.AreEqual(hash, LockFile.EntrySha256(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(two).ReplaceLineEndings("\r\n")), first));
        Assert.AreNotEqual(hash, LockFile.EntrySha256(LockFileWriter.Write(LockFile.Empty.With(Key, entry with { Result = entry.Result with { Bytes = 2 } }), "l"), first));
        Assert.AreNotEqual(LockFile.EntrySha256(one, "absent"), LockFile.EntrySha256(two, "absent"), "what cannot be found is all of the file");
    }

    /// <summary>A small model with a lock of static, weights-only and left weights and a corrected bias.</summary>
    private static (Model Model, string Text) Locked()
    {
        var model = new ModelBuilder().Input("x", 1, 8, 6, 6).Output("y", 1, 8, 6, 6).Weight("w1", 1, 1, 8, 8, 3, 3).Initializer("b1", [1, 2, 3, 4, 5, 6, 7, 8], 8).Weight("w2", 2, 1, 8, 8, 3, 3)
            .Node("Conv", ["x", "w1", "b1"], ["c1"], NodeAttribute.Ints("pads", 1, 1, 1, 1)).Node("Conv", ["c1", "w2"], ["y"], NodeAttribute.Ints("pads", 1, 1, 1, 1)).Build();
        var plan = new Plan([new("w1", WeightForm.Static, EncodingTable.Static.Id, 8, "", SaturationSafe: true), new("w2", WeightForm.Weights, EncodingTable.CastMul.Id, 8, "")],
            [new("x", new QuantizationParameters(0.5f, 28)), new("c1", new QuantizationParameters(0.25f, 33))], true, [new("w1", [1, 0, 0, 0, 0, 0, 0, -3])], Gains: [new("w1", [-5, 0, 0, 0, 0, 0, 0, 6])]);
        var entry = new LockEntry(new Fingerprint(new Dictionary<string, string>()), plan, new LockedResult(new('0', 64), 1, 1, []));
        return (model, Encoding.UTF8.GetString(LockFileWriter.Write(LockFile.Empty.With(Key, entry), "l")));
    }

    private static void Follow(Model model, byte[] text)
    {
        if (!LockFileReader.Read(text, "l").Entries.TryGetValue(Key, out var entry)) return;
        var plan = LockedPlan.Fit(entry.Plan, new Planner(model, Recipe.Load("auto"), null), "l");
        OnnxWriter.ToBytes(new Transformer(model, new Dictionary<string, float[]>()).Apply(plan));
    }
}
