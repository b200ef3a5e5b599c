namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>Arrays with names: the members of an .npz file, or .npy files.</summary>
internal interface IArrayStore : IDisposable
{
    /// <summary>Names of the arrays, in ordinal order.</summary>
    IReadOnlyList<string> Names { get; }
    bool Contains(string name);
    /// <summary>The file that holds an array: what errors name.</summary>
    string FileOf(string name);
    /// <summary>Opens an array: checks its header against the bytes that are there, and reads the data if it cannot stay on disk.</summary>
    /// <exception cref="Diagnostics.CompressionException">Damaged, pickled, of an unsupported type, or too large.</exception>
    NpyArray Open(string name);
    /// <summary>Every file of the store, absolute.</summary>
    IReadOnlyList<string> Files { get; }
    /// <summary>Folders whose listing decides what arrays there are, absolute.</summary>
    IReadOnlyList<string> Folders { get; }
    /// <summary>Files that were looked for and were not there, absolute.</summary>
    IReadOnlyList<string> Absent { get; }
}
