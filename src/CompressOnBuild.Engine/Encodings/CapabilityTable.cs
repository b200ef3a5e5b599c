using NuGet.Versioning;

namespace CompressOnBuild.Encodings;

/// <summary>
/// One fact: these versions of ONNX Runtime run a form on these targets, or must not be given it.
/// </summary>
/// <param name="Form">Id of the encoding.</param>
/// <param name="Targets">Where this holds.</param>
/// <param name="Versions">A NuGet version range.</param>
/// <param name="Says">What is so, as the end of a sentence.</param>
/// <param name="Source">Who says it: a page, a pull request or issue of the repository microsoft/onnxruntime (#), or "measured", on x64 with the versions named.</param>
/// <param name="Forbids">They must not be given it.</param>
/// <param name="Bits">The width this is about; null: any.</param>
/// <param name="Block">The number of elements that share a scale; null: any.</param>
internal sealed record Capability(string Form, IReadOnlyList<Target> Targets, string Versions, string Says, string Source, bool Forbids = false, int? Bits = null, int? Block = null)
{
    public VersionRange Range { get; } = VersionRange.Parse(Versions);

    /// <summary>Whether the row says something of this form there.</summary>
    public bool IsAbout(string form, Target target, int bits, int block) =>
        Form == form && Targets.Contains(target) && (Bits is null || Bits == bits) && (Block is null || Block == block);
}

/// <summary>The newest operator set and IR version that versions from <paramref name="From"/> on load.</summary>
internal sealed record RuntimeRelease(string From, int Opset, int IrVersion);

/// <summary>
/// What is known of ONNX Runtime's versions and execution providers, as rows. "Measured" is: small models in each form were loaded and run by the
/// releases 1.12.1, 1.14.0, 1.16.3, 1.18.0, 1.20.1 to 1.27.0 (one each) and 1.29.0, and the results and times compared with floats.
/// </summary>
internal static class CapabilityTable
{
    private const string Measured = "measured", Always = "[1.0,)";
    /// <summary>Every version.</summary>
    public const string Ever = "[0.0,)";
    private const string Cuda = "onnxruntime.ai/docs/performance/model-optimizations/quantization, docs/FAQ.md: quantized operators of the CUDA build are QuantizeLinear, DequantizeLinear, MatMulInteger",
        Qnn = "onnxruntime.ai/docs/execution-providers/QNN-ExecutionProvider", CoreMl = "onnxruntime.ai/docs/execution-providers/CoreML-ExecutionProvider",
        Web = "js/web/docs/webgpu-operators.md", Dml = "docs/OperatorKernels.md, DmlExecutionProvider";

    private static readonly Target[] All = Enum.GetValues<Target>(), Cpus = [Target.Cpu, Target.CpuVnni];

    /// <summary>Releases, oldest first. Source: docs "ONNX Runtime compatibility", and measured.</summary>
    public static IReadOnlyList<RuntimeRelease> Releases { get; } =
    [
        new("0.0", 10, 5), new("1.0", 11, 6), new("1.3", 12, 6), new("1.6", 13, 7), new("1.8", 14, 7), new("1.9", 15, 7), new("1.11", 16, 8), new("1.12", 17, 8),
        new("1.14", 18, 8), new("1.15", 19, 9), new("1.17", 20, 9), new("1.18", 21, 10), new("1.21", 22, 10), new("1.23", 23, 11), new("1.24", 25, 13), new("1.25", 26, 13),
    ];

    /// <summary>The newest operator set of which a provider runs the operators, where that is less than the release loads.</summary>
    public static IReadOnlyDictionary<Target, (int Opset, string Source)> Opsets { get; } = new Dictionary<Target, (int, string)>
    {
        [Target.DirectMl] = (20, "onnxruntime.ai/docs/execution-providers/DirectML-ExecutionProvider: opset 20; higher ones are unsupported and slow"),
    };

