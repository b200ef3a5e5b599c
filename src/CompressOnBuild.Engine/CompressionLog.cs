using CompressOnBuild.Diagnostics;

namespace CompressOnBuild;

/// <summary>
/// What a run tells whoever watches it. Calls come from one thread at a time. Texts may hold names from hostile models: the sink
/// escapes them. Errors are not logged here, they are thrown as <see cref="CompressionException"/>.
/// </summary>
public interface ICompressionLog
{
    /// <summary>A stage begins ("calibrating"); the one before it is over.</summary>
    void Stage(string text);

    /// <summary>How far the current stage is, 0 to 1. May be called as often as is convenient: the sink throttles.</summary>
    void Progress(double fraction, string text);

    /// <summary>A warning the user sees at once. The same warning belongs into <see cref="CompressionResult.Warnings"/>.</summary>
    void Warning(Diagnostic diagnostic);
}

/// <summary>Listens to nothing.</summary>
public sealed class NullCompressionLog : ICompressionLog
{
    /// <summary>The only one needed.</summary>
    public static readonly NullCompressionLog Instance = new();
    private NullCompressionLog() { }
    /// <inheritdoc/>
    public void Stage(string text) { }
    /// <inheritdoc/>
    public void Progress(double fraction, string text) { }
    /// <inheritdoc/>
    public void Warning(Diagnostic diagnostic) { }
}
