using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Planning;
using CompressOnBuild.Reporting;
using CompressOnBuild.Runtime;

namespace CompressOnBuild;

/// <summary>What the change detector must know of the entry that a result followed or wrote: the file, with the hash of the entry's lines alone, and the first of them.</summary>
internal sealed record LockState(InputFile File, string FirstLine);

/// <summary>
/// The lock file's part in one run: whether its plan is followed, what was accepted before, and what is written. NuGet's rules: it is used when
/// asked for or when the file exists; unchanged inputs follow it; changed ones renew it, or in locked mode fail.
/// </summary>
internal sealed class ModelLock
{
    private readonly CompressionRequest request;
    private readonly string path;
    private readonly string key;
    private readonly LockEntry? entry;
    private Fingerprint inputs = new(new Dictionary<string, string>());
    private string? evaluator;
    private bool isFollowed;
    /// <summary>This processor, where roundings follow from its floats.</summary>
    private readonly string? roundedOn;

    private ModelLock(CompressionRequest request, string key, LockEntry? entry, LockState? state, Recipe recipe)
    {
        (this.request, path, this.key, this.entry, State) = (request, request.LockPath, key, entry, state);
        roundedOn = recipe.RoundsByCalibration || recipe.Steps.Count > 0 ? Processor.Kind : null;
    }

    /// <summary>Null until there is an entry.</summary>
    public LockState? State { get; private set; }

    /// <summary>The lock of a request, read and checked; null when none is in use.</summary>
    /// <exception cref="CompressionException">COB3002 to COB3006, COB3010, COB3011.</exception>
    public static ModelLock? Open(CompressionRequest request, Recipe recipe)
    {
        if (request is { LockedMode: true, ForceEvaluate: true })
            throw new CompressionException(Codes.LockModesContradict, "CompressOnBuildLockedMode forbids to change the lock file, CompressOnBuildForceEvaluate asks for it. Set one of them.", request.Model);
        var exists = File.Exists(request.LockPath);
        var key = LockFile.Key(recipe.Name, request.Goal, request.Target, Encodings.Capabilities.Of(request.Target, request.OnnxRuntimeVersion));
        if (!exists && request.LockedMode)
            throw new CompressionException(Codes.LockMissing, $"CompressOnBuildLockedMode asks for a lock file '{Path.GetFileName(request.LockPath)}' beside the model, and there is none. Write it with dotnet build -p:CompressOnBuildLock=true and commit it.", request.Model);
        if (!exists && !request.Lock)
        {
            if (request.MaxRegression is null) return null;
            throw new CompressionException(Codes.RegressionWithoutLock, "MaxRegression compares with the accepted result of a lock file, and none is in use. Set CompressOnBuildLock=true, or remove MaxRegression and use MaxAccuracyDrop or Require.", request.Model);
        }
        LockEntry? entry = null;
        LockState? state = null;
        if (exists && !request.ForceEvaluate)
        {
            var file = InputFile.Of(request.LockPath, ReadBounded, out var content);
            var entries = LockFileReader.Read(content, request.LockPath).Entries;
            if (entries.TryGetValue(key, out entry)) state = Remember(file, content, key);
            else if (request.LockedMode)
                throw new CompressionException(Codes.LockMissing, $"the lock file has no entry for '{key}' (recipe, goal, target). It has {(entries.Count == 0 ? "none" : string.Join(", ", entries.Keys.Order(StringComparer.Ordinal).Select(k => $"'{k}'")))}. Ask for one of these, or add yours and commit it: {LockFileReader.ForceEvaluate}.", request.LockPath);
        }
        if (!request.LockedMode && !request.PlanOnly) OutputBatch.RemoveLeftovers(Path.GetDirectoryName(request.LockPath)!);
        return new ModelLock(request, key, entry, state, recipe);
    }

    /// <summary>The entry whose plan is to be followed; null when one must be made anew.</summary>
    /// <exception cref="CompressionException">COB3001: locked mode, and inputs changed. COB3010: a new entry is needed and cannot be written.</exception>
    public LockEntry? Follow(Fingerprint now)
    {
        inputs = now;
        var changes = entry?.Inputs.Changes(now) ?? [];
        isFollowed = entry is not null && changes.Count == 0;
        if (isFollowed) return entry;
        if (request.LockedMode)
            throw new CompressionException(Codes.LockedInputsChanged, $"the lock file was made from other inputs. Changed: {string.Join(", ", changes)}. CompressOnBuildLockedMode follows the lock file only while they are equal. Undo the change, or renew the file and commit it: {LockFileReader.ForceEvaluate}.", path);
        if (request.PlanOnly) return null;
        // Better now than after minutes of work.
        try { OutputBatch.Probe(Path.GetDirectoryName(path)!); }
        catch (CompressionException e)
        {
            throw new CompressionException(Codes.LockNotWritable, $"the lock file must be renewed and cannot be written: {e.InnerException?.Message} The folder of the model must be writable then. Renew it where it is, or set CompressOnBuildLockedMode=true to be told what changed.", path, inner: e);
        }
        return null;
    }

