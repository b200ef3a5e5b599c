using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Evaluation.Datasets.Tables;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>What the files of a folder are: the word for several of them in messages, and how one is told by its name.</summary>
internal sealed record FileKind(string Files, Func<string, bool> Is)
{
    public static readonly FileKind Pictures = new("pictures", ImageDecoder.IsImage);
    public static readonly FileKind Sounds = new("sounds", file => Path.GetExtension(file).Equals(".wav", StringComparison.OrdinalIgnoreCase));
    public static readonly FileKind Arrays = new(".npz files", file => Path.GetExtension(file).Equals(".npz", StringComparison.OrdinalIgnoreCase));
    public static readonly FileKind[] All = [Pictures, Sounds, Arrays];
}

/// <summary>
/// A folder in which every file is a sample: labelled by <c>labels.csv</c>, by class folders (their names in ordinal order are the class ids
/// 0, 1, …), or not at all. A sample's id is its file relative to the folder, with <c>/</c>.
/// </summary>
internal sealed record LabelledFolder(string Path, FileKind Kind, IReadOnlyList<(string Id, ListedLabel? Label)> Samples, IReadOnlyList<string> Folders, IReadOnlyList<Diagnostic> Warnings)
{
    private const string LabelFile = "labels.csv";

    /// <summary>Names of the class folders in the order of the ids; null where the labels come from elsewhere.</summary>
    public IReadOnlyList<string>? ClassNames { get; private init; }

    public LabelKind LabelKind => Samples[0].Label?.Kind ?? LabelKind.None;

    public Label? Label(int index) => Samples[index].Label?.Read();

    /// <summary>Absolute paths of the samples and, where there are some, of the list of labels and the masks it names.</summary>
    public IEnumerable<string> Files
    {
        get
        {
            var labels = System.IO.Path.Combine(Path, LabelFile);
            return Samples.Select((_, i) => FileOf(i)).Concat(Samples.Select(s => s.Label?.Mask).OfType<string>()).Concat(File.Exists(labels) ? [labels] : []);
        }
    }

    /// <summary>Line of labels.csv, or the class folder.</summary>
    public (string File, int Line) LabelPlace(int index)
    {
        var labels = System.IO.Path.Combine(Path, LabelFile);
        if (!File.Exists(labels)) return (System.IO.Path.GetDirectoryName(FileOf(index))!, 0);
        using var table = new CsvTable(labels, Codes.LabelsInvalid);
        return (labels, table.Line(index));
    }

    public string FileOf(int index) => System.IO.Path.Combine(Path, Samples[index].Id);

    public byte[] ContentHash(int index) => DataFiles.Reading(FileOf(index), () => DataFiles.HashOf(FileOf(index)));

    /// <summary>The samples in <paramref name="path"/>, or null if the folder holds no files of a known kind.</summary>
    /// <exception cref="CompressionException">Files of more than one kind, or an arrangement that leaves the labels open.</exception>
    public static LabelledFolder? TryOpen(string path)
    {
        var labels = System.IO.Path.Combine(path, LabelFile);
        if (File.Exists(labels)) return Listed(path, labels);
        foreach (var kind in FileKind.All)
            if (Arranged(path, kind) is { } folder) return folder;
        return null;
    }

