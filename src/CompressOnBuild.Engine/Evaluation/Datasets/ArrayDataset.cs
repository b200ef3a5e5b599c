using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// An .npz file or .npy files: one array per model input, named as the input, first axis = samples. An array of the input's rank gives
/// sample i as a[i:i+1]; one of one rank more gives a[i] (so a scalar input has an array of shape [n]). <c>labels</c>, where there are any:
/// <see cref="NpzLabels"/>.
/// </summary>
internal sealed class ArrayDataset : IDataset
{
    private readonly IArrayStore store;
    private readonly List<(ModelValue Input, NpyArray Array, long[] Shape)> inputs = [];
    private readonly Dictionary<string, Tensor> constants;
    private readonly NpzLabels? labels;
    // The only label is that of a whole sequence, which stands at its last step.
    private readonly bool isWhole;

    /// <summary>The arrays of an .npz file.</summary>
    public static ArrayDataset OfNpz(string path, DatasetContext context) => new(path, ConfigurationOf(path, context), context, _ => new NpzFile(path), null);

    /// <summary>One array, for a model of one input, with labels beside it; its name does not matter.</summary>
    public static ArrayDataset OfNpy(string path, DatasetContext context) =>
        new(path, ConfigurationOf(path, context), context, c => NpyFiles.OfFile(path, c.Labels), System.IO.Path.GetFileNameWithoutExtension(path));

    /// <summary>A folder of .npy files, or null if it holds none.</summary>
    public static ArrayDataset? TryOfFolder(string path, DatasetContext context) =>
        NpyFiles.TryOfFolder(path) is { } files ? new(path, DataFiles.Configuration(null, path, context), context, _ => files, null) : null;

