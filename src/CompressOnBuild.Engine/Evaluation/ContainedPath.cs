namespace CompressOnBuild.Evaluation;

/// <summary>Paths that come from data: relative, and inside a folder after normalising and resolving symbolic links.</summary>
internal static class ContainedPath
{
    /// <summary>The absolute path of <paramref name="relative"/> in <paramref name="folder"/>, or null if it leads out of it.</summary>
    public static string? Resolve(string folder, string relative)
    {
        if (relative.Length == 0 || relative.Contains('\0') || Path.IsPathRooted(relative)) return null;
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var path = Path.GetFullPath(Path.Combine(root, relative));
        return Inside(root, path) && Inside(Real(root), Real(path)) ? path : null;
    }

    private static bool Inside(string folder, string path) => path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    // A link in any part of the way may lead out.
    private static string Real(string path)
    {
        var root = Path.GetPathRoot(path)!;
        var current = root;
        foreach (var part in path[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            current = Path.Combine(current, part);
            FileSystemInfo info = Directory.Exists(current) ? new DirectoryInfo(current) : new FileInfo(current);
            if (info.LinkTarget is not null) current = info.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? current;
        }
        return Path.TrimEndingDirectorySeparator(current);
    }
}
