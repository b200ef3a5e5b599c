using System.Security.Cryptography;
using System.Text;

namespace CompressOnBuild.Planning;

/// <summary>One metric of an accepted result. <paramref name="Value"/> is rounded to six decimals.</summary>
internal sealed record LockedMetric(string Name, double Value, int Samples);

/// <summary>
/// The result that was accepted: the compressed model's hash (SHA-256, lower-case hex) and size, the multiply-accumulates of one run, its metrics,
/// the primary one first, and <see cref="Evaluation.EvaluatorCode"/> of the user's own, where there is one. <paramref name="Processor"/>: the instruction
/// sets of the processor where roundings followed from calibration (<see cref="Recipe.ErrorFeedback"/>), whose last bits others do not share.
/// </summary>
internal sealed record LockedResult(string Sha256, long Bytes, long MultiplyAdds, IReadOnlyList<LockedMetric> Metrics, string? Evaluator = null, string? Processor = null);

/// <summary>What is known of one request: what it followed from, the plan in full, and the result.</summary>
internal sealed record LockEntry(Fingerprint Inputs, Plan Plan, LockedResult Result);

/// <summary>
/// <c>&lt;model&gt;.onnx.lock.json</c>: plans and accepted results beside the model, meant to be committed. Requests that differ in recipe, goal
/// or target have an entry each, so that two target frameworks or configurations can ask different things of one model.
/// <para>A plan holds what came from ONNX Runtime's floats (ranges, corrections of biases) as exact numbers: whoever follows it computes the same
/// bytes on any processor, unless weights are rounded by what calibration saw; then on one kind of processor, which the result names.</para>
/// </summary>
internal sealed record LockFile(IReadOnlyDictionary<string, LockEntry> Entries)
{
    public const int SchemaVersion = 1;
    public const int MaxBytes = 8 << 20;

    public static LockFile Empty { get; } = new(new Dictionary<string, LockEntry>());

    /// <summary>The key of a request's entry: recipe, goal and target, and the version of ONNX Runtime where it can run other forms than the one that measures.</summary>
    public static string Key(string recipe, Goal goal, Target target, Encodings.Capabilities? runtime = null) => $"{recipe} {goal.ToString().ToLowerInvariant()} {target.ToString().ToLowerInvariant()}"
        + (runtime is null || runtime.Summary == Encodings.Capabilities.Of(target).Summary ? "" : $" onnxruntime-{runtime.Version}");

    /// <summary>This file with the entry of <paramref name="key"/> replaced.</summary>
    public LockFile With(string key, LockEntry entry) => new(new Dictionary<string, LockEntry>(Entries, StringComparer.Ordinal) { [key] = entry });

    /// <summary>
    /// SHA-256 of the lines of one entry, which the build's change detector computes too: other entries and line ends do not count.
    /// Of a file that somebody laid out in another way, of all of it.
    /// </summary>
    /// <param name="content">The file.</param>
    /// <param name="firstLine">As <see cref="LockFileWriter.FirstLine"/>.</param>
    public static string EntrySha256(byte[] content, string firstLine)
    {
        var text = Encoding.UTF8.GetString(content).Replace("\r\n", "\n", StringComparison.Ordinal);
        var start = text.IndexOf("\n" + firstLine + "\n", StringComparison.Ordinal);
        var end = start < 0 ? -1 : text.IndexOf(LockFileWriter.LastLine, start, StringComparison.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(end < 0 ? text : text[start..end])));
    }
}
