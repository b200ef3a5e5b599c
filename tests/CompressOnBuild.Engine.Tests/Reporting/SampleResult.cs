using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Engine.Tests.Reporting;

/// <summary>A result with every kind of entry, in a folder of its own.</summary>
internal static class SampleResult
{
    public const string Hostile = "a\n##vso[task.setvariable variable=x]b\r\n::add-mask::c\u001b[31m<script>alert(1)</script>|`code`[link](http://x.y)\u202e@all";

    // One pixel.
    private const string TinyPicture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    public static CompressionResult Create(string folder = "/work space/obj/compressed/mobilenetv2", string name = "features.0.weight") => new()
    {
        Request = new CompressionRequest
        {
            Model = "/home/someone/app/models/mobilenetv2.onnx", Output = folder, Name = "mobilenetv2",
            EvaluationData = "/home/someone/app/data/val", MaxSize = new SizeLimit(null, 0.3), Require = [new Requirement("top1", true, 0.8)],
        },
        Verdict = Verdict.Pass,
        Original = new ModelFacts(new string('a', 64), 13_968_021, 13_968_021, 3_487_816, 3_480_000, 312_000_000),
        Compressed = new ModelFacts(new string('b', 64), 3_712_345, 3_712_345, 3_487_816, 3_480_000, 312_000_000),
        Weights =
        [
            new WeightFacts(name, "Conv", [32, 3, 3, 3], "round-to-nearest", "qdq-static", 8, 0, null, 3456, 992, "static QDQ is 2.3x faster than float for Conv") { SignalToNoise = 38.25 },
            new WeightFacts("classifier.1.weight", "Gemm", [1000, 1280], "round-to-nearest", "qdq-static", 8, 0.25, 16, 5_120_000, 1_284_000, "rule 1 of the recipe"),
        ],
        Skipped = [new SkippedWeight("head.bias_table", "Gather", [12, 4], 192, "COB2020", "192 bytes: a scale would cost more than it saves")],
        Steps = ["folded 35 BatchNormalization into Conv", "calibrated 105 activations on 100 samples"],
        Warnings = [new Diagnostic(Severity.Warning, "COB1101", "/home/someone/app/data/val/labels.csv has 3 rows without a file.", "/home/someone/app/data/val/labels.csv", 3)],
        Provenance = new Provenance(new string('a', 64), "auto", new string('c', 64), new string('d', 64), null, new string('e', 64), "1.0.0", "1.31.1", 1, "cpu"),
        Measurements = new Measurements
        {
            Metrics =
            [
                new MetricResult("top1", 0.828, 0.825, 0.003, 0.01, 900, new Interval(-0.003, 0.009), true),
                new MetricResult("sqnr", double.PositiveInfinity, 31.42, double.NaN, null, 900, null, true),
            ],
            Avx2 = new Avx2Accuracy
            {
                Basis = Avx2Basis.Emulated, Products = 3, CountedSamples = 20, Metrics = [new MetricResult("top1", 0.828, 0.701, 0.127, 0.01, 900, new Interval(0.1, 0.15), false)],
                Weights = [new SaturatingWeight(name, "QLinearConv", 1000, 20, 40_000, 100, null), new SaturatingWeight("lstm.W", "DynamicQuantizeLSTM", 500, 3, 0, 0, "DynamicQuantizeLSTM is not emulated")],
            },
            Latency = new Latency(10.5, 5.0, 1.9, 2.1, 2.3),
            PeakMemoryBytes = 310_000_000, Seconds = 11.24, Processor = "Some CPU", InstructionSets = ["AVX2"], OnnxRuntime = "1.31.1",
            Candidates = [new CandidateResult("static", 3_712_345, 0.825, 0.003, 0.45, true), new CandidateResult("weights", 3_700_000, null, double.NaN, null, false)],
            Changes = new OutputChanges
            {
                Samples = 900, Equal = 2, Histogram = [new(20, 25, 3), new(25, 30, 0), new(30, 35, 895)], MedianSignalToNoise = 33.21, Decided = 900, Changed = 4, RightToWrong = 3, WrongToRight = 1,
                Pairs = [new DecisionChange("cat", name, 3, 3, 0), new DecisionChange(name, "cat", 1, 0, 1)],
                Worst = [new SampleChange(name, 20.5, "cat", "cat", name, Convert.FromBase64String(TinyPicture)), new SampleChange("0007.png", double.NegativeInfinity, null, null, null, null)],
            },
        },
        Folder = folder,
        OutputModel = Path.Combine(folder, "mobilenetv2.onnx"),
        InputNames = ["input"], OutputNames = ["output", "tab\tand\nline\\"],
    };
}
