namespace CompressOnBuild.Reporting;

/// <summary>
/// Takes the folders of a request out of free text: warnings may name files, and the same build in another folder has to leave the same
/// report. <c>/home/me/app/data/val/labels.csv</c> becomes <c>val/labels.csv</c>.
/// </summary>
internal sealed class PathFreeText
{
    private readonly string[] folders;

    public PathFreeText(CompressionResult result)
    {
        var request = result.Request;
        string?[] paths = [request.Model, request.Candidate, request.Output, request.Recipe, request.CalibrationData, request.EvaluationData, request.Preprocessing, .. result.InputFolders, .. result.InputFiles.Select(f => f.Path)];
        // Longest first, so that a folder's own name goes before its parent's.
        folders = [.. paths.Where(p => p is not null && Path.IsPathFullyQualified(p)).Select(p => Path.GetDirectoryName(p!))
            .Where(d => d is not null && Path.GetPathRoot(d) != d).Select(d => d! + Path.DirectorySeparatorChar)
            .Distinct(StringComparer.Ordinal).OrderByDescending(d => d.Length).ThenBy(d => d, StringComparer.Ordinal)];
    }

    public string Of(string text)
    {
        foreach (var folder in folders) text = text.Replace(folder, "", StringComparison.Ordinal);
        return text;
    }
}