    private ArrayDataset(string path, EvaluationConfiguration configuration, DatasetContext context, Func<EvaluationConfiguration, IArrayStore> opened, string? only)
    {
        Path = path;
        Configuration = configuration;
        constants = InputCheck.Fixed(Configuration, context);
        store = opened(configuration);
        try
        {
            long? rows = null;
            var open = context.Inputs.Where(i => !constants.ContainsKey(i.Name)).ToList();
            if (only is not null && open.Count > 1)
                throw new CompressionException(Codes.InputMissing, $"the model takes {InputCheck.Names(open)} but one .npy file feeds one input. Give the folder of .npy files named as the inputs, an .npz file, or the other inputs a value under 'fixed' in evaluation.json.", path);
            foreach (var input in open)
            {
                var name = only ?? Configuration.ArrayOf(input.Name);
                if (!store.Contains(name))
                    throw new CompressionException(Codes.InputMissing, $"the model's input '{input.Name}' has no array '{name}'. There {(store.Names.Count == 1 ? "is" : "are")} {Shown(store.Names)}; the model takes {InputCheck.Names(context.Inputs)}. Name each array as its input, or map the names in evaluation.json: {{ \"inputs\": {{ \"<input>\": \"<array>\" }} }}.", path);
                var array = store.Open(name);
                inputs.Add((input, array, SampleShape(input, array)));
                CheckRows(name, array.Rows);
            }
            // Without bytes behind it, any number of samples could be claimed.
            if (inputs.Count > 0 && inputs.All(i => i.Array.RowBytes == 0))
                throw new CompressionException(Codes.DataEmpty, $"the samples hold no elements: '{inputs[0].Array.Name}' is {inputs[0].Array}. Check how the data was made.", store.FileOf(inputs[0].Array.Name));
            if (store.Contains(Configuration.Labels))
            {
                var array = store.Open(Configuration.Labels);
                labels = new NpzLabels(array, Configuration, store.FileOf(array.Name));
                isWhole = context.AreSteps && array.Rows == 1 && rows > 1;
                if (!isWhole) CheckRows(array.Name, array.Rows);
            }
            if (rows is null) throw new CompressionException(Codes.InputMissing, "every input of the model has a fixed value, so there are no samples. Leave at least one input to the data.", path);
            if (rows is 0 or > int.MaxValue) throw new CompressionException(Codes.DataEmpty, $"the arrays hold {rows} samples. Valid is 1 to {int.MaxValue}. Check how the file was made.", path);
            Count = (int)rows;
            var used = inputs.Select(i => i.Array.Name).Append(Configuration.Labels).ToHashSet(StringComparer.Ordinal);
            var unused = store.Names.Where(n => !used.Contains(n)).ToList();
            if (unused.Count > 0)
                Warnings = [new(Severity.Warning, Codes.DataIgnored, $"nothing asks for {Shown(unused)}: left out. The model takes {InputCheck.Names(context.Inputs)}; labels are called '{Configuration.Labels}'. Remove the arrays or name them in evaluation.json.", path)];

            void CheckRows(string name, long count)
            {
                if (rows is { } other && other != count)
                    throw new CompressionException(Codes.SampleCountsDiffer, $"'{name}' holds {count} samples but '{inputs[0].Array.Name}' holds {other}. The first axis of every array is the sample, so all have the same length. {(only is null ? "Save the data again" : $"Save them again; labels of this file alone are called '{only}.{Configuration.Labels}.npy'")}.", store.FileOf(name));
                rows = count;
            }
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public string Path { get; }
    public int Count { get; }
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings { get; } = [];
    public IReadOnlyList<string> Files => DataFiles.Sorted([.. store.Files, .. Configuration.Files]);
    public IReadOnlyList<string> Folders => store.Folders;
    public IReadOnlyList<string> Absent => [.. Configuration.Absent, .. store.Absent];
    public byte[] ConfigurationHash => DataFiles.Hash(Configuration.Files);
    public LabelKind LabelKind => labels?.Kind ?? LabelKind.None;

    public string Id(int index) => index.ToString(CultureInfo.InvariantCulture);

    public Label? Label(int index) => labels is null || isWhole && index < Count - 1 ? null : DataFiles.Reading(store.FileOf(Configuration.Labels), () => labels[isWhole ? 0 : index]);

    public Sample Read(int index) => DataFiles.Reading(Path, () =>
    {
        var values = new Dictionary<string, Tensor>(constants, StringComparer.Ordinal);
        foreach (var (input, array, shape) in inputs)
            values[input.Name] = new Tensor(array.ElementType, shape, array.Row(index));
        return new Sample(Id(index), values, Label(index));
    });

    public byte[] ContentHash(int index) => DataFiles.Reading(Path, () =>
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (input, array, shape) in inputs)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{input.Name}\0{array.ElementType}[{string.Join(",", shape)}]\0"));
            hash.AppendData(array.Row(index).Span);
        }
        return hash.GetHashAndReset();
    });

    public void Dispose() => store.Dispose();

    private static EvaluationConfiguration ConfigurationOf(string path, DatasetContext context) =>
        DataFiles.Configuration(System.IO.Path.ChangeExtension(path, ".evaluation.json"), System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, context);

    private long[] SampleShape(ModelValue input, NpyArray array)
    {
        if (array.ElementType != input.ElementType) throw Mismatch();
        var rank = input.Shape?.Count ?? array.Rank;
        if (array.Rank == 0) throw Mismatch();
        long[] shape = array.Rank == rank ? [1, .. array.Shape[1..]] : array.Rank == rank + 1 ? array.Shape[1..].ToArray() : throw Mismatch();
        if (!InputCheck.Fits(input, shape)) throw Mismatch();
        if (array.RowBytes > NpyArray.LargestInMemory)
            throw new CompressionException(Codes.DataTooLarge, $"one sample of '{array.Name}' has {array.RowBytes} bytes; at most {NpyArray.LargestInMemory} are valid. Check how the file was made.", store.FileOf(array.Name));
        return shape;

        CompressionException Mismatch() => new(Codes.InputMismatch,
            $"the array '{array.Name}' is {array} but the model's input '{input.Name}' is {input}. Valid is the input's type, and its rank with the samples along the first axis (a batch of 1 each), or one rank more. Save the array in that form.", store.FileOf(array.Name));
    }

    private static string Shown(IEnumerable<string> names)
    {
        var list = names.Take(21).Select(n => $"'{n}'").ToList();
        if (list.Count == 0) return "none";
        return string.Join(", ", list.Take(20)) + (list.Count > 20 ? ", …" : "");
    }
}
