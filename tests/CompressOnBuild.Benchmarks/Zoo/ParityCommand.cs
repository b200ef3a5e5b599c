using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Metrics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary><c>parity</c>: the originals' metrics on all samples of the zoo, by our evaluation, beside what its README says another tool measured.</summary>
internal static partial class ParityCommand
{
    public static Command Create()
    {
        var zoo = new Option<string?>("--zoo") { Description = "Folder of models with a README.md that holds the table \"Numbers to beat\" [default: the zoo beside or above the repository]." };
        var models = new Option<string?>("--models") { Description = "Names of the models to measure, separated by commas [default: all of the table]." };
        var output = new Option<string>("--output") { Description = "Where working copies go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "zoo") };
        var command = new Command("parity", "Measures the zoo's originals on all samples and compares with the figures of its README.") { zoo, models, output };
        command.SetAction(parsed =>
        {
            var folder = parsed.GetValue(zoo) ?? Testing.Zoo.Folder;
            if (folder is null || !File.Exists(Path.Combine(folder, "README.md")))
            {
                Console.Error.WriteLine("There is no zoo here. Name its folder with --zoo.");
                return 2;
            }
            return Run(Path.GetFullPath(folder), parsed.GetValue(models) is { } names ? ZooCommand.Names(names) : null, Path.GetFullPath(parsed.GetValue(output)!));
        });
        return command;
    }

    private static int Run(string zoo, string[]? chosen, string output)
    {
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var table = new MarkdownTable("model", ">samples", "metric", ">ours", ">right", ">the zoo's", "");
        var differs = 0;
        foreach (var (name, stated) in Stated(Path.Combine(zoo, "README.md")).Where(s => chosen is null || chosen.Contains(s.Model)))
        {
            Console.Error.WriteLine($"{name} ...");
            IReadOnlyList<(string Name, double Value, int Samples)> ours;
            try { ours = Measure(ZooModel.Prepare(zoo, name, output, npm)); }
            catch (SkippedException e)
            {
                table.Add(name, "", "", "", "", "", "skipped: " + e.Message);
                continue;
            }
            // The primary figure and the one in brackets, in our order of metrics.
            foreach (var ((metric, value, samples), text) in ours.Zip(stated))
            {
                var (theirs, digits, isShare) = Figure(text);
                var scaled = isShare ? 100 * value : value;
                var equal = Math.Abs(scaled - theirs) <= 0.5 * Math.Pow(10, -digits) + 1e-9;
                // A tenth of a point: another build of the runtime may move a figure that is no count.
                var near = Math.Abs(scaled - theirs) <= (isShare ? 0.1 : 0.001);
                var counted = metric is "top1" or "exact";
                if (!equal && (counted || !near)) differs++;
                table.Add(name, Text($"{samples}"), metric, Text($"{scaled.ToString("F" + Math.Max(digits + 1, 2), CultureInfo.InvariantCulture)}{(isShare ? " %" : "")}"), counted ? Text($"{Math.Round(value * samples)}") : "", text,
                    equal ? "equal" : near && !counted ? "within 0.1 points" : "**differs**");
            }
        }
        Console.WriteLine(table);
        return differs > 0 ? 1 : 0;
    }

    private static List<(string Name, double Value, int Samples)> Measure(ZooModel model)
    {
        var file = OnnxReader.Load(model.Model);
        using var session = new Session(file, new SessionSettings("original"));
        ModelValue[] inputs = [.. session.Inputs.Select(p => new ModelValue(p.Name, p.ElementType, [.. p.Shape.Select(d => d < 0 ? (long?)null : d)]))];
        using var data = Dataset.Open(model.Evaluation!, new DatasetContext(inputs, [], ModelFolder: Path.GetDirectoryName(model.Model)));
        var output = data.Configuration.Output is { } named ? session.Outputs.Select(o => o.Name).ToList().IndexOf(named) : 0;
        var metrics = Metric.Resolve(model.Metrics!.Split(';'), data.LabelKind, data.Configuration.Decoding, session.Run(data.Read(0).Inputs)[output], data.Path);
        var series = metrics.Select(m => new MetricSeries(m)).ToArray();
        for (var i = 0; i < data.Count; i++)
        {
            var sample = data.Read(i);
            var result = session.Run(sample.Inputs)[output];
            foreach (var s in series) s.Add(new Outcome(sample.Id, sample.Label, result, result));
        }
        return [.. series.Select(s => (s.Metric.Name, s.Value(), s.Count))];
    }

    // "line_accuracy 91.5 % (CER 0.0143), n = 1000": the figures in order.
    private static IEnumerable<(string Model, string[] Figures)> Stated(string readme) => File.ReadLines(readme)
        .SkipWhile(l => !l.StartsWith("## Numbers to beat", StringComparison.Ordinal)).Skip(1).TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal) && !l.StartsWith("### ", StringComparison.Ordinal))
        .Where(l => l.StartsWith("| ", StringComparison.Ordinal)).Select(l => l.Trim().Trim('|').Split('|', StringSplitOptions.TrimEntries))
        .Where(c => c.Length > 1 && Number().IsMatch(c[1])).Select(c => (c[0], Number().Matches(c[1].Split(", n =")[0]).Select(m => m.Value).ToArray()));

    private static (double Value, int Digits, bool IsShare) Figure(string text)
    {
        var number = text.TrimEnd('%', ' ');
        return (double.Parse(number, CultureInfo.InvariantCulture), number.Contains('.') ? number.Length - number.IndexOf('.') - 1 : 0, text.EndsWith('%'));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(?<![\w.-])\d+\.\d+( %)?")]
    private static partial Regex Number();
}
