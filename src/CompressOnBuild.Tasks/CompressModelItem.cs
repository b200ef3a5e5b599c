using System;
using System.Globalization;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;

namespace CompressOnBuild.Tasks;

/// <summary>
/// One <c>CompressModel</c> item with its metadata checked as far as that needs no engine. What is wrong goes to <c>report</c>
/// (code, message), all of it, not only the first.
/// </summary>
internal sealed class CompressModelItem
{
    private static readonly string[] s_known =
    [
        "Recipe", "Goal", "TargetDevice", "CalibrationData", "EvaluationData", "Preprocessing", "Metric", "Evaluator", "MaxAccuracyDrop", "Require",
        "MaxRegression", "MaxSize", "MaxLatency", "Deployment", "Transport", "LogicalName", "AccessorName", "Seed",
    ];
    private static readonly string[] s_goals = ["balanced", "size", "speed"];
    private static readonly string[] s_targets = ["cpu", "cpu-vnni", "cuda", "directml", "qnn", "coreml", "web"];
    private static readonly string[] s_deployments = ["embed", "content", "none"];
    private static readonly string[] s_transports = ["none", "packed"];

    private readonly ITaskItem _item;
    private readonly string _projectDirectory;
    private Action<string, string> _report;

    internal CompressModelItem(ITaskItem item, string projectDirectory, Action<string, string> report)
    {
        _item = item;
        _projectDirectory = projectDirectory;
        _report = report;
        ModelPath = Absolute(item.ItemSpec);
        Name = Path.GetFileNameWithoutExtension(ModelPath);
        Deployment = Choice("Deployment", s_deployments);
        Packed = Choice("Transport", s_transports) == "packed";
        LogicalName = Value("LogicalName") is { Length: > 0 } logical ? logical : "models/" + Path.GetFileName(ModelPath);
        string accessor = Value("AccessorName");
        AccessorName = accessor.Length > 0 ? accessor : Identifier.ToPascalCase(Name);
        if (!Identifier.IsValidAccessor(AccessorName))
            Bad("AccessorName", accessor, "a C# identifier that is not a member of the generated class, such as " + Identifier.ToPascalCase(accessor));
        if (Path.GetFileName(LogicalName).Length == 0 || (Deployment == "content" && (Path.IsPathRooted(LogicalName) || LogicalName.Contains(".."))))
            Bad("LogicalName", LogicalName, "a relative name that ends in a file name, such as models/" + Path.GetFileName(ModelPath));
    }

    /// <summary>The item as the user wrote it.</summary>
    internal string Spec => _item.ItemSpec;
    internal string DefiningProject => _item.GetMetadata("DefiningProjectFullPath");
    internal string ModelPath { get; }
    /// <summary>Of the output folder and the files in it.</summary>
    internal string Name { get; set; }
    internal string Deployment { get; }
    /// <summary>What ships is the packed model, which the accessor decodes.</summary>
    internal bool Packed { get; }
    internal string LogicalName { get; }
    internal string AccessorName { get; }

    /// <summary>
    /// The text of <c>request.rsp</c>: one argument a line, everything that can change the result and nothing that cannot.
    /// An option and its value share a line, so that a value may start with any character.
    /// </summary>
    /// <param name="switches">Options without a value, one a line.</param>
    /// <param name="report">Gets what is wrong: code and text.</param>
    internal string Request(string switches, Action<string, string> report)
    {
        _report = report;
        if (!File.Exists(ModelPath))
            _report(TaskCodes.ModelNotFound, Directory.Exists(ModelPath)
                ? $"The model '{Spec}' is a folder. A CompressModel item is an .onnx file. Name the file."
                : $"The model '{Spec}' does not exist (looked for '{ModelPath}'). Correct the path of the CompressModel item; it is relative to the project.");
        var text = new StringBuilder(512);
        text.Append(OneLine("Include", ModelPath)).Append('\n');
        Append(text, "package-version", PackageVersion.Value);
        Append(text, "name", Name);
        Append(text, "recipe", Recipe());
        Append(text, "goal", Choice("Goal", s_goals));
        Append(text, "target", Choice("TargetDevice", s_targets));
        Append(text, "calibration-data", ExistingPath("CalibrationData"));
        Append(text, "evaluation-data", ExistingPath("EvaluationData"));
        Append(text, "preprocessing", ExistingPath("Preprocessing"));
        Append(text, "metric", List("Metric"));
        Append(text, "evaluator", Evaluator());
        Append(text, "max-accuracy-drop", Number("MaxAccuracyDrop"));
        Append(text, "require", List("Require"));
        Append(text, "max-regression", Number("MaxRegression"));
        Append(text, "max-size", OneLine("MaxSize", Value("MaxSize")));
        Append(text, "max-latency", OneLine("MaxLatency", Value("MaxLatency")));
        Append(text, "transport", Packed ? "packed" : "");
        Append(text, "seed", Seed());
        text.Append(switches);
        return text.ToString();
    }