    public static IReadOnlyList<Capability> Rows { get; } =
    [
        // Ordinary operators on constants, which are computed once at load before any provider sees the graph.
        Runs("cast-mul", All, Always, "restores the weight at load", "onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations: constant folding; measured"),
        Runs("packed-mul", All, Always, "restores the weight at load", "as cast-mul; measured"),
        Runs("fp16-cast", All, Always, "restores the weight at load", "as cast-mul; measured"),
        Runs("palette", All, Always, "restores the weight at load", "as cast-mul"),
        Runs("sparse-mask", All, Always, "restores the weight at load", "as cast-mul"),

        Runs("gather", [.. Cpus, Target.Cuda, Target.DirectMl, Target.Web], Always, "has Gather of 8-bit integers", "docs/OperatorKernels.md; measured on the CPU"),
        Not("gather", [Target.Qnn], "its HTP has no Gather of plain integers", Qnn),
        Not("gather", [Target.CoreMl], "it has no Gather of 8-bit integers", CoreMl),

        // QDQ of Conv, Gemm and MatMul, weights per channel.
        Runs("qdq", Cpus, "[1.12,)", "fuses it to integer kernels", "core/optimizer/qdq_transformer; " + Measured),
        Runs("qdq", [Target.DirectMl], "[1.17,)", "has QLinearConv and QLinearMatMul", Dml),
        Runs("qdq", [Target.Qnn], "[1.15,)", "runs QDQ models on the NPU", Qnn + ": the HTP backend needs a quantized model of fixed shapes"),
        Not("qdq", [Target.Cuda], "it has no integer convolution; only TensorRT runs QDQ fast", Cuda),
        Not("qdq", [Target.CoreMl], "it takes no QDQ nodes, which would go to the CPU one by one", CoreMl),
        Not("qdq", [Target.Web], "WebGPU has no QuantizeLinear and no integer convolution", Web),

        Runs("dynamic-matmul", Cpus, "[1.12,)", "fuses it to DynamicQuantizeMatMul", Measured),
        Runs("dynamic-matmul", [Target.DirectMl], "[1.18,)", "has DynamicQuantizeMatMul", Dml),
        Not("dynamic-matmul", [Target.Cuda], "it has no DynamicQuantizeLinear", Cuda),
        Not("dynamic-matmul", [Target.Qnn], "its NPU runs calibrated ranges only", Qnn),
        Not("dynamic-matmul", [Target.CoreMl], "it has no integer matrix product", CoreMl),
        Not("dynamic-matmul", [Target.Web], "WebGPU has no DynamicQuantizeLinear", Web),

        Runs("dynamic-lstm", Cpus, "[1.12,)", "has DynamicQuantizeLSTM", Measured),
        Not("dynamic-lstm", [.. All.Except(Cpus)], "DynamicQuantizeLSTM has a kernel for the CPU alone", "docs/OperatorKernels.md"),

        // DequantizeLinear of int8 per channel before a matrix product. Older releases dequantize the whole matrix at every run: 15 to 25 times slower than floats.
        Runs("matmul-dq", Cpus, "[1.25,)", "fuses 8 bits per channel to MatMulNBits", "#27614, #27769; " + Measured),
        Not("matmul-dq", [.. All.Except(Cpus)], "DequantizeLinear before a matrix product runs at every call there", "#27769 was made for the CPU; not known for other providers"),

        // MatMulNBits with accuracy level 4. 1.16.3 does not know the attribute.
        Runs("matmul-nbits", Cpus, "[1.18,)", "has MatMulNBits of 4 bits", "#18101, #17669; " + Measured, bits: 4),
        Runs("matmul-nbits", Cpus, "[1.22,)", "has MatMulNBits of 8 bits", "#24384, #24491; " + Measured, bits: 8),
        // 1.24 to 1.27 run 2 bits 15 to 150 times slower than floats.
        Runs("matmul-nbits", Cpus, "[1.29,)", "has fast kernels of 2 bits", "#29064, #29466, #29619; " + Measured, bits: 2),
        Not("matmul-nbits", Cpus, "2 bits in blocks of 16 have no fast kernel", "#29064: blocks of 32, 64, 128; " + Measured, bits: 2, block: 16),
        Not("matmul-nbits", All, "blocks of 512 give zeros or noise, and later an error", "#28551, #31678; " + Measured, block: 512),
        Runs("matmul-nbits", [Target.Cuda], "[1.18,)", "has MatMulNBits of 4 bits", "docs/ContribOperators.md, docs/OperatorKernels.md", bits: 4),
        Runs("matmul-nbits", [Target.DirectMl], "[1.20,)", "has MatMulNBits of 4 bits", "#22114", bits: 4),
        Runs("matmul-nbits", [Target.Web], "[1.18,)", "has MatMulNBits of 4 bits", Web, bits: 4),
        Not("matmul-nbits", [Target.Qnn], "its NPU takes no operator of ONNX Runtime's own", Qnn),
        Not("matmul-nbits", [Target.CoreMl], "it takes no operator of ONNX Runtime's own", CoreMl),
    ];

    private static Capability Runs(string form, Target[] targets, string versions, string says, string source, int? bits = null, int? block = null) => new(form, targets, versions, says, source, Bits: bits, Block: block);

    private static Capability Not(string form, Target[] targets, string says, string source, string versions = Ever, int? bits = null, int? block = null) => new(form, targets, versions, says, source, Forbids: true, bits, block);
}
