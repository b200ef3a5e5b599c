using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CompressOnBuild.Tasks;

/// <summary>
/// <c>CompressModel</c> items and their metadata as checked requests: which result each one has, whether it is still right, and the items
/// that ship it. Writes nothing but <c>request.rsp</c> of what must be compressed.
/// </summary>
[MSBuildMultiThreadableTask]
public sealed class ResolveCompressModels : Task
{
    /// <summary>What the worker calls the packed model, after the model's own name.</summary>
    private const string PackedSuffix = ".packed";

    /// <summary>The <c>CompressModel</c> items.</summary>
    [Required]
    public ITaskItem[] Models { get; set; } = [];

    /// <summary>Full path of the project: what relative paths are relative to, and what is built again for each stale model.</summary>
    [Required]
    public string ProjectPath { get; set; } = "";

    /// <summary>Full path of <c>obj/compressed</c>.</summary>
    [Required]
    public string OutputRoot { get; set; } = "";

    /// <summary>The project's resolved package assets (of any package): the version of ONNX Runtime is theirs.</summary>
    public ITaskItem[] PackageAssets { get; set; } = [];

    /// <summary>False: the originals ship under the names of the compressed models.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>An inconclusive or unmeasured verdict fails.</summary>
    public bool Strict { get; set; }

    /// <summary>report.html shows pictures of samples.</summary>
    public bool ReportImages { get; set; }

    /// <summary>Seconds that a search may take; empty: no bound. The worker says what is valid.</summary>
    public string TimeBudget { get; set; } = "";

    /// <summary>Lock files are written beside the models.</summary>
    public bool UseLock { get; set; }

    /// <summary>Lock files are followed and never changed.</summary>
    public bool LockedMode { get; set; }

    /// <summary>Every model is evaluated anew, whatever is up to date. Of this build alone: the requests do not say it.</summary>
    public bool ForceEvaluate { get; set; }

    /// <summary>False in a design-time build: says what would ship and looks at nothing.</summary>
    public bool CheckFreshness { get; set; } = true;

    /// <summary>Nothing may be compressed: a stale result is used with a warning, a missing one is an error.</summary>
    public bool NoBuild { get; set; }

    /// <summary>Only <see cref="Requests"/> is asked for.</summary>
    public bool KeysOnly { get; set; }

    /// <summary>The framework of this build of the project.</summary>
    public string TargetFramework { get; set; } = "";

    /// <summary>The project's target frameworks, as in <c>TargetFrameworks</c>.</summary>
    public string TargetFrameworks { get; set; } = "";

    /// <summary>Names of properties that are set and that this version does not serve, separated by semicolons.</summary>
    public string UnavailableProperties { get; set; } = "";

    /// <summary>Reports are published, too.</summary>
    public bool PublishReports { get; set; }

    /// <summary>What all target frameworks ask for (their <see cref="Requests"/>); not given: not known.</summary>
    public ITaskItem[]? Wanted { get; set; }

    /// <summary>A new request must be placed and <see cref="Wanted"/> was not given: call again with it. The other outputs are empty.</summary>
    [Output]
    public bool NeedsWanted { get; set; }

    /// <summary>Model names with the metadata <c>Hash</c> of their request, and <c>Framework</c>.</summary>
    [Output]
    public ITaskItem[] Requests { get; set; } = [];

    /// <summary>The project, once for each model to compress, with <c>AdditionalProperties</c>.</summary>
    [Output]
    public ITaskItem[] Stale { get; set; } = [];

    /// <summary>Items for <c>EmbeddedResource</c>.</summary>
    [Output]
    public ITaskItem[] Embedded { get; set; } = [];

    /// <summary>Items for <c>None</c> that are copied beside the app: models and reports.</summary>
    [Output]
    public ITaskItem[] Copied { get; set; } = [];

    /// <summary>One item for each model that code can open: the accessor's name, with what <see cref="GenerateAccessor"/> must know.</summary>
    [Output]
    public ITaskItem[] Accessors { get; set; } = [];

    /// <summary>The output folder of each model, with the metadata <c>Model</c>: the original's path.</summary>
    [Output]
    public ITaskItem[] Results { get; set; } = [];

