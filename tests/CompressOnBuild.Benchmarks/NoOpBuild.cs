using Microsoft.Build.Logging.StructuredLogger;
using LoggedTarget = Microsoft.Build.Logging.StructuredLogger.Target;
using LoggedTask = Microsoft.Build.Logging.StructuredLogger.Task;

namespace CompressOnBuild.Benchmarks;

/// <summary>
/// What a binary log says of one build: milliseconds and runs of each of the package's targets, of the SDK's ResolveAssemblyReferences (how
/// fast this machine is at this moment), and of the whole build; how many workers were started. <paramref name="LargestMilliseconds"/>: the
/// package's targets in the one instance of the project (a target framework) where they took longest.
/// </summary>
internal sealed record NoOpBuild(IReadOnlyDictionary<string, (double Milliseconds, int Runs)> Targets, double ReferencesMilliseconds, double BuildMilliseconds, double LargestMilliseconds, int Workers)
{
    public double Milliseconds => Targets.Values.Sum(t => t.Milliseconds);

    public static NoOpBuild Read(string binaryLog)
    {
        var build = BinaryLog.ReadBuild(binaryLog);
        var targets = new Dictionary<string, (double Milliseconds, int Runs)>(StringComparer.Ordinal);
        var instances = new Dictionary<int, double>();
        double references = 0;
        var workers = 0;
        build.VisitAllChildren<LoggedTarget>(target =>
        {
            if (target.Skipped) return;
            if (target.Name == "ResolveAssemblyReferences") references += target.Duration.TotalMilliseconds;
            if (!target.Name.StartsWith("_Cob", StringComparison.Ordinal) && target.Name is not ("CompressModels" or "CompressModel")) return;
            var (milliseconds, runs) = targets.GetValueOrDefault(target.Name);
            targets[target.Name] = (milliseconds + target.Duration.TotalMilliseconds, runs + 1);
            var instance = target.Project?.Id ?? 0;
            instances[instance] = instances.GetValueOrDefault(instance) + target.Duration.TotalMilliseconds;
        });
        build.VisitAllChildren<LoggedTask>(task => workers += task.Name == "RunCompressor" ? 1 : 0);
        return new NoOpBuild(targets, references, build.Duration.TotalMilliseconds, instances.Values.DefaultIfEmpty().Max(), workers);
    }
}
