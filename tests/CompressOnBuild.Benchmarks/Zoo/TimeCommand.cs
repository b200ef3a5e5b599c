using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary>
/// <c>time</c>: what quantizing alone costs, without measuring: wall time and peak memory of the whole process <c>plan</c> (load, calibrate, choose
/// ranges, round every weight, make the model). Beside it a process that only runs the original on the same calibration samples with one thread: the
/// runtime's own price, by which machines can be compared.
/// </summary>
internal static class TimeCommand
{
    private const int Rounds = 3;

    public static Command Create()
    {
        var zoo = new Option<string?>("--zoo") { Description = "Folder of models, as for zoo." };
        var models = new Option<string?>("--models") { Description = "Names of the models, separated by commas [default: those with calibration data]." };
        var recipes = new Option<string>("--recipe") { Description = "Recipes, separated by commas.", DefaultValueFactory = _ => "int8" };
        var output = new Option<string>("--output") { Description = "Where working copies go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "time") };
        var command = new Command("time", "Measures time and memory of quantizing without measuring accuracy.") { zoo, models, recipes, output };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(zoo) ?? Testing.Zoo.Folder ?? Path.Combine(DotNet.RepositoryRoot, "testassets", "samples")),
            parsed.GetValue(models), ZooCommand.Names(parsed.GetValue(recipes)!), Path.GetFullPath(parsed.GetValue(output)!)));
        return command;
    }

    /// <summary><c>time-plain</c>: the process that <c>time</c> holds ours against.</summary>
    public static Command CreatePlain()
    {
        var model = new Argument<string>("model");
        var data = new Argument<string>("data");
        var command = new Command("time-plain", "Runs a model on calibration samples; started by time.") { model, data };
        command.Hidden = true;
        command.SetAction(parsed => Plain(parsed.GetValue(model)!, parsed.GetValue(data)!));
        return command;
    }

    private static int Run(string zoo, string? chosen, string[] recipes, string output)
    {
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var table = new MarkdownTable("model", "recipe", ">seconds", ">100 plain runs, s", ">seconds a plain run's", ">peak, MB", ">plain peak, MB", ">peak over plain + model");
        foreach (var name in chosen is null ? ZooModel.Names(zoo) : ZooCommand.Names(chosen))
        {
            ZooModel model;
            try { model = ZooModel.Prepare(zoo, name, output, npm); }
            catch (SkippedException e)
            {
                Console.Error.WriteLine($"{name} skipped: {e.Message}");
                continue;
            }
            if (model.Calibration is not { } calibration) continue;
            foreach (var recipe in recipes)
            {
                Console.Error.WriteLine($"{name}, {recipe} ...");
                var (ours, plain) = (new List<WorkerRun>(), new List<(double Seconds, long Peak)>());
                // In turn: what else the machine does meets both.
                for (var i = 0; i < Rounds; i++)
                {
                    ours.Add(Worker.Run(Worker.Built, ["plan", model.Model, "--json", "--recipe", recipe, "--calibration-data", calibration]));
                    if (ours[^1].ExitCode != 0) throw new InvalidOperationException(ours[^1].Output + ours[^1].Error);
                    var run = Worker.Run(typeof(TimeCommand).Assembly.Location, ["time-plain", model.Model, calibration]);
                    if (run.ExitCode != 0) throw new InvalidOperationException(run.Output + run.Error);
                    plain.Add((double.Parse(run.Output, CultureInfo.InvariantCulture), run.PeakBytes));
                }
                var (seconds, runs) = (Median(ours.Select(r => r.Seconds)), Median(plain.Select(p => p.Seconds)));
                double peak = Median(ours.Select(r => (double)r.PeakBytes)), plainPeak = Median(plain.Select(p => (double)p.Peak));
                table.Add(name, recipe, Text(seconds, "0.0"), Text(runs, "0.00"), Text(seconds / runs, "0.0"), Text(peak / 1e6, "0"), Text(plainPeak / 1e6, "0"),
                    Text(peak / (plainPeak + new FileInfo(model.Model).Length), "0.00"));
            }
        }
        Console.WriteLine(table);
        Console.WriteLine("Medians of 3, in turn. 100 plain runs: the original on calibration samples, one thread, in the runtime alone; its process reads them by the same code.");
        return 0;
    }

    private static int Plain(string model, string data)
    {
        var request = new CompressionRequest { Model = model, Output = "unused", Name = "plain", CalibrationData = data };
        using var session = new Session(OnnxReader.Load(model), new SessionSettings("original"));
        using var samples = EvaluationData.Open(request, OnnxReader.Load(model), session)!;
        var runs = 0;
        foreach (var inputs in samples.CalibrationRuns(100).Read(default))
        {
            session.Run(inputs);
            runs++;
        }
        Console.WriteLine((session.TimeInRuntime.TotalSeconds * 100 / runs).ToString("R", CultureInfo.InvariantCulture));
        return 0;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Rounds / 2);

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
