using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// Everything one project's models left, for those who look at builds from outside: code scanning (SARIF), test reports (JUnit XML), bills of
/// materials (CycloneDX), the page of the build itself (Markdown). Read from the stored results, so that a build that compresses nothing
/// writes the same logs as the one that did.
/// </summary>
internal sealed class BuildLog
{
    /// <param name="name">The project's name.</param>
    /// <param name="origin">The file that diagnostics without a file of their own belong to; null: none.</param>
    /// <param name="folder">The folder that <paramref name="name"/> belongs to; paths are shown relative to the repository around it.</param>
    /// <param name="models">The models, in the order of the project.</param>
    /// <param name="diagnostics">What was said of the project itself.</param>
    public BuildLog(string name, string? origin, string folder, IReadOnlyList<LoggedModel> models, IReadOnlyList<Diagnostic> diagnostics)
    {
        (Name, Origin, Models, Diagnostics) = (name, origin, models, diagnostics);
        Root = RepositoryRoot(Path.GetFullPath(folder));
    }

    public string Name { get; }
    public string? Origin { get; }
    public IReadOnlyList<LoggedModel> Models { get; }
    public IReadOnlyList<Diagnostic> Diagnostics { get; }
    /// <summary>The folder that paths are relative to: the nearest one around the project that is a repository, else the project's own.</summary>
    public string Root { get; }

    /// <summary>Those of the project, then those of each model.</summary>
    public IEnumerable<Diagnostic> AllDiagnostics => Diagnostics.Concat(Models.SelectMany(m => m.Diagnostics.Select(d => d with { File = d.File ?? m.File }))).Distinct();

    public bool HasErrors => AllDiagnostics.Any(d => d.Severity == Severity.Error);

    /// <summary>The path from <see cref="Root"/>, with slashes; null for a place that has none (another drive).</summary>
    public string? Relative(string path)
    {
        var relative = Path.GetRelativePath(Root, Path.GetFullPath(ConsoleText.Visible(path), Root)); // no system has a path that this changes, and a null would throw
        return Path.IsPathRooted(relative) ? null : relative.Replace('\\', '/');
    }

    /// <summary>Text without the folders of this machine, where they lead into the root.</summary>
    public string PathFree(string text) => Path.GetPathRoot(Root) == Root ? text : text.Replace(Root + Path.DirectorySeparatorChar, "", StringComparison.Ordinal);

    // A worktree and a submodule have a file of that name.
    private static string RepositoryRoot(string folder)
    {
        for (var at = folder; at is not null; at = Path.GetDirectoryName(at))
            if (Directory.Exists(Path.Combine(at, ".git")) || File.Exists(Path.Combine(at, ".git"))) return at;
        return folder;
    }
}
