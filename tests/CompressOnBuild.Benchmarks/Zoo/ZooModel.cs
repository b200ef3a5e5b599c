namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// One model with its data, in a working copy: the zoo itself is read-only, and <c>evaluation.json</c> and the alphabet have to lie beside
/// what they describe. <paramref name="Calibration"/> and <paramref name="Evaluation"/> are files or folders, null where there are none.
/// </summary>
internal sealed record ZooModel(string Name, string Model, string? Calibration, string? Evaluation, string? Metrics)
{
    /// <summary>
    /// Names of the models that <paramref name="zoo"/> has a folder for, then of those that are made from its data. A folder is a model's if it
    /// holds <c>model.onnx</c>, <c>&lt;folder&gt;.onnx</c> or <c>model.npm</c>.
    /// </summary>
    public static IReadOnlyList<string> Names(string zoo)
    {
        var stored = Directory.EnumerateDirectories(zoo).Where(d => Source(d) is not null).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal).ToList();
        return [.. stored, .. ModelSettings.All.Where(s => s.Value.PagesOf is { } lines && stored.Contains(lines) && !stored.Contains(s.Key)).Select(s => s.Key)];
    }

    /// <summary>Copies the model and its data into <c>work/name</c>.</summary>
    /// <exception cref="SkippedException">The model cannot be had here.</exception>
    public static ZooModel Prepare(string zoo, string name, string work, NpmCache npm)
    {
        var (from, to) = (Path.Combine(zoo, name), Path.Combine(work, name));
        var settings = ModelSettings.All.GetValueOrDefault(name, new ModelSettings());
        Directory.CreateDirectory(to);
        var model = Path.Combine(to, "model.onnx");
        var source = Source(from);
        if (source is null || source.EndsWith(".npm", StringComparison.Ordinal))
            source = npm.Find(source is null ? settings.Npm ?? throw new SkippedException($"{zoo} has no model of this name") : File.ReadAllText(source));
        Copy(source, model);
        var keys = Path.Combine(from, "keys.npm");
        if (File.Exists(keys)) Copy(npm.Find(File.ReadAllText(keys)), Path.Combine(to, "keys.txt"));

        var configuration = Path.Combine(to, "evaluation.json");
        if (settings.Evaluation is { } evaluation) File.WriteAllText(configuration, evaluation.GetRawText().ReplaceLineEndings("\n") + "\n");
        else File.Delete(configuration);

        if (settings.PagesOf is { } lines)
        {
            TextPages.Write(Path.Combine(zoo, lines), to);
            return new ZooModel(name, model, Path.Combine(to, "calib"), Path.Combine(to, "eval"), settings.Metrics);
        }
        var preprocessing = Path.Combine(from, "preprocessor_config.json");
        if (File.Exists(preprocessing)) Copy(preprocessing, Path.Combine(to, "preprocessor_config.json"));
        return new ZooModel(name, model, Data("calib"), Data("eval") ?? Data("val"), settings.Metrics);

        string? Data(string what)
        {
            var arrays = Path.Combine(from, what + ".npz");
            if (File.Exists(arrays)) return Copy(arrays, Path.Combine(to, what + ".npz"));
            var pictures = Path.Combine(from, what);
            if (!Directory.Exists(pictures)) return null;
            Directory.CreateDirectory(Path.Combine(to, what));
            foreach (var file in Directory.EnumerateFiles(pictures)) Copy(file, Path.Combine(to, what, Path.GetFileName(file)));
            return Path.Combine(to, what);
        }
    }

    private static string? Source(string folder) =>
        new[] { "model.onnx", Path.GetFileName(folder) + ".onnx", "model.npm" }.Select(f => Path.Combine(folder, f)).FirstOrDefault(File.Exists);

    // Times and lengths decide: the zoo never changes, so a working copy is made once.
    private static string Copy(string from, string to)
    {
        var (source, target) = (new FileInfo(from), new FileInfo(to));
        if (target.Exists && target.Length == source.Length && target.LastWriteTimeUtc == source.LastWriteTimeUtc) return to;
        if (target.Exists) target.Delete();
        source.CopyTo(to);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(to, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.SetLastWriteTimeUtc(to, source.LastWriteTimeUtc);
        return to;
    }
}
