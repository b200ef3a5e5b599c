using System.Globalization;
using System.Reflection;
using NuGet.Versioning;

namespace CompressOnBuild.Encodings;

/// <summary>
/// What the ONNX Runtime that will run the model can run, where it will run: the rows of <see cref="CapabilityTable"/> for one version and target.
/// A form that it cannot run, or runs wrongly, is never written.
/// </summary>
internal sealed class Capabilities
{
    private readonly NuGetVersion version;

    private Capabilities(Target target, NuGetVersion version, bool isAssumed)
    {
        (Target, this.version, IsAssumed) = (target, version, isAssumed);
        var release = CapabilityTable.Releases.Last(r => version >= NuGetVersion.Parse(r.From) || r == CapabilityTable.Releases[0]);
        Opset = CapabilityTable.Opsets.TryGetValue(target, out var bound) ? Math.Min(bound.Opset, release.Opset) : release.Opset;
        IrVersion = release.IrVersion;
    }

    /// <summary>The version that this package measures with.</summary>
    public static string Shipped { get; } = typeof(Capabilities).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "OnnxRuntimeVersion").Value!;

    /// <param name="target">Where the model will run.</param>
    /// <param name="version">The version that will run it, as NuGet writes them; null: not known, the one this package measures with.</param>
    public static Capabilities Of(Target target, string? version = null) => new(target, NuGetVersion.Parse(version ?? Shipped), version is null);

    public Target Target { get; }

    /// <summary>The version that will run the model.</summary>
    public string Version => version.ToNormalizedString();

    /// <summary>Whether nobody said the version.</summary>
    public bool IsAssumed { get; }

    /// <summary>The newest operator set that it runs.</summary>
    public int Opset { get; }

    /// <summary>The newest IR version that it loads.</summary>
    public int IrVersion { get; }

    /// <summary>The oldest release that loads a model of this operator set and IR version; null when none is known.</summary>
    public static string? OldestFor(int opset, long irVersion) => CapabilityTable.Releases.FirstOrDefault(r => r.Opset >= opset && r.IrVersion >= irVersion)?.From;

    /// <summary>Null when the form runs there, else why not and which version would be needed.</summary>
    /// <param name="form">Id of an encoding.</param>
    /// <param name="bits">Bits of the weight.</param>
    /// <param name="block">Elements that share a scale, in forms that have such blocks.</param>
    public string? Refuses(string form, int bits = 8, int block = 0)
    {
        var rows = CapabilityTable.Rows.Where(r => r.IsAbout(form, Target, bits, block)).ToArray();
        // A prerelease is older than its release, and is taken to lack what that brought.
        if (rows.FirstOrDefault(r => r.Forbids && r.Range.Satisfies(version)) is { } forbidden)
            return forbidden.Versions != CapabilityTable.Ever ? $"ONNX Runtime {Version}: {forbidden.Says}" : $"{Where}: {forbidden.Says}";
        var runs = rows.Where(r => !r.Forbids).ToArray();
        if (runs.Any(r => r.Range.Satisfies(version))) return null;
        var needed = runs.Where(r => r.Range.MinVersion > version).MinBy(r => r.Range.MinVersion);
        return needed is null ? $"it is not known to run on {Where}" : $"ONNX Runtime {Version} lacks it, {needed.Range.MinVersion!.ToNormalizedString()} {needed.Says}";
    }

    private string Where => Target switch
    {
        Target.Cuda => "the CUDA provider", Target.DirectMl => "the DirectML provider", Target.Qnn => "the QNN provider", Target.CoreMl => "the CoreML provider", Target.Web => "ONNX Runtime Web", _ => "the CPU",
    };

    /// <summary>
    /// Everything that plans depend on, as text: two versions of which this is equal give equal plans. Operator set, IR version, and what it cannot run.
    /// </summary>
    public string Summary
    {
        get
        {
            var refused = CapabilityTable.Rows.Where(r => r.Targets.Contains(Target) && Refuses(r.Form, r.Bits ?? 8, r.Block ?? 0) is not null)
                .Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Form}{(r.Bits is { } b ? $" {b} bits" : "")}{(r.Block is { } k ? $" block {k}" : "")}")).Distinct().Order(StringComparer.Ordinal).ToArray();
            return string.Create(CultureInfo.InvariantCulture, $"operator set {Opset}, IR {IrVersion}{(refused.Length > 0 ? ", not " + string.Join(", ", refused) : "")}");
        }
    }
}
