using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// Samples in a fixed order, read one at a time: memory does not grow with the number of samples.
/// <see cref="Read"/> and <see cref="ContentHash"/> may be called from several threads.
/// </summary>
internal interface IDataset : IDisposable
{
    /// <summary>What the user gave: a file or a folder, absolute.</summary>
    string Path { get; }
    /// <summary>Number of samples, at least 1.</summary>
    int Count { get; }
    /// <summary>A name of sample <paramref name="index"/> for messages: the row, or the file relative to the folder with <c>/</c>.</summary>
    string Id(int index);
    /// <summary>The label of sample <paramref name="index"/> without reading its inputs; null where the data has none.</summary>
    Label? Label(int index);
    /// <summary>Where the label of sample <paramref name="index"/> is written, for messages: file and line, 0 where it has none.</summary>
    (string File, int Line) LabelPlace(int index) => (Path, 0);
    /// <summary>The kind of all labels.</summary>
    LabelKind LabelKind { get; }
    /// <summary>Names of the classes, by number; null where the data has none.</summary>
    IReadOnlyList<string>? ClassNames => null;
    /// <summary>A small JPEG or PNG of sample <paramref name="index"/> for people; null where samples are no pictures.</summary>
    ReadOnlyMemory<byte>? Thumbnail(int index) => null;
    /// <summary>Sample <paramref name="index"/> with one tensor per model input.</summary>
    /// <exception cref="CompressionException">The stored sample is unreadable or does not fit the model's inputs.</exception>
    Sample Read(int index);
    /// <summary>
    /// The runs that sample <paramref name="index"/> consists of, in their order: itself, or the steps of a recorded sequence, whose inputs
    /// lack the states of <see cref="Recurrence"/>.
    /// </summary>
    IEnumerable<Sample> Runs(int index) => [Read(index)];
    /// <summary>The same for whoever is done with one run when asking for the next sample on the same thread: memory may be used again.</summary>
    IEnumerable<Sample> PassingRuns(int index) => Runs(index);
    /// <summary>Number of <see cref="Runs"/> of sample <paramref name="index"/>.</summary>
    int RunCount(int index) => 1;
    /// <summary>What one run leaves to the next; null where runs do not depend on each other.</summary>
    Recurrence? Recurrence => null;
    /// <summary>SHA-256 (32 bytes) of the raw content of sample <paramref name="index"/> without its label: array slices, or the file's bytes.</summary>
    byte[] ContentHash(int index);
    /// <summary>SHA-256 (32 bytes) over the files that say how samples are read (preprocessing, evaluation.json, alphabet).</summary>
    byte[] ConfigurationHash { get; }
    /// <summary>Every file that was or will be read, absolute, in ordinal order: for the build's change detector.</summary>
    IReadOnlyList<string> Files { get; }
    /// <summary>Folders whose listing decides what the samples are, absolute.</summary>
    IReadOnlyList<string> Folders { get; }
    /// <summary>Files that were looked for and were not there, absolute: one that appears changes how samples are read.</summary>
    IReadOnlyList<string> Absent => Configuration.Absent;
    /// <summary>What <c>evaluation.json</c> says; its defaults where there is none.</summary>
    EvaluationConfiguration Configuration { get; }
    /// <summary>What was found and left out (arrays nobody asked for, unknown preprocessing keys).</summary>
    IReadOnlyList<Diagnostic> Warnings { get; }
}

/// <summary>One input or output of the model. <paramref name="Shape"/>: null for an unknown rank; a null dimension is dynamic.</summary>
internal sealed record ModelValue(string Name, ElementType ElementType, IReadOnlyList<long?>? Shape)
{
    public override string ToString() => $"{ElementType}{(Shape is null ? "" : $"[{string.Join(",", Shape.Select(d => d?.ToString() ?? "?"))}]")}";
}

/// <summary>
/// What is known where a data set is opened. <paramref name="Inputs"/>: the inputs a caller must feed (initializers that are also graph
/// inputs left out), in graph order. <paramref name="Preprocessing"/>: the item's metadata, absolute, or null.
/// <paramref name="ModelFolder"/>: where preprocessor_config.json and evaluation.json are looked for after the data's own folder.
/// <paramref name="AreSteps"/>: the samples are the steps of one sequence; a single label is that of the whole and stands at the last step.
/// </summary>
internal sealed record DatasetContext(IReadOnlyList<ModelValue> Inputs, IReadOnlyList<ModelValue> Outputs, string? Preprocessing = null, string? ModelFolder = null, bool AreSteps = false);

/// <summary>One sample: a tensor per model input, named as the input. <paramref name="ExpectedOutputs"/>: what the data says the model
/// returns (ONNX test data), named as the outputs.</summary>
internal sealed record Sample(string Id, IReadOnlyDictionary<string, Tensor> Inputs, Label? Label, IReadOnlyDictionary<string, Tensor>? ExpectedOutputs = null)
{
    /// <summary>It is a step of a sequence, whose label another step may have.</summary>
    public bool IsStep { get; init; }
    public long ByteCount => Inputs.Values.Sum(t => t.ByteCount) + (Label?.ByteCount ?? 0);
}