    private static LabelledFolder Listed(string path, string labels)
    {
        var rows = LabelsCsv.Read(labels);
        var kind = FileKind.All.FirstOrDefault(k => k.Is(rows[0].File)) ?? FileKind.Pictures;
        foreach (var other in FileKind.All)
            if (other != kind && rows.FirstOrDefault(r => other.Is(r.File)).File is { } stranger)
                throw new CompressionException(Codes.DataFormatUnknown, $"the list names {kind.Files} such as '{rows[0].File}' and {other.Files} such as '{stranger}'. Valid are files of one kind, which feed one input. Make a data set of each.", labels);
        if (rows[0].Label.Kind == LabelKind.Mask && kind != FileKind.Pictures)
            throw new CompressionException(Codes.LabelsInvalid, $"the list gives masks to {kind.Files} such as '{rows[0].File}'. Valid are masks of pictures; for {kind.Files} the header is 'file,label', 'file,value' or 'file,text'. Correct the list.", labels);
        var listed = rows.Select(r => System.IO.Path.Combine(path, r.File)).Concat(rows.Select(r => r.Label.Mask).OfType<string>()).Select(System.IO.Path.GetFullPath).ToHashSet(StringComparer.Ordinal);
        var unlisted = FilesIn(path, kind).Where(p => !listed.Contains(System.IO.Path.GetFullPath(System.IO.Path.Combine(path, p)))).ToList();
        List<Diagnostic> warnings = unlisted.Count == 0 ? [] : [new(Severity.Warning, Codes.DataIgnored,
            $"{unlisted.Count} {kind.Files} such as '{unlisted[0]}' have no line in {LabelFile} and are left out. Add their lines, or remove them.", labels)];
        return new(path, kind, [.. rows.Select(r => (r.File, (ListedLabel?)r.Label))], [path], warnings);
    }

    private static LabelledFolder? Arranged(string path, FileKind kind)
    {
        var files = FilesIn(path, kind);
        var classes = Directory.EnumerateDirectories(path).Select(d => System.IO.Path.GetFileName(d)!).Where(d => !d.StartsWith('.'))
            .Order(StringComparer.Ordinal).Select(d => (Name: d, Files: FilesIn(System.IO.Path.Combine(path, d), kind))).Where(c => c.Files.Count > 0).ToList();
        if (classes.Count > 0 && files.Count > 0)
            throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds {kind.Files} such as '{files[0]}' and folders of {kind.Files} such as '{classes[0].Name}'. Valid are {kind.Files} with {LabelFile}, or one folder per class and nothing else. Write a {LabelFile}, or move the {kind.Files}.", path);
        // A folder that holds data sets looks like one of classes.
        if (classes.Count == 1 || classes.Any(c => File.Exists(System.IO.Path.Combine(path, c.Name, LabelFile))))
            throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds {(classes.Count == 1 ? $"a single folder of {kind.Files}, '{classes[0].Name}'" : $"folders of {kind.Files} with labels of their own")}. Valid are two or more class folders. Give the path of the data set itself, such as '{classes[0].Name}'.", path);
        if (classes.Count > 0)
        {
            CheckOrder([.. classes.Select(c => c.Name)], path);
            return new(path, kind, [.. classes.SelectMany((c, id) => c.Files.Select(p => ($"{c.Name}/{p}", (ListedLabel?)new ListedLabel(LabelKind.Class, new ClassLabel(id), null))))],
                [path, .. classes.Select(c => System.IO.Path.Combine(path, c.Name))], []) { ClassNames = [.. classes.Select(c => c.Name)] };
        }
        return files.Count == 0 ? null : new(path, kind, [.. files.Select(p => (p, (ListedLabel?)null))], [path], []);
    }

    private static List<string> FilesIn(string folder, FileKind kind) =>
        [.. Directory.EnumerateFiles(folder).Where(kind.Is).Select(f => System.IO.Path.GetFileName(f)!).Where(f => !f.StartsWith('.')).Order(StringComparer.Ordinal)];

    // Names such as 1, 2, 10 suggest that the name is the class, but 10 sorts before 2.
    private static void CheckOrder(List<string> names, string path)
    {
        if (!names.All(n => n.Length < 10 && n.All(char.IsAsciiDigit))) return;
        for (var id = 0; id < names.Count; id++)
            if (int.Parse(names[id], CultureInfo.InvariantCulture) != id)
                throw new CompressionException(Codes.ImageClassesAmbiguous, $"the class folder '{names[id]}' is number {id} in the order of names, so its class is ambiguous. Valid are names whose order is their number (00, 01, … 10). Rename the folders, or write a {LabelFile} with 'file,label'.", path);
    }
}
