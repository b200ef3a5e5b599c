using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// Arrays in .npy files of their own (numpy.save), named as the files. Row-major ones are read from disk row by row; column-major ones are
/// held in memory, bounded by <see cref="NpyArray.LargestInMemory"/> for all of them.
/// </summary>
internal sealed class NpyFiles : IArrayStore
{
    private const string Extension = ".npy";

    private readonly SortedDictionary<string, string> files;
    private readonly List<FileStream> open = [];
    private long inMemory;

    private NpyFiles(SortedDictionary<string, string> files, IReadOnlyList<string> folders, IReadOnlyList<string> absent) => (this.files, Folders, Absent) = (files, folders, absent);

    public static bool IsNpy(string file) => Path.GetExtension(file).Equals(Extension, StringComparison.OrdinalIgnoreCase) && !Path.GetFileName(file).StartsWith('.');

    /// <summary>The array in <paramref name="file"/>, named as it, and its labels beside it: <c>val.labels.npy</c>, else <c>labels.npy</c>, under the name <paramref name="labels"/>.</summary>
    public static NpyFiles OfFile(string file, string labels)
    {
        var name = Path.GetFileNameWithoutExtension(file);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal) { [name] = file };
        var absent = new List<string>();
        foreach (var candidate in new[] { $"{name}.{labels}{Extension}", labels + Extension })
        {
            var path = Path.Combine(Path.GetDirectoryName(file)!, candidate);
            if (path == file) continue;
            if (File.Exists(path)) { files[labels] = path; break; }
            absent.Add(path);
        }
        return new(files, [], absent);
    }

    /// <summary>The arrays of a folder, or null if it holds none.</summary>
    public static NpyFiles? TryOfFolder(string folder)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(folder).Where(IsNpy).Order(StringComparer.Ordinal))
            if (!files.TryAdd(Path.GetFileNameWithoutExtension(file), file))
                throw new CompressionException(Codes.NpzDamaged, $"the array '{Path.GetFileNameWithoutExtension(file)}' is there twice. Each array has a name of its own. Remove one file.", file);
        return files.Count == 0 ? null : new(files, [folder], []);
    }

    public IReadOnlyList<string> Names => [.. files.Keys];
    public IReadOnlyList<string> Files => [.. files.Values];
    public IReadOnlyList<string> Folders { get; }
    public IReadOnlyList<string> Absent { get; }

    public bool Contains(string name) => files.ContainsKey(name);

    public string FileOf(string name) => files[name];

    public NpyArray Open(string name)
    {
        var path = files[name];
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        open.Add(stream);
        var header = NpyHeader.Read(stream, name, path);
        if (header.DataBytes != stream.Length - stream.Position) throw NpyArray.OtherLength(name, header, stream.Length - stream.Position, path);
        return header.FortranOrder ? NpyArray.InMemory(name, header, stream, path, ref inMemory) : NpyArray.OnDisk(name, header, stream.SafeFileHandle, stream.Position);
    }

    public void Dispose()
    {
        foreach (var stream in open) stream.Dispose();
    }
}
