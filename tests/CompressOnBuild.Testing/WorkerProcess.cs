namespace CompressOnBuild.Testing;

/// <summary>The worker as a process of its own, as builds start it: what it says and leaves is what a user gets.</summary>
public static class WorkerProcess
{
    /// <summary>Lies beside the tests, which refer to it.</summary>
    public static string Assembly { get; } = Path.Combine(AppContext.BaseDirectory, "compressonbuild.dll");

    /// <summary>The command line after the host: <c>exec compressonbuild.dll compress …</c>.</summary>
    public static string[] Command(params string[] arguments) => ["exec", Assembly, "compress", .. arguments];

    /// <summary>Any command.</summary>
    public static ProcessResult Run(params string[] arguments) => DotNet.Run(DotNet.Host, ["exec", Assembly, .. arguments], Path.GetTempPath(), null, TimeSpan.FromMinutes(2));

    public static ProcessResult Compress(params string[] arguments) => CompressWith(null, arguments);

    public static ProcessResult CompressWith(IReadOnlyDictionary<string, string?>? environment, params string[] arguments) =>
        DotNet.Run(DotNet.Host, Command(arguments), Path.GetTempPath(), environment, TimeSpan.FromMinutes(2));

    /// <summary>Through bash, after <paramref name="prelude"/> has set limits that the worker inherits.</summary>
    public static ProcessResult CompressUnder(string prelude, IReadOnlyDictionary<string, string?>? environment, params string[] arguments) =>
        DotNet.Run("bash", ["-c", prelude + " \"$@\"", "bash", DotNet.Host, .. Command(arguments)], Path.GetTempPath(), environment, TimeSpan.FromMinutes(2));
}
