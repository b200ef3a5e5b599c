using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// A folder of pictures: labelled by <c>labels.csv</c>, by class folders (their names in ordinal order are the class ids 0, 1, …), or not at
/// all. The picture feeds the one input that has no fixed value in evaluation.json.
/// </summary>
internal sealed class ImageDataset : IDataset
{
    private const string LabelFile = "labels.csv", PreprocessingFile = "preprocessor_config.json";

    private readonly List<(string Id, Label? Label)> samples;
    private readonly Preprocessing preprocessing;
    private readonly string preprocessingPath;
    private readonly List<string> absent = [];
    private readonly Dictionary<string, Tensor> constants;
    private readonly ModelValue input;
    private readonly List<string> folders;

    private ImageDataset(string path, DatasetContext context, List<(string, Label?)> samples, List<string> folders, List<Diagnostic> warnings)
    {
        Path = path;
        this.samples = samples;
        this.folders = folders;
        Configuration = DataFiles.Configuration(null, path, context);
        constants = InputCheck.Fixed(Configuration, context);
        input = PictureInput(context);
        preprocessingPath = PreprocessingPath(context);
        preprocessing = Preprocessing.Load(preprocessingPath);
        Warnings = [.. warnings, .. preprocessing.Warnings];
    }

    /// <summary>The data set in <paramref name="path"/>, or null if the folder holds no pictures.</summary>
    public static ImageDataset? TryOpen(string path, DatasetContext context)
    {
        var pictures = Pictures(path);
        var labels = System.IO.Path.Combine(path, LabelFile);
        if (File.Exists(labels))
        {
            var rows = LabelsCsv.Read(labels);
            var listed = rows.Select(r => r.File).ToHashSet(StringComparer.Ordinal);
            var unlisted = pictures.Where(p => !listed.Contains(p)).ToList();
            List<Diagnostic> warnings = unlisted.Count == 0 ? [] : [new(Severity.Warning, Codes.DataIgnored,
                $"{unlisted.Count} pictures such as '{unlisted[0]}' have no line in {LabelFile} and are left out. Add their lines, or remove them.", labels)];
            return new(path, context, [.. rows.Select(r => (r.File, (Label?)r.Label))], [path], warnings);
        }
        var classes = Directory.EnumerateDirectories(path).Select(d => System.IO.Path.GetFileName(d)!).Where(d => !d.StartsWith('.'))
            .Order(StringComparer.Ordinal).Select(d => (Name: d, Pictures: Pictures(System.IO.Path.Combine(path, d)))).Where(c => c.Pictures.Count > 0).ToList();
        if (classes.Count > 0 && pictures.Count > 0)
            throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds pictures such as '{pictures[0]}' and folders of pictures such as '{classes[0].Name}'. Valid are pictures with {LabelFile}, or one folder per class and nothing else. Write a {LabelFile}, or move the pictures.", path);
        // A folder that holds data sets looks like one of classes.
        if (classes.Count == 1 || classes.Any(c => File.Exists(System.IO.Path.Combine(path, c.Name, LabelFile))))
            throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds {(classes.Count == 1 ? $"a single folder of pictures, '{classes[0].Name}'" : "folders of pictures with labels of their own")}. Valid are two or more class folders. Give the path of the data set itself, such as '{classes[0].Name}'.", path);
        if (classes.Count > 0)
        {
            CheckOrder([.. classes.Select(c => c.Name)], path);
            return new(path, context, [.. classes.SelectMany((c, id) => c.Pictures.Select(p => ($"{c.Name}/{p}", (Label?)new ClassLabel(id))))],
                [path, .. classes.Select(c => System.IO.Path.Combine(path, c.Name))], []) { ClassNames = [.. classes.Select(c => c.Name)] };
        }
        return pictures.Count == 0 ? null : new(path, context, [.. pictures.Select(p => (p, (Label?)null))], [path], []);
    }