    /// <summary>The errors and warnings that were logged, each a line in the form of <see cref="WorkerLine"/>, with the metadata <c>Model</c> where an error leaves that one without a result.</summary>
    [Output]
    public ITaskItem[] Diagnostics { get; set; } = [];

    /// <summary>Whether an error was logged. The valid models are in the other outputs all the same, so that one build shows all errors of all models.</summary>
    [Output]
    public bool Invalid { get; set; }

    private string[] _frameworks = [];
    private string? _runtimeVersion;
    private readonly FileStates _states = new();
    private readonly List<ITaskItem> _requests = [];
    private readonly List<ITaskItem> _stale = [];
    private readonly List<ITaskItem> _embedded = [];
    private readonly List<ITaskItem> _copied = [];
    private readonly List<ITaskItem> _accessors = [];
    private readonly List<ITaskItem> _results = [];
    private readonly List<ITaskItem> _diagnostics = [];

    public override bool Execute()
    {
        _frameworks = SplitList(TargetFrameworks);
        _runtimeVersion = RuntimePackages.Lowest(PackageAssets);
        if (!KeysOnly && Wanted is null && Enabled)
        {
            foreach (string property in SplitList(UnavailableProperties))
                Error(TaskCodes.NotAvailable, "", $"The property {property} is set, but what it asks for is not available in version {PackageVersion.Value} of CompressOnBuild. Remove it.");
        }
        foreach (CompressModelItem model in ReadItems())
            Resolve(model);
        Requests = _requests.ToArray();
        if (!NeedsWanted)
        {
            Stale = _stale.ToArray();
            Embedded = _embedded.ToArray();
            Copied = _copied.ToArray();
            Accessors = _accessors.ToArray();
            Results = _results.ToArray();
        }
        Diagnostics = _diagnostics.ToArray();
        return !Invalid;
    }

    private List<CompressModelItem> ReadItems()
    {
        string directory = Path.GetDirectoryName(ProjectPath) ?? "";
        var models = new List<CompressModelItem>(Models.Length);
        foreach (ITaskItem item in Models)
        {
            bool valid = true;
            string project = item.GetMetadata("DefiningProjectFullPath");
            string full = CompressModelItem.Absolute(item.ItemSpec, directory);
            void Report(string code, string text)
            {
                valid = false;
                Error(code, project, text, full);
            }
            var model = new CompressModelItem(item, directory, Report);
            if (valid)
                models.Add(model);
            else
                model.Request(Switches(), Report); // for its other errors
            if (!KeysOnly && Wanted is null)
                model.ReportMisspelt(text => Warn(TaskCodes.UnknownMetadata, project, text));
        }
        RefuseDuplicates(models);
        return models;
    }

    /// <summary>Files of the same name in two folders share neither a resource, nor an accessor, nor an output folder.</summary>
    private void RefuseDuplicates(List<CompressModelItem> models)
    {
        for (int i = models.Count - 1; i > 0; i--)
        {
            for (int j = 0; j < i; j++)
            {
                CompressModelItem first = models[j], second = models[i];
                string? clash = first.Deployment == "none" || second.Deployment == "none" ? null
                    : string.Equals(first.LogicalName, second.LogicalName, StringComparison.OrdinalIgnoreCase) ? $"LogicalName '{first.LogicalName}'"
                    : first.AccessorName == second.AccessorName ? $"AccessorName '{first.AccessorName}'"
                    : null;
                bool sameName = string.Equals(first.Name, second.Name, StringComparison.OrdinalIgnoreCase);
                if (clash is null && sameName && string.Equals(first.AccessorName, second.AccessorName, StringComparison.OrdinalIgnoreCase))
                    clash = $"AccessorName '{first.AccessorName}'";
                if (clash is not null)
                {
                    Error(TaskCodes.DuplicateModelName, second.DefiningProject,
                        $"The models '{first.Spec}' and '{second.Spec}' both have the {clash}. Each model of a project needs its own LogicalName and AccessorName. " +
                        "Set them on one of the items, or remove the item that is there twice.", second.ModelPath);
                    models.RemoveAt(i);
                    break;
                }
                if (sameName)
                {
                    first.Name = first.AccessorName;
                    second.Name = second.AccessorName;
                }
            }
        }
    }

