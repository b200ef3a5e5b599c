using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// An .npz file: one array per model input, named as the input, first axis = samples. An array of the input's rank gives sample i as
/// a[i:i+1]; one of one rank more gives a[i] (so a scalar input has an array of shape [n]). <c>labels</c>, where there are any:
/// <see cref="NpzLabels"/>.
/// </summary>
internal sealed class NpzDataset : IDataset
{
    private readonly NpzFile npz;
    private readonly List<(ModelValue Input, NpzArray Array, long[] Shape)> inputs = [];
    private readonly Dictionary<string, Tensor> constants;
    private readonly NpzLabels? labels;

    public NpzDataset(string path, DatasetContext context)
    {
        Path = path;
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        Configuration = DataFiles.Configuration(System.IO.Path.ChangeExtension(path, ".evaluation.json"), folder, context);
        constants = InputCheck.Fixed(Configuration, context);
        npz = new NpzFile(path);
        try
        {
            long? rows = null;
            foreach (var input in context.Inputs.Where(i => !constants.ContainsKey(i.Name)))
            {
                var name = Configuration.Inputs.GetValueOrDefault(input.Name, input.Name);
                if (!npz.Contains(name))
                    throw new CompressionException(Codes.InputMissing, $"the model's input '{input.Name}' has no array '{name}'. The file holds {Shown(npz.Names)}; the model takes {InputCheck.Names(context.Inputs)}. Name each array as its input, or map the names in evaluation.json: {{ \"inputs\": {{ \"<input>\": \"<array>\" }} }}.", path);
                var array = npz.Open(name);
                inputs.Add((input, array, SampleShape(input, array)));
                CheckRows(name, array.Rows);
            }
            if (npz.Contains(Configuration.Labels))
            {
                var array = npz.Open(Configuration.Labels);
                labels = new NpzLabels(array, Configuration, path);
                CheckRows(array.Name, array.Rows);
            }
            if (rows is null) throw new CompressionException(Codes.InputMissing, "every input of the model has a fixed value, so there are no samples. Leave at least one input to the data.", path);
            if (rows is 0 or > int.MaxValue) throw new CompressionException(Codes.DataEmpty, $"the arrays hold {rows} samples. Valid is 1 to {int.MaxValue}. Check how the file was made.", path);
            Count = (int)rows;
            var used = inputs.Select(i => i.Array.Name).Append(Configuration.Labels).ToHashSet(StringComparer.Ordinal);
            var unused = npz.Names.Where(n => !used.Contains(n)).ToList();
            if (unused.Count > 0)
                Warnings = [new(Severity.Warning, Codes.DataIgnored, $"nothing asks for {Shown(unused)}: left out. The model takes {InputCheck.Names(context.Inputs)}; labels are called '{Configuration.Labels}'. Remove the arrays or name them in evaluation.json.", path)];

            void CheckRows(string name, long count)
            {
                if (rows is { } other && other != count)
                    throw new CompressionException(Codes.SampleCountsDiffer, $"'{name}' holds {count} samples but '{inputs[0].Array.Name}' holds {other}. The first axis of every array is the sample, so all have the same length. Save the file again.", path);
                rows = count;
            }
        }
        catch
        {
            npz.Dispose();
            throw;
        }
    }

    public string Path { get; }
    public int Count { get; }
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings { get; } = [];
    public IReadOnlyList<string> Files => DataFiles.Sorted([Path, .. Configuration.Files]);
    public IReadOnlyList<string> Folders => [];
    public byte[] ConfigurationHash => DataFiles.Hash(Configuration.Files);
    public LabelKind LabelKind => labels?.Kind ?? LabelKind.None;

    public string Id(int index) => index.ToString(CultureInfo.InvariantCulture);

    public Label? Label(int index) => labels is null ? null : DataFiles.Reading(Path, () => labels[index]);

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

    public void Dispose() => npz.Dispose();

    private long[] SampleShape(ModelValue input, NpzArray array)
    {
        if (array.ElementType != input.ElementType) throw Mismatch();
        var rank = input.Shape?.Count ?? array.Rank;
        if (array.Rank == 0) throw Mismatch();
        long[] shape = array.Rank == rank ? [1, .. array.Shape[1..]] : array.Rank == rank + 1 ? array.Shape[1..].ToArray() : throw Mismatch();
        if (!InputCheck.Fits(input, shape)) throw Mismatch();
        if (array.RowBytes > NpzFile.LargestInMemory)
            throw new CompressionException(Codes.DataTooLarge, $"one sample of '{array.Name}' has {array.RowBytes} bytes; at most {NpzFile.LargestInMemory} are valid. Check how the file was made.", Path);
        return shape;

        CompressionException Mismatch() => new(Codes.InputMismatch,
            $"the array '{array.Name}' is {array.ElementType}[{string.Join(",", array.Shape.ToArray())}] but the model's input '{input.Name}' is {input}. Valid is the input's type, and its rank with the samples along the first axis (a batch of 1 each), or one rank more. Save the array in that form.", Path);
    }

    private static string Shown(IEnumerable<string> names)
    {
        var list = names.Take(21).Select(n => $"'{n}'").ToList();
        if (list.Count == 0) return "no arrays";
        return string.Join(", ", list.Take(20)) + (list.Count > 20 ? ", …" : "");
    }
}
