namespace CompressOnBuild;

/// <summary>Paths that come from models and data: relative, and inside a folder after normalising and resolving symbolic links.</summary>
internal static class ContainedPath
{
    /// <summary>The absolute path of <paramref name="relative"/> in <paramref name="folder"/>, or null if it leads out of it.</summary>
    public static string? Resolve(string folder, string relative)
    {
        if (relative.Length == 0 || relative.Contains('\0') || Path.IsPathRooted(relative)) return null;
        var root = Path.GetFullPath(folder);
        var path = Path.GetFullPath(Path.Combine(root, relative));
        try { return Inside(root, path) && Inside(Real(root), Real(path)) ? path : null; }
        catch (IOException) { return null; } // links in a circle lead nowhere
    }

    /// <summary>The absolute path without links: one in any part of the way may lead elsewhere.</summary>
    /// <exception cref="IOException">Links in a circle.</exception>
    public static string Real(string path)
    {
        var current = Path.GetPathRoot(path)!;
        foreach (var part in path[current.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            current = Path.Combine(current, part);
            FileSystemInfo info = Directory.Exists(current) ? new DirectoryInfo(current) : new FileInfo(current);
            if (info.LinkTarget is not null) current = Path.GetFullPath(info.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? current);
        }
        return current;
    }

    private static bool Inside(string folder, string path) =>
        path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
