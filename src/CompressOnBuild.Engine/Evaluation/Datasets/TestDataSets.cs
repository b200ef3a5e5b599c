using System.Globalization;
using System.Security.Cryptography;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// ONNX test data: folders <c>test_data_set_0</c>, <c>test_data_set_1</c>, … (or one such folder alone), each one sample: <c>input_0.pb</c>,
/// <c>input_1.pb</c>, … in the order of the model's inputs, and optionally <c>output_0.pb</c>, …; every file one serialized TensorProto.
/// </summary>
internal sealed class TestDataSets : IDataset
{
    private const string Prefix = "test_data_set_";
    private const long LargestFile = int.MaxValue;

    private readonly List<string> folders;
    private readonly Dictionary<string, Tensor> constants;
    private readonly List<ModelValue> inputs;
    private readonly IReadOnlyList<ModelValue> outputs;
    private readonly bool single;

    private TestDataSets(string path, List<string> folders, DatasetContext context)
    {
        Path = path;
        this.folders = folders;
        single = folders is [var only] && only == path;
        Configuration = DataFiles.Configuration(null, path, context);
        constants = InputCheck.Fixed(Configuration, context);
        inputs = [.. context.Inputs.Where(i => !constants.ContainsKey(i.Name))];
        outputs = context.Outputs;
        foreach (var folder in folders)
            for (var i = 0; i < inputs.Count; i++)
                if (!File.Exists(FileIn(folder, "input", i)))
                    throw new CompressionException(Codes.TestDataInvalid, $"there is no 'input_{i}.pb' for the model's input '{inputs[i].Name}'. Valid is one file per input, in the order {InputCheck.Names(inputs)}. Add it.", folder);
    }

    /// <summary>The data sets in <paramref name="path"/>, or null if there are none.</summary>
    public static TestDataSets? TryOpen(string path, DatasetContext context)
    {
        if (File.Exists(FileIn(path, "input", 0))) return new(path, [path], context);
        var folders = Directory.EnumerateDirectories(path, Prefix + "*")
            .Select(d => (Folder: d, Number: int.TryParse(System.IO.Path.GetFileName(d).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : -1))
            .Where(d => d.Number >= 0).OrderBy(d => d.Number).Select(d => d.Folder).ToList();
        return folders.Count == 0 ? null : new(path, folders, context);
    }

    public string Path { get; }
    public int Count => folders.Count;
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings => [];
    public LabelKind LabelKind => LabelKind.None;
    public byte[] ConfigurationHash => DataFiles.Hash(Configuration.Files);
    public IReadOnlyList<string> Folders => single ? [Path] : [Path, .. folders];
    public IReadOnlyList<string> Files => DataFiles.Sorted([.. folders.SelectMany(f => InputFiles(f).Concat(OutputFiles(f))), .. Configuration.Files]);

    public string Id(int index) => System.IO.Path.GetFileName(folders[index]);

    public Label? Label(int index) => null;

    public Sample Read(int index)
    {
        var folder = folders[index];
        var values = new Dictionary<string, Tensor>(constants, StringComparer.Ordinal);
        for (var i = 0; i < inputs.Count; i++)
        {
            var file = FileIn(folder, "input", i);
            values[inputs[i].Name] = Read(file);
            InputCheck.Check(inputs[i], values[inputs[i].Name], $"'input_{i}.pb'", file);
        }
        var expected = OutputFiles(folder).Select((f, i) => (outputs[i].Name, Tensor: Read(f))).ToDictionary(o => o.Name, o => o.Tensor, StringComparer.Ordinal);
        return new(Id(index), values, null, expected.Count > 0 ? expected : null);
    }

    public byte[] ContentHash(int index)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in InputFiles(folders[index])) hash.AppendData(DataFiles.Reading(file, () => DataFiles.HashOf(file)));
        return hash.GetHashAndReset();
    }

    public void Dispose() { }

    private IEnumerable<string> InputFiles(string folder) => Enumerable.Range(0, inputs.Count).Select(i => FileIn(folder, "input", i));

    private IEnumerable<string> OutputFiles(string folder) => Enumerable.Range(0, outputs.Count).Select(i => FileIn(folder, "output", i)).TakeWhile(File.Exists);

    private static string FileIn(string folder, string kind, int index) => System.IO.Path.Combine(folder, $"{kind}_{index.ToString(CultureInfo.InvariantCulture)}.pb");

    private static Tensor Read(string file) => DataFiles.Reading(file, () =>
    {
        if (new FileInfo(file).Length > LargestFile) throw new CompressionException(Codes.DataTooLarge, $"the file is larger than {LargestFile} bytes, the most that a serialized tensor can have. Store the data as .npz.", file);
        TensorProto proto;
        try { proto = TensorProto.Parser.ParseFrom(File.ReadAllBytes(file)); }
        catch (InvalidProtocolBufferException e)
        {
            throw new CompressionException(Codes.TestDataInvalid, "the file is no serialized TensorProto. Valid is what onnx.numpy_helper.from_array(…).SerializeToString() gives. Write it again.", file, inner: e);
        }
        if (proto.DataLocation == 1)
            throw new CompressionException(Codes.TestDataInvalid, "the tensor's data are in another file, which test data may not have. Valid is a TensorProto that holds its data. Write it again.", file);
        return Tensor.FromProto(proto, System.IO.Path.GetFileName(file), file, new ExternalData(file));
    });
}
