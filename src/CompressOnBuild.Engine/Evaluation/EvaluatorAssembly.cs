using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Runtime.Versioning;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// The user's own assembly with a metric, named by the project file as <c>path/to/Assembly.dll#Namespace.Type</c> and by nothing else: no
/// recipe, no data and no model can name code. It lives in a load context of its own: what lies beside it wins over what this program
/// brings, but for the interface, which both sides share.
/// </summary>
internal sealed class EvaluatorAssembly : AssemblyLoadContext
{
    private readonly AssemblyDependencyResolver resolver;
    private readonly Dictionary<string, InputFile> files = new(StringComparer.Ordinal);

    private EvaluatorAssembly(string path) : base(Path.GetFileNameWithoutExtension(path))
    {
        File = path;
        Track(path);
        var dependencies = Path.ChangeExtension(path, ".deps.json");
        if (System.IO.File.Exists(dependencies)) Track(dependencies);
        else Absent = [dependencies];
        try { resolver = new AssemblyDependencyResolver(path); }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw new CompressionException(Codes.EvaluatorNotLoadable, $"the dependencies of the evaluator's assembly cannot be read: {FirstLine(e)} Valid is what 'dotnet build' leaves: the assembly with its .deps.json. Build it again.", path, inner: e);
        }
    }

    /// <summary>The assembly, its .deps.json, and what was loaded from beside it so far.</summary>
    public IReadOnlyList<InputFile> Files
    {
        get { lock (files) return [.. files.Values]; }
    }

    /// <summary>A .deps.json that was not there.</summary>
    public IReadOnlyList<string> Absent { get; } = [];

    /// <summary>SHA-256 of the assembly.</summary>
    public string Sha256 => files[File].Sha256;

    /// <summary>As <see cref="EvaluatorCode"/> of the evaluator: equal for builds of equal sources.</summary>
    public string CodeSha256 { get; private set; } = "";

    /// <summary>Absolute path of the assembly.</summary>
    public string File { get; }

    /// <summary>The user's object.</summary>
    public IEvaluator Evaluator { get; private set; } = null!;

    /// <summary>Loads the assembly and makes the evaluator.</summary>
    /// <param name="reference"><c>path#type</c>, the path absolute.</param>
    /// <exception cref="CompressionException">COB1143 for the assembly, COB1144 for the type, COB1145 for its constructor.</exception>
    public static EvaluatorAssembly Load(string reference)
    {
        var hash = reference.LastIndexOf('#');
        if (hash <= 0 || hash == reference.Length - 1)
            throw new CompressionException(Codes.EvaluatorTypeInvalid, $"the evaluator is '{reference}'. Valid is the path of an assembly, '#' and the full name of a type: bin/Metrics.dll#MyApp.MyMetric. Correct 'Evaluator'.");
        var (path, name) = (Path.GetFullPath(reference[..hash]), reference[(hash + 1)..]);
        if (!System.IO.File.Exists(path))
            throw new CompressionException(Codes.EvaluatorNotLoadable, "the evaluator's assembly does not exist. Valid is the path of a built assembly, relative to the project. Build it before (a ProjectReference with ReferenceOutputAssembly=\"false\" does), or correct the path.", path);
        var context = new EvaluatorAssembly(path);
        context.Evaluator = Create(context, name);
        using var code = System.IO.File.OpenRead(path);
        context.CodeSha256 = EvaluatorCode.Sha256(code, name);
        return context;
    }

    private static IEvaluator Create(EvaluatorAssembly context, string name)
    {
        var path = context.File;
        Assembly assembly;
        try { assembly = context.LoadFromAssemblyPath(path); }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException or FileNotFoundException)
        {
            throw new CompressionException(Codes.EvaluatorNotLoadable, $"the evaluator's assembly is no .NET assembly that can be loaded: {FirstLine(e)} Valid is a library for .NET {Environment.Version.Major} or older, or .NET Standard, for any processor or {RuntimeInformation.ProcessArchitecture}. Build it so.", path, inner: e);
        }
        try
        {
            if (Framework(assembly) is { } other)
                throw new CompressionException(Codes.EvaluatorNotLoadable, $"the evaluator's assembly is built for {other}. Valid is .NET {Environment.Version.Major} or older, or .NET Standard. Add such a target framework.", path);
            if (assembly.GetType(name) is not { } type || !typeof(IEvaluator).IsAssignableFrom(type))
            {
                string[] valid = [.. assembly.GetExportedTypes().Where(t => IsUsable(t)).Select(t => t.FullName!)];
                throw new CompressionException(Codes.EvaluatorTypeInvalid, $"the evaluator's assembly has {(assembly.GetType(name) is null ? $"no type '{name}'" : $"a type '{name}', but it does not implement {typeof(IEvaluator).FullName}")}. {(valid.Length == 0 ? $"Valid is a public class that implements {typeof(IEvaluator).FullName} of the package CompressOnBuild.Evaluation; it has none. Implement it" : $"Valid are {string.Join(", ", valid.Take(20))}. Name one of them")}.", path);
            }
            if (!IsUsable(type))
                throw new CompressionException(Codes.EvaluatorTypeInvalid, $"the evaluator's type '{name}' cannot be created. Valid is a public class that is neither abstract nor generic, with a public constructor without parameters. Change the type, or name another.", path);
            return (IEvaluator)Activator.CreateInstance(type)!;
        }
        catch (TargetInvocationException e) when (e.InnerException is { } inner) { throw Metrics.UserMetric.Failed($"the constructor of '{name}'", inner, path); }
        catch (Exception e) when (e is FileNotFoundException or FileLoadException or BadImageFormatException or TypeLoadException or MissingMethodException) { throw Missing(e, path); }
    }

    /// <summary>What an assembly misses shows when its code first needs it.</summary>
    public static CompressionException Missing(Exception e, string path) => new(Codes.EvaluatorNotLoadable,
        $"the evaluator needs something that is not there: {FirstLine(e)} Valid are dependencies beside the assembly (<EnableDynamicLoading>true</EnableDynamicLoading> in its project copies them), .NET {Environment.Version.Major} and what the interface's version has. Add what is missing.", path, inner: e);

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        // One interface for both sides, or no type of the user's would implement it.
        if (assemblyName.Name == typeof(IEvaluator).Assembly.GetName().Name) return typeof(IEvaluator).Assembly;
        return resolver.ResolveAssemblyToPath(assemblyName) is { } found ? LoadFromAssemblyPath(Track(found)) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } found ? LoadUnmanagedDllFromPath(Track(found)) : 0;

    private string Track(string file)
    {
        lock (files) files.TryAdd(file, InputFile.Of(file));
        return file;
    }

    private static bool IsUsable(Type type) =>
        typeof(IEvaluator).IsAssignableFrom(type) && type is { IsClass: true, IsAbstract: false, ContainsGenericParameters: false, IsVisible: true } && type.GetConstructor(Type.EmptyTypes) is not null;

    /// <summary>The name of a framework that this process is not.</summary>
    private static string? Framework(Assembly assembly)
    {
        if (assembly.GetCustomAttribute<TargetFrameworkAttribute>()?.FrameworkName is not { } text) return null;
        var framework = new FrameworkName(text);
        var runs = framework.Identifier == ".NETStandard" || framework.Identifier == ".NETCoreApp" && framework.Version.Major <= Environment.Version.Major;
        return runs ? null : $"{framework.Identifier} {framework.Version}";
    }

    private static string FirstLine(Exception e) => e.Message.Split('\n')[0].TrimEnd('\r', '.', ' ') + ".";
}
