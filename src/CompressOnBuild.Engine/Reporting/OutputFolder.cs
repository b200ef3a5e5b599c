using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>The folder that gets a request's files: what is checked before the work begins, and what is tidied.</summary>
internal static class OutputFolder
{
    /// <summary>Refuses an output that cannot be written, before minutes are spent on it, and removes what killed runs left.</summary>
    /// <exception cref="CompressionException">COB5001, COB5002.</exception>
    public static void Prepare(CompressionRequest request)
    {
        var model = Path.Combine(request.Output, request.Name + ".onnx");
        if (request.Candidate is null && File.Exists(request.Model) && SamePlace(request.Model, model))
            throw new CompressionException(Codes.OutputIsInput, $"the compressed model would replace the original '{model}'. Valid is another folder or another name. Choose one with --output or --name.", request.Model);
        OutputBatch.RemoveLeftovers(request.Output);
        OutputBatch.RemoveLeftovers(request.FailedOutput);
        // The first folder on the way up that is there: a refused request leaves none behind.
        var folder = request.Output;
        while (!Directory.Exists(folder) && !File.Exists(folder) && Path.GetDirectoryName(folder) is { } parent) folder = parent;
        if (File.Exists(folder))
            throw new CompressionException(Codes.OutputNotWritable, $"the output folder cannot be made: '{folder}' is a file. Remove the file, or choose another folder.", request.Output);
        OutputBatch.Probe(folder);
        if (request.Candidate is null) RemoveFailed(request);
    }

    /// <summary>Removes the reports of an earlier failed attempt; nothing else that may lie in a folder of that name.</summary>
    private static void RemoveFailed(CompressionRequest request)
    {
        if (!Directory.Exists(request.FailedOutput)) return;
        try
        {
            foreach (var file in ReportWriter.Files.Append(request.Name + ".onnx").Append(request.Name + ".onnx" + CompressionResult.PackedSuffix)) File.Delete(Path.Combine(request.FailedOutput, file));
            if (!Directory.EnumerateFileSystemEntries(request.FailedOutput).Any()) Directory.Delete(request.FailedOutput);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // a report that somebody has open stays
    }

    // Through a link to the folder of the model it is the same file too.
    private static bool SamePlace(string a, string b)
    {
        try { return string.Equals(ContainedPath.Real(a), ContainedPath.Real(b), OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase); }
        catch (IOException) { return false; } // links in a circle: there is no such file
    }
}