    private static void Append(StringBuilder text, string option, string value)
    {
        if (value.Length > 0)
            text.Append("--").Append(option).Append('=').Append(value).Append('\n');
    }

    /// <summary>Metadata whose name is nearly one of ours: a typing error would otherwise be skipped silently.</summary>
    internal void ReportMisspelt(Action<string> warn)
    {
        foreach (string name in _item.MetadataNames)
        {
            if (MetadataSpelling.Meant(name, s_known) is { } meant)
                warn($"'{Spec}' has the metadata '{name}', which means nothing to CompressOnBuild and is skipped. Did you mean {meant}?");
        }
    }

    private string Value(string metadata) => _item.GetMetadata(metadata).Trim();

    private string Choice(string metadata, string[] valid)
    {
        string value = Value(metadata);
        if (value.Length == 0)
            return valid[0];
        foreach (string choice in valid)
        {
            if (string.Equals(choice, value, StringComparison.OrdinalIgnoreCase))
                return choice;
        }
        Bad(metadata, value, "one of " + string.Join(", ", valid));
        return valid[0];
    }

    private string Recipe()
    {
        string recipe = Value("Recipe");
        if (recipe.Length == 0)
            return "auto";
        bool isPath = recipe.IndexOf('/') >= 0 || recipe.IndexOf('\\') >= 0 || recipe.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        return isPath ? ExistingPath("Recipe") : OneLine("Recipe", recipe);
    }

    private string ExistingPath(string metadata)
    {
        string value = Value(metadata);
        if (value.Length == 0)
            return "";
        string path = Absolute(value);
        if (!File.Exists(path) && !Directory.Exists(path))
            _report(TaskCodes.PathNotFound, $"{metadata} of '{Spec}' is '{value}', which does not exist (looked for '{path}'). Correct the path; it is relative to the project.");
        return OneLine(metadata, path);
    }

    /// <summary>
    /// The assembly may be built only when it is needed (a design-time build looks at the item before), so the worker says when it is missing.
    /// </summary>
    private string Evaluator()
    {
        string value = Value("Evaluator");
        if (value.Length == 0)
            return "";
        int hash = value.LastIndexOf('#');
        if (hash > 0 && hash < value.Length - 1)
            return OneLine("Evaluator", Absolute(value.Substring(0, hash).Trim()) + value.Substring(hash));
        Bad("Evaluator", value, "the path of an assembly, '#' and the full name of a type in it, such as bin/Metrics.dll#MyApp.MyMetric");
        return "";
    }

    private string Number(string metadata)
    {
        string value = Value(metadata);
        if (value.Length > 0 && !(double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && number >= 0 && !double.IsInfinity(number)))
            Bad(metadata, value, "a number from 0, in the unit of the primary metric, with a point as the decimal separator, such as 0.01"
                + (value.EndsWith("%", StringComparison.Ordinal) ? " (of a share, 0.01 is one percent)" : ""));
        return value;
    }

    private string Seed()
    {
        string value = Value("Seed");
        if (value.Length > 0 && !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            Bad("Seed", value, "a whole number from 0 to 2147483647");
        return value.Length == 0 ? "1" : value;
    }

    /// <summary>A list may be spread over lines in the project file.</summary>
    private string List(string metadata)
    {
        string value = Value(metadata);
        if (value.IndexOf('\n') < 0 && value.IndexOf('\r') < 0)
            return value;
        var list = new StringBuilder(value.Length);
        foreach (string part in value.Split(['\n', '\r', ';'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.Trim().Length > 0)
                list.Append(list.Length > 0 ? ";" : "").Append(part.Trim());
        }
        return list.ToString();
    }

    /// <summary>A line end inside a value would read as another argument.</summary>
    private string OneLine(string metadata, string value)
    {
        if (value.IndexOf('\n') >= 0 || value.IndexOf('\r') >= 0)
            Bad(metadata, value, "text without a line break");
        return value;
    }

    private void Bad(string metadata, string found, string valid) =>
        _report(TaskCodes.BadMetadata, $"{metadata} of '{Spec}' is '{found}'. Valid is {valid}. Correct the metadata of the CompressModel item.");

    private string Absolute(string path) => Absolute(path, _projectDirectory);

    /// <summary>A path of the project file as a full one, without a separator at its end.</summary>
    internal static string Absolute(string path, string projectDirectory)
    {
        if (Path.DirectorySeparatorChar == '/')
            path = path.Replace('\\', '/');
        string full = Path.GetFullPath(Path.Combine(projectDirectory, path));
        return full.Length > 1 && full[full.Length - 1] == Path.DirectorySeparatorChar && Path.GetPathRoot(full) != full ? full.TrimEnd(Path.DirectorySeparatorChar) : full;
    }
}
