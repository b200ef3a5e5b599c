using System.CommandLine;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Worker.Commands;

/// <summary>
/// The metadata of a <c>CompressModel</c> item as options, and their way into a <see cref="CompressionRequest"/>. Every value that is not
/// valid is an error of its own, so that one run shows all of them.
/// </summary>
internal sealed class RequestOptions
{
    private readonly Option<string> name = Text("name", "Name of the compressed model and of its reports [default: the model's file name].");
    private readonly Option<string> outputFolder = Text("output", "Folder for the model and its reports [default: compressed/<name>, of a comparison compared/<name>].");
    private readonly Option<string> recipe = Text("recipe", $"A preset ({string.Join(", ", Recipe.Presets)}) or the path of a recipe file [default: auto].");
    private readonly Option<string> goal = Text("goal", "What 'auto' minimises: size, speed or balanced [default: balanced].");
    private readonly Option<string> target = Text("target", "Where the model will run: cpu, cpu-vnni, cuda, directml, qnn, coreml or web [default: cpu].");
    private readonly Option<string> runtimeVersion = Text("onnx-runtime-version", "Version of the ONNX Runtime that will run the model: forms that it cannot run are not written [default: the one of this tool].");
    private readonly Option<string> calibration = Text("calibration-data", "Samples to calibrate on: .npz, .npy, .csv, .jsonl, a folder of images or sounds, test_data_set_* folders.");
    private readonly Option<string> evaluation = Text("evaluation-data", "Samples to measure on, with labels where there are some.", "--data");
    private readonly Option<string> preprocessing = Text("preprocessing", "A preprocessor_config.json, or a tokenizer.json or vocab.txt [default: beside the model or in the data folder].");
    private readonly Option<string> metric = Text("metric", "One or more metrics, separated by ';'; the first is the primary one.");
    private readonly Option<string> evaluator = Text("evaluator", "A metric of your own, code that runs: path/to/Assembly.dll#Namespace.Type.");
    private readonly Option<string> maxDrop = Text("max-accuracy-drop", "Largest allowed worsening of the primary metric, in its own unit [default: 0.01].");
    private readonly Option<string> require = Text("require", "Conditions on the compressed model: \"top1>=0.80;cer<=0.03\".");
    private readonly Option<string> maxRegression = Text("max-regression", "Largest allowed worsening against the accepted result of the lock file [default: 0.005].");
    private readonly Option<string> maxSize = Text("max-size", "Largest size: 4MB, or 25% of the original.");
    private readonly Option<string> maxLatency = Text("max-latency", "Largest latency as a share of the original's: 80%.");
    private readonly Option<string> transport = Text("transport", "How the model ships: none (as it is) or packed (entropy-coded, for the generated accessor) [default: none].");
    private readonly Option<string> seed = Text("seed", "Seed of everything that draws [default: 1].");
    private readonly Option<string> threads = Text("threads", "Threads to use; never changes the result [default: all processors].");
    private readonly Option<string> runTimeout = Text("run-timeout", "Longest single run of the model, in seconds [default: 1800].");
    private readonly Option<string> timeBudget = Text("time-budget", "Longest search, in seconds; one that is cut short keeps what it found, and says so [default: no bound].");
    private readonly Option<bool> reportImages = new("--report-images") { Description = "report.html shows the pictures of the samples that changed most." };
    private readonly Option<bool> strict = new("--strict") { Description = "An inconclusive or unmeasured verdict fails." };
    private readonly Option<bool> useLock = new("--lock") { Description = "Write <model>.lock.json; one that exists is used in any case." };
    private readonly Option<bool> lockedMode = new("--locked-mode") { Description = "Follow the lock file, and fail when its inputs changed." };
    private readonly Option<bool> forceEvaluate = new("--force-evaluate") { Description = "Do not follow the lock file but write it anew." };

    /// <summary>In the order of the help.</summary>
    public IReadOnlyList<Option> All => [recipe, goal, target, runtimeVersion, calibration, evaluation, preprocessing, metric, evaluator, maxDrop, require, maxRegression, maxSize, maxLatency, transport, seed, outputFolder, name, threads, runTimeout, timeBudget, reportImages, strict, useLock, lockedMode, forceEvaluate];

    /// <summary>Those that mean something where nothing is compressed.</summary>
    public IReadOnlyList<Option> OfComparison => [.. All.Except([recipe, goal, runtimeVersion, transport, maxRegression, timeBudget, useLock, lockedMode, forceEvaluate])];

    /// <summary>Those that mean something where nothing is judged or written.</summary>
    public IReadOnlyList<Option> OfPlan => [.. All.Except([require, maxRegression, outputFolder, reportImages, strict, useLock, lockedMode])];