    /// <summary>The accepted result to compare with; null when there is none, or, with a warning, when other samples, another metric or another version of the user's own gave it.</summary>
    /// <param name="primary">The metric that decides.</param>
    /// <param name="evaluatorCode">As <see cref="EvaluatorAssembly.CodeSha256"/>: it stands beside the result that is written, and is no input of the plan.</param>
    public (AcceptedResult? Result, Diagnostic? Warning) Accepted(IMetric? primary, string? evaluatorCode)
    {
        evaluator = evaluatorCode;
        if (entry is null || primary is null) return (null, null);
        var metric = entry.Result.Metrics.FirstOrDefault(m => m.Name == primary.Name);
        var why = metric is null ? $"it has no {primary.Name}" : entry.Inputs.Parts.GetValueOrDefault(Fingerprint.Gate) != inputs.Parts[Fingerprint.Gate] ? "other samples gave it"
            : primary is UserMetric && entry.Result.Evaluator != evaluator ? $"another version of the evaluator gave it ({entry.Result.Evaluator?[..8] ?? "not recorded"} -> {evaluator![..8]})" : null;
        // A plan that is followed is not renewed.
        var next = isFollowed ? $"Accept the new result and commit the lock file: {LockFileReader.ForceEvaluate}." : "MaxRegression judges again from the next result on; look at the difference of the lock file before you commit it.";
        return why is null ? (new AcceptedResult(metric!.Value, primary.HigherIsBetter), null)
            : (null, new Diagnostic(Severity.Warning, Codes.LockNotComparable, $"the result cannot be compared with the accepted one of the lock file: {why}. {next}", path));
    }

    /// <summary>What is wrong with bytes that a followed plan gave; null when they are those of the entry.</summary>
    /// <exception cref="CompressionException">COB3008: other bytes, in locked mode, and the processor does not explain them.</exception>
    public Diagnostic? Verify(string sha256)
    {
        if (!isFollowed || entry!.Result.Sha256 == sha256) return null;
        if (entry.Result.Processor is { } maker && maker != roundedOn)
            return new Diagnostic(Severity.Warning, Codes.LockGaveOtherBytes, $"following the lock file gave another model ({sha256[..8]}…) than it says ({entry.Result.Sha256[..8]}…): this processor ({roundedOn}) computes other last bits than the one where it was made ({maker}), and how weights are rounded follows from them. The gate judged this model. For the same bytes everywhere use a recipe with \"errorFeedback\": false, or build on one kind of processor.", path);
        var warning = new Diagnostic(Severity.Warning, Codes.LockGaveOtherBytes, $"following the lock file gave another model ({sha256[..8]}…) than it says ({entry.Result.Sha256[..8]}…): its plan was edited, or this machine computes other last bits of what ONNX Runtime folds or calibrates. Take the file back from version control, or renew it: {LockFileReader.ForceEvaluate}.", path);
        return request.LockedMode ? throw new CompressionException(warning with { Severity = Severity.Error }) : warning;
    }

    /// <summary>
    /// Writes the files of <paramref name="batch"/>, and with them the entry of a plan that was made anew, if it is different. Two target
    /// frameworks may do so at once: one after the other.
    /// </summary>
    public void Commit(OutputBatch batch, CandidateModel candidate, IReadOnlyList<MetricResult> metrics)
    {
        if (isFollowed)
        {
            batch.Commit();
            return;
        }
        var written = new LockEntry(inputs, candidate.Plan!, new LockedResult(candidate.Facts.Sha256, candidate.Facts.Bytes, candidate.MultiplyAdds,
            [.. metrics.Select(m => new LockedMetric(m.Name, Math.Round(m.Compressed, 6), m.Samples))], evaluator, roundedOn));
        using var turn = Turn(path, name => new Mutex(false, name));
        try { turn.WaitOne(); }
        catch (AbandonedMutexException) { } // a killed run: files are whole all the same
        try
        {
            var (old, others) = Old();
            var content = LockFileWriter.Write(others.With(key, written), path);
            var differs = !content.AsSpan().SequenceEqual(old);
            if (differs) batch.Add(path, stream => stream.Write(content));
            batch.Commit();
            State = Remember(InputFile.Of(path), content, key);
        }
        finally { turn.ReleaseMutex(); }
    }

    /// <summary>What writers of one lock file wait for, one after the other.</summary>
    /// <exception cref="CompressionException">COB3010: the system has none for this user.</exception>
    internal static Mutex Turn(string path, Func<string, Mutex> open)
    {
        try { return open(@"Global\CompressOnBuild-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..32]); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.LockNotWritable, $"the lock file must be renewed, and writers of it cannot take turns: {e.Message} The folder for temporary files must be writable, and another user's build must not hold it. Correct that, or set CompressOnBuildLockedMode=true to be told what changed.", path, inner: e);
        }
    }

    // Whoever renews wants a valid file, whatever there was; without that, what cannot be read was refused before.
    private (byte[] Content, LockFile File) Old()
    {
        if (!File.Exists(path)) return ([], LockFile.Empty);
        try
        {
            var content = ReadBounded(path);
            return (content, LockFileReader.Read(content, path));
        }
        catch (CompressionException) when (request.ForceEvaluate) { return ([], LockFile.Empty); }
    }

    private static LockState Remember(InputFile file, byte[] content, string key)
    {
        var first = LockFileWriter.FirstLine(key);
        return new LockState(file with { Sha256 = LockFile.EntrySha256(content, first) }, first);
    }

    private static byte[] ReadBounded(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > LockFile.MaxBytes)
                throw new CompressionException(Codes.LockInvalid, $"the lock file has {stream.Length} bytes; at most {LockFile.MaxBytes} are valid. Check that it is the right file.", path);
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.LockInvalid, $"the lock file cannot be read: {e.Message} Check its permissions.", path, inner: e);
        }
    }
}