    // A lock file that lies beside a model is used without being asked for: the list of inputs says whether there was one.
    private string Switches() =>
        (_runtimeVersion is null ? "" : "--onnx-runtime-version=" + _runtimeVersion + "\n") + (TimeBudget.Trim().Length > 0 ? $"--time-budget={TimeBudget.Trim()}\n" : "") + (ReportImages ? "--report-images\n" : "") + (Strict ? "--strict\n" : "") + (UseLock ? "--lock\n" : "") + (LockedMode ? "--locked-mode\n" : "");

    private void Resolve(CompressModelItem model)
    {
        bool valid = true;
        string request = model.Request(Switches(), (code, text) =>
        {
            valid = false;
            if (!KeysOnly && Wanted is null)
                Error(code, model.DefiningProject, text, model.ModelPath);
        });
        if (!valid)
            return;
        if (!Enabled)
        {
            Ship(model, model.ModelPath, null);
            return;
        }
        byte[] bytes = Placement.Encode(request);
        if (KeysOnly)
        {
            var key = new TaskItem(Escaping.Escape(model.Name));
            key.SetMetadata("Hash", InputsFile.Hash(bytes));
            key.SetMetadata("Framework", Escaping.Escape(TargetFramework));
            _requests.Add(key);
            return;
        }
        string? folder = Placement.Find(OutputRoot, model.Name, bytes, _frameworks);
        string? why = !CheckFreshness ? null : ForceEvaluate && !NoBuild ? "CompressOnBuildForceEvaluate is set" : Placement.WhyStale(folder, bytes, _states);
        if (folder is null && why is not null && !NoBuild)
        {
            if (_frameworks.Length > 1 && Wanted is null)
            {
                NeedsWanted = true;
                return;
            }
            folder = Placement.Choose(OutputRoot, model.Name, InputsFile.Hash(bytes), WantedFor(model.Name), _frameworks);
            if (!WriteRequest(model, folder, bytes))
                return;
        }
        folder ??= Path.Combine(OutputRoot, model.Name);
        string output = Path.Combine(folder, model.Name + ".onnx");
        if (why is not null)
        {
            if (NoBuild)
                UseStale(model, output, why);
            else
                AddStale(model, folder, why);
        }
        Ship(model, output, folder);
    }

    private List<KeyValuePair<string, string>> WantedFor(string name)
    {
        var hashes = new List<KeyValuePair<string, string>>();
        foreach (ITaskItem wanted in Wanted ?? [])
        {
            if (wanted.ItemSpec == name)
                hashes.Add(new KeyValuePair<string, string>(wanted.GetMetadata("Hash"), wanted.GetMetadata("Framework")));
        }
        return hashes;
    }

    private bool WriteRequest(CompressModelItem model, string folder, byte[] request)
    {
        try
        {
            Directory.CreateDirectory(folder);
            InputsFile.WriteAtomically(Path.Combine(folder, Placement.RequestFile), request);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Error(TaskCodes.OutputFolderNotWritable, model.DefiningProject,
                $"The result of '{model.Spec}' cannot be written to '{folder}': {e.Message} The folder must be writable. Change its permissions or BaseIntermediateOutputPath.", model.ModelPath);
            return false;
        }
    }

    private void AddStale(CompressModelItem model, string folder, string why)
    {
        Log.LogMessage(MessageImportance.Normal, LogText.Clean($"CompressOnBuild: compressing '{model.Spec}': {why}."));
        var stale = new TaskItem(Escaping.Escape(ProjectPath));
        stale.SetMetadata("AdditionalProperties", Escaping.Escape("_CobRequest=" + Path.Combine(folder, Placement.RequestFile)));
        _stale.Add(stale);
    }

    private void UseStale(CompressModelItem model, string output, string why)
    {
        if (File.Exists(model.Packed ? output + PackedSuffix : output))
            Warn(TaskCodes.StaleWithNoBuild, model.DefiningProject,
                $"The compressed model of '{model.Spec}' is not up to date ({why}), but NoBuild is set, so it is used as it is. Build once without NoBuild.");
        else
            Error(TaskCodes.StaleWithNoBuild, model.DefiningProject,
                $"'{model.Spec}' was never compressed, and NoBuild forbids it. Build once without NoBuild (--no-build).");
    }

