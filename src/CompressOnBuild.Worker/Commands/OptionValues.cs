using System.Globalization;
using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Metrics;
using NuGet.Versioning;

namespace CompressOnBuild.Worker.Commands;

/// <summary>Texts of options to values. A text that is not valid adds one error, which says what was found and what is valid, and gives the default.</summary>
internal sealed partial class OptionValues(List<Diagnostic> errors)
{
    private static readonly (string Unit, double Bytes)[] Units =
        [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024), ("B", 1), ("", 1)];

    public void Name(string name)
    {
        // Names travel between systems: what Windows refuses is refused everywhere.
        var valid = name.Length is > 0 and <= 200 && !name.Any(c => c < ' ' || "\"<>|:*?\\/".Contains(c, StringComparison.Ordinal)) && name[^1] is not ('.' or ' ') && !Reserved().IsMatch(name);
        if (!valid) Error(Codes.InvalidName, $"the name '{name}' is not valid as a file name. Valid are 1 to 200 characters without \" < > | : * ? \\ /, not ending with a dot or space. Rename the model, or choose another with --name.");
    }

    public T Choice<T>(string option, string? text, T absent, params (string Word, T Value)[] valid)
    {
        if (string.IsNullOrEmpty(text)) return absent;
        foreach (var (word, value) in valid)
            if (word.Equals(text, StringComparison.OrdinalIgnoreCase)) return value;
        Error(Codes.InvalidChoice, $"'{option}' is '{text}'.{Spelling.Hint(text, valid.Select(v => v.Word))} Valid values are {string.Join(", ", valid.Select(v => v.Word))}.");
        return absent;
    }

    /// <summary>A version as NuGet writes them: <c>1.20.1</c>.</summary>
    public string? Version(string option, string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        if (NuGetVersion.TryParse(text, out _)) return text;
        Error(Codes.InvalidNumber, $"'{option}' is '{text}'. Valid values are versions of ONNX Runtime, such as 1.20.1.");
        return null;
    }

    public double? Number(string option, string? text, string valid, Func<double, bool> inRange)
    {
        if (string.IsNullOrEmpty(text)) return null;
        if (Parse(text) is { } value && inRange(value)) return value;
        Error(Codes.InvalidNumber, $"'{option}' is '{text}'. Valid values are {valid}.{PercentHint(text)}");
        return null;
    }

    public int Whole(string option, string? text, int absent, int least, int most)
    {
        if (string.IsNullOrEmpty(text)) return absent;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most) return value;
        Error(Codes.InvalidNumber, FormattableString.Invariant($"'{option}' is '{text}'. Valid values are whole numbers from {least} to {most}."));
        return absent;
    }

    /// <summary><c>80%</c> or <c>0.8</c>.</summary>
    public double? Share(string option, string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        var value = text.EndsWith('%') ? Parse(text[..^1].TrimEnd()) / 100 : Parse(text);
        if (value is > 0 and <= 100) return value;
        Error(Codes.InvalidNumber, $"'{option}' is '{text}'. Valid values are shares of the original above 0, such as 80% or 0.8.");
        return null;
    }

    /// <summary><c>4MB</c> or <c>25%</c>.</summary>
    public SizeLimit? Size(string option, string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        if (text.EndsWith('%'))
        {
            if (Parse(text[..^1].TrimEnd()) is > 0 and <= 10_000 and var percent) return new SizeLimit(null, percent / 100);
        }
        else if (SizeText().Match(text) is { Success: true } match && Parse(match.Groups[1].Value) is > 0 and var number)
        {
            foreach (var (unit, bytes) in Units)
                if (unit.Equals(match.Groups[2].Value, StringComparison.OrdinalIgnoreCase) && number * bytes is >= 1 and < 1e15)
                    return new SizeLimit((long)(number * bytes), null);
        }
        Error(Codes.InvalidSize, $"'{option}' is '{text}'. Valid values are sizes such as 4MB or 900kB, or a share of the original such as 25%.");
        return null;
    }

    /// <summary><c>top1>=0.80;cer&lt;=0.03</c>.</summary>
    public IReadOnlyList<Requirement> Requirements(string option, string? text)
    {
        var result = new List<Requirement>();
        foreach (var condition in (text ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (RequirementText().Match(condition) is { Success: true } match && Parse(match.Groups[3].Value) is { } value)
            {
                var requirement = new Requirement(match.Groups[1].Value, match.Groups[2].Value == ">=", value);
                if (result.Any(r => r.Metric == requirement.Metric && r.AtLeast == requirement.AtLeast))
                    Error(Codes.InvalidRequirement, $"'{option}' has two conditions '{requirement.Metric}{match.Groups[2].Value}'. Valid is one for each metric and direction. Remove one.");
                else result.Add(requirement);
            }
            else Error(Codes.InvalidRequirement, $"'{option}' has the condition '{condition}'. Valid is a metric, >= or <=, and a number: top1>=0.80.{PercentHint(condition[(condition.IndexOf('=', StringComparison.Ordinal) + 1)..].Trim())} Correct the condition; several are separated by semicolons.");
        }
        return result;
    }

    public void Metrics(IEnumerable<string> names)
    {
        try { Metric.Check(names); }
        catch (CompressionException e) { errors.Add(e.Diagnostic); }
    }

    // Metrics have units of their own; which of them would be meant by a percent sign only the user knows.
    private static string PercentHint(string text) =>
        text.EndsWith('%') && Parse(text[..^1].TrimEnd()) is { } percent ? FormattableString.Invariant($" Of a share, {percent} % are {percent / 100}.") : "";

    private void Error(string code, string message) => errors.Add(new Diagnostic(Severity.Error, code, message));

    private static double? Parse(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : null;

    [GeneratedRegex("^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\\..*)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Reserved();
    [GeneratedRegex("^([0-9.]+) *([a-z]*)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SizeText();
    [GeneratedRegex("^([a-z][a-z0-9_]*) *(>=|<=) *([^ ]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex RequirementText();
}