    /// <summary>The request, and what is wrong with it; with errors the request is not meant to be used. With <paramref name="candidate"/> it asks for a comparison.</summary>
    public (CompressionRequest Request, List<Diagnostic> Errors) Read(ParseResult parsed, string model, string? candidate = null)
    {
        var errors = new List<Diagnostic>();
        var read = new OptionValues(errors);
        if (model.Length == 0 || candidate?.Length == 0)
        {
            errors.Add(new Diagnostic(Severity.Error, Codes.ModelNotFound, "the model's path is empty. Give the path of an .onnx file."));
            model = "model.onnx"; // only so that the other options are read too
            candidate = null;
        }
        var chosenName = parsed.GetValue(name) ?? Path.GetFileNameWithoutExtension(candidate ?? model);
        read.Name(chosenName);
        var chosenRecipe = parsed.GetValue(recipe) ?? "auto";
        var metrics = (parsed.GetValue(metric) ?? "").Split([';', ',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var requirements = read.Requirements(require.Name, parsed.GetValue(require));
        // The name of the user's own metric is known when its assembly is loaded.
        var own = parsed.GetValue(evaluator) is { Length: > 0 } text ? text : null;
        if (own is null) read.Metrics([.. metrics, .. requirements.Select(r => r.Metric)]);
        return (new CompressionRequest
        {
            Model = Path.GetFullPath(model),
            Candidate = FullPath(candidate),
            Name = chosenName,
            Output = Path.GetFullPath(parsed.GetValue(outputFolder) ?? Path.Combine(candidate is null ? "compressed" : "compared", errors.Count == 0 ? chosenName : "")),
            Recipe = Recipe.Presets.Contains(chosenRecipe) || !File.Exists(chosenRecipe) ? chosenRecipe : Path.GetFullPath(chosenRecipe),
            Goal = read.Choice(goal.Name, parsed.GetValue(goal), Goal.Balanced, ("size", Goal.Size), ("speed", Goal.Speed), ("balanced", Goal.Balanced)),
            Target = read.Choice(target.Name, parsed.GetValue(target), Target.Cpu, ("cpu", Target.Cpu), ("cpu-vnni", Target.CpuVnni), ("cuda", Target.Cuda),
                ("directml", Target.DirectMl), ("qnn", Target.Qnn), ("coreml", Target.CoreMl), ("web", Target.Web)),
            OnnxRuntimeVersion = read.Version(runtimeVersion.Name, parsed.GetValue(runtimeVersion)),
            CalibrationData = FullPath(parsed.GetValue(calibration)),
            EvaluationData = FullPath(parsed.GetValue(evaluation)),
            Preprocessing = FullPath(parsed.GetValue(preprocessing)),
            Metrics = metrics,
            Evaluator = own is null ? null : own.LastIndexOf('#') is var hash and > 0 ? Path.GetFullPath(own[..hash]) + own[hash..] : own,
            MaxAccuracyDrop = read.Number(maxDrop.Name, parsed.GetValue(maxDrop), "numbers of at least 0, in the metric's own unit, such as 0.01", v => v >= 0),
            Require = requirements,
            MaxRegression = read.Number(maxRegression.Name, parsed.GetValue(maxRegression), "numbers of at least 0, in the metric's own unit, such as 0.005", v => v >= 0),
            MaxSize = read.Size(maxSize.Name, parsed.GetValue(maxSize)),
            MaxLatency = read.Share(maxLatency.Name, parsed.GetValue(maxLatency)),
            Packed = read.Choice(transport.Name, parsed.GetValue(transport), false, ("none", false), ("packed", true)),
            Seed = read.Whole(seed.Name, parsed.GetValue(seed), 1, 0, int.MaxValue),
            Threads = read.Whole(threads.Name, parsed.GetValue(threads), 0, 0, 1024),
            RunTimeout = read.Number(runTimeout.Name, parsed.GetValue(runTimeout), "seconds above 0, up to 86400", v => v is > 0 and <= 86_400) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            TimeBudget = read.Number(timeBudget.Name, parsed.GetValue(timeBudget), "seconds above 0, up to 86400", v => v is > 0 and <= 86_400) is { } budget ? TimeSpan.FromSeconds(budget) : null,
            ReportImages = parsed.GetValue(reportImages),
            Strict = parsed.GetValue(strict),
            Lock = parsed.GetValue(useLock),
            LockedMode = parsed.GetValue(lockedMode),
            ForceEvaluate = parsed.GetValue(forceEvaluate),
        }, errors);
    }

    private static Option<string> Text(string name, string description, params string[] aliases) => new("--" + name, aliases) { Description = description, HelpName = name.Split('-')[^1] };

    private static string? FullPath(string? path) => string.IsNullOrEmpty(path) ? null : Path.GetFullPath(path);
}