    private void Ship(CompressModelItem model, string file, string? folder)
    {
        // Switched off, the originals ship as they are.
        bool packed = model.Packed && folder is not null;
        // Beside the app nobody must take the packed file for a model.
        string path = packed && model.Deployment == "content" ? model.LogicalName + PackedSuffix : model.LogicalName;
        if (packed)
            file += PackedSuffix;
        if (model.Deployment == "embed")
        {
            Embed(file, model.LogicalName);
            if (folder is not null)
                Embed(Path.Combine(folder, "report.json"), model.LogicalName + ".report.json");
        }
        else if (model.Deployment == "content")
        {
            Copy(file, path, "PreserveNewest");
            // Large models keep their weights in a second file, which ONNX Runtime looks for beside the first.
            if (File.Exists(file + ".data"))
                Copy(file + ".data", Path.GetDirectoryName(model.LogicalName) + "/" + Path.GetFileName(file) + ".data", "PreserveNewest");
        }
        if (folder is not null)
        {
            var result = new TaskItem(Escaping.Escape(folder));
            result.SetMetadata("Model", Escaping.Escape(model.ModelPath));
            _results.Add(result);
            string publish = PublishReports ? "PreserveNewest" : "Never";
            Copy(Path.Combine(folder, "report.html"), $"compression/{model.Name}.report.html", publish);
            Copy(Path.Combine(folder, "report.json"), $"compression/{model.Name}.report.json", publish);
        }
        if (model.Deployment == "none")
            return;
        var accessor = new TaskItem(Escaping.Escape(model.AccessorName));
        accessor.SetMetadata("Deployment", model.Deployment);
        accessor.SetMetadata("LogicalName", Escaping.Escape(path));
        accessor.SetMetadata("Packed", packed ? "true" : "false");
        accessor.SetMetadata("File", Escaping.Escape(file));
        accessor.SetMetadata("Source", Escaping.Escape(model.ModelPath));
        accessor.SetMetadata("Spec", Escaping.Escape(model.Spec));
        accessor.SetMetadata("Folder", Escaping.Escape(folder ?? ""));
        _accessors.Add(accessor);
    }

    private void Embed(string file, string logicalName)
    {
        var item = new TaskItem(Escaping.Escape(file));
        item.SetMetadata("LogicalName", Escaping.Escape(logicalName));
        item.SetMetadata("Type", "Non-Resx");
        // A model called 'm.de.onnx' is not German.
        item.SetMetadata("WithCulture", "false");
        item.SetMetadata("Visible", "false");
        _embedded.Add(item);
    }

    private void Copy(string file, string targetPath, string publish)
    {
        var item = new TaskItem(Escaping.Escape(file));
        item.SetMetadata("TargetPath", Escaping.Escape(targetPath));
        item.SetMetadata("CopyToOutputDirectory", "PreserveNewest");
        item.SetMetadata("CopyToPublishDirectory", publish);
        item.SetMetadata("Visible", "false");
        _copied.Add(item);
    }

    private void Error(string code, string project, string text, string model = "")
    {
        Invalid = true;
        if (KeysOnly || !(Wanted is null || code == TaskCodes.OutputFolderNotWritable || code == TaskCodes.StaleWithNoBuild))
            return;
        string file = project.Length > 0 ? project : ProjectPath, clean = LogText.Clean(text);
        Log.LogError(null, code, code, file, 0, 0, 0, 0, clean);
        Keep("error", code, file, clean, model);
    }

    private void Warn(string code, string project, string text)
    {
        string clean = LogText.Clean(text);
        Log.LogWarning(null, code, code, project, 0, 0, 0, 0, clean);
        Keep("warning", code, project, clean);
    }

    private void Keep(string severity, string code, string file, string text, string model = "")
    {
        var line = new TaskItem(Escaping.Escape(WorkerLine.Format(severity, code, LogText.Clean(file), 0, 0, text)));
        line.SetMetadata("Model", Escaping.Escape(model));
        _diagnostics.Add(line);
    }

    private static string[] SplitList(string list)
    {
        var parts = new List<string>();
        foreach (string part in list.Split(';'))
        {
            if (part.Trim().Length > 0)
                parts.Add(part.Trim());
        }
        return parts.ToArray();
    }
}