    public string Path { get; }
    public int Count => samples.Count;
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings { get; }
    public IReadOnlyList<string>? ClassNames { get; private init; }
    public LabelKind LabelKind => samples[0].Label?.Kind ?? LabelKind.None;
    public IReadOnlyList<string> Folders => folders;
    public IReadOnlyList<string> Absent => [.. Configuration.Absent, .. absent];
    public byte[] ConfigurationHash => DataFiles.Hash([preprocessingPath, .. Configuration.Files]);

    public IReadOnlyList<string> Files
    {
        get
        {
            var labels = System.IO.Path.Combine(Path, LabelFile);
            return DataFiles.Sorted([.. samples.Select(s => System.IO.Path.Combine(Path, s.Id)), preprocessingPath, .. Configuration.Files, .. File.Exists(labels) ? [labels] : Array.Empty<string>()]);
        }
    }

    public string Id(int index) => samples[index].Id;

    public Label? Label(int index) => samples[index].Label;

    public ReadOnlyMemory<byte>? Thumbnail(int index) => DataFiles.Reading(FileOf(index), () => Images.Thumbnail.Of(ImageDecoder.Decode(FileOf(index))));

    public Sample Read(int index)
    {
        var values = new Dictionary<string, Tensor>(constants, StringComparer.Ordinal) { [input.Name] = DataFiles.Reading(FileOf(index), () => ImagePipeline.Run(FileOf(index), preprocessing, input)) };
        return new(Id(index), values, Label(index));
    }

    public byte[] ContentHash(int index) => DataFiles.Reading(FileOf(index), () => DataFiles.HashOf(FileOf(index)));

    public void Dispose() { }

    private string FileOf(int index) => System.IO.Path.Combine(Path, samples[index].Id);

    private static List<string> Pictures(string folder) =>
        [.. Directory.EnumerateFiles(folder).Where(ImageDecoder.IsImage).Select(f => System.IO.Path.GetFileName(f)!).Where(f => !f.StartsWith('.')).Order(StringComparer.Ordinal)];

    // Names such as 1, 2, 10 suggest that the name is the class, but 10 sorts before 2.
    private static void CheckOrder(List<string> names, string path)
    {
        if (!names.All(n => n.Length < 10 && n.All(char.IsAsciiDigit))) return;
        for (var id = 0; id < names.Count; id++)
            if (int.Parse(names[id], System.Globalization.CultureInfo.InvariantCulture) != id)
                throw new CompressionException(Codes.ImageClassesAmbiguous, $"the class folder '{names[id]}' is number {id} in the order of names, so its class is ambiguous. Valid are names whose order is their number (00, 01, … 10). Rename the folders, or write a {LabelFile} with 'file,label'.", path);
    }

    private ModelValue PictureInput(DatasetContext context)
    {
        var open = context.Inputs.Where(i => !constants.ContainsKey(i.Name)).ToList();
        if (open.Count == 1) return open[0];
        throw new CompressionException(Codes.InputMissing, open.Count == 0
            ? "every input of the model has a fixed value, so there is none for the picture. Leave one input out of 'fixed' in evaluation.json."
            : $"the model takes {InputCheck.Names(open)} but a folder of pictures feeds one input. Give the others a value under 'fixed' in evaluation.json, or store all inputs as .npz.", Path);
    }

    private string PreprocessingPath(DatasetContext context)
    {
        if (context.Preprocessing is { } given)
            return File.Exists(given) ? given : throw new CompressionException(Codes.PreprocessingMissing, "the file of 'Preprocessing' does not exist. Valid is the path of a preprocessor_config.json, relative to the project. Correct the path.", given);
        foreach (var folder in new[] { Path, context.ModelFolder })
        {
            if (folder is null) continue;
            var file = System.IO.Path.Combine(folder, PreprocessingFile);
            if (File.Exists(file)) return file;
            absent.Add(file);
        }
        throw new CompressionException(Codes.PreprocessingMissing, $"nothing says how these pictures become the model's input. Valid is a {PreprocessingFile}, as Hugging Face writes it, in this folder, beside the model, or named by 'Preprocessing'. Add it.", Path);
    }
}
