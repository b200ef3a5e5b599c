using System.Security.Cryptography;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>The files around a data set: where its configuration lies, and what they hash to.</summary>
internal static class DataFiles
{
    /// <summary>evaluation.json: <paramref name="own"/> (of one file), else in <paramref name="folder"/>, else beside the model.</summary>
    public static EvaluationConfiguration Configuration(string? own, string folder, DatasetContext context)
    {
        List<string> candidates = own is null ? [] : [own];
        candidates.Add(Path.Combine(folder, "evaluation.json"));
        if (context.ModelFolder is { } model) candidates.Add(Path.Combine(model, "evaluation.json"));
        return EvaluationConfiguration.Find([.. candidates]);
    }

    /// <summary>Runs <paramref name="read"/>; what the operating system refuses becomes a coded error at <paramref name="file"/>.</summary>
    public static T Reading<T>(string file, Func<T> read)
    {
        try { return read(); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.DataUnreadable, $"the data cannot be read: {e.Message} Check that the file is still there, that it is not in use and that you may read it.", file, inner: e);
        }
    }

    public static IReadOnlyList<string> Sorted(IEnumerable<string> files) => [.. files.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>SHA-256 over the contents of <paramref name="files"/> in the given order.</summary>
    public static byte[] Hash(IEnumerable<string> files)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files) all.AppendData(HashOf(file));
        return all.GetHashAndReset();
    }

    /// <summary>SHA-256 of one file's bytes.</summary>
    public static byte[] HashOf(string file)
    {
        using var stream = File.OpenRead(file);
        return SHA256.HashData(stream);
    }
}
