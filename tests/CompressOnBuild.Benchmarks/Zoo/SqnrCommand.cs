using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Planning;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary><c>sqnr</c>: our <c>int8</c> beside the static scheme of ONNX Runtime's own quantizer, at the same width of activations and in the same class of safety.</summary>
internal static class SqnrCommand
{
    private static readonly (string Class, Target Target, int Bits)[] s_classes = [("exact on every processor (theirs: 7-bit weights)", Target.Cpu, 7), ("needs VNNI (8-bit weights)", Target.CpuVnni, 8)];

    public static Command Create()
    {
        var zoo = ZooFolder.Create();
        var models = new Option<string?>("--models") { Description = "Names of the models to measure, separated by commas [default: all that have samples]." };
        var recipe = new Option<string>("--recipe") { Description = "Our recipe: a preset or a file.", DefaultValueFactory = _ => "int8" };
        var samples = new Option<int>("--samples") { Description = "At most so many samples of the gate split are compared: with few, one ambiguous sample decides.", DefaultValueFactory = _ => 1000 };
        var output = new Option<string>("--output") { Description = "Where working copies go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "sqnr") };
        var threads = new Option<int?>("--threads") { Description = "Threads [default: all processors]." };
        var command = new Command("sqnr", "Compares the outputs of int8 with those of the other tool's static scheme, reproduced in this engine.") { zoo, models, recipe, samples, output, threads };
        command.SetAction(parsed =>
        {
            if (zoo.Find(parsed) is not { } folder) return 2;
            return Run(folder, parsed.GetValue(models) is { } names ? ZooCommand.Names(names) : null, parsed.GetValue(recipe)!, parsed.GetValue(samples), Path.GetFullPath(parsed.GetValue(output)!), parsed.GetValue(threads));
        });
        return command;
    }

    private static int Run(string zoo, string[]? chosen, string recipe, int samples, string output, int? threads)
    {
        var known = ZooModel.Names(zoo);
        if (chosen?.Except(known).ToArray() is { Length: > 0 } unknown)
        {
            Console.Error.WriteLine($"{zoo} has no model {string.Join(", ", unknown)}. It has {string.Join(", ", known)}.");
            return 2;
        }
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var table = new MarkdownTable("model", "class", ">scheme, bytes", ">scheme, dB", $">our {recipe}, bytes", $">our {recipe}, dB", ">difference", $">our latency / scheme's", ">samples");
        var gains = new Dictionary<string, List<double>>(StringComparer.Ordinal);
        foreach (var name in known.Where(n => chosen?.Contains(n) ?? true))
        {
            ZooModel model;
            try { model = ZooModel.Prepare(zoo, name, output, npm); }
            catch (SkippedException e)
            {
                Console.Error.WriteLine($"{name} is skipped: {e.Message}");
                continue;
            }
            foreach (var (safety, target, bits) in s_classes)
            {
                Console.Error.WriteLine($"{name}, {safety} ...");
                var request = FidelityRow.Request(model, recipe, target, threads, Path.Combine(output, name, "out"));
                var (theirs, ours, speed) = Compressor.Make(request, NullCompressionLog.Instance, (made, original, data) =>
                {
                    var size = new FileInfo(model.Model).Length;
                    var scheme = StaticScheme.Quantize(Onnx.OnnxReader.Load(model.Model), data!.CalibrationRuns(Recipe.Load(recipe).Calibration.Samples).Read(CancellationToken.None), bits);
                    var inputs = new Evaluation.SingleRuns(data.Splits.Gate, original, LatencyMeter.Inputs).Read(CancellationToken.None);
                    var latency = LatencyMeter.Measure(Onnx.OnnxReader.Read(scheme), Onnx.OnnxReader.Read(made.Bytes), inputs, null, CancellationToken.None, TimeSpan.FromSeconds(5));
                    return (FidelityRow.Of(scheme, size, original, data, samples, 0), FidelityRow.Of(made.Bytes, size, original, data, samples, 0), latency?.SpeedupMedian);
                }, CancellationToken.None);
                table.Add(name, safety, Text($"{theirs.Bytes}"), Text($"{theirs.Decibels:0.00}"), Text($"{ours.Bytes}"), Text($"{ours.Decibels:0.00}"), Text($"{ours.Decibels - theirs.Decibels:+0.00;-0.00;0.00}"), speed is { } speedup ? Text($"{1 / speedup:0.00}x") : "-", Text($"{ours.Samples}"));
                if (!gains.TryGetValue(safety, out var list)) gains.Add(safety, list = []);
                list.Add(ours.Decibels - theirs.Decibels);
            }
        }
        Console.WriteLine("Signal-to-noise ratio of the outputs against the original's. \"Scheme\" is a reproduction, in this engine, of the static scheme of ONNX Runtime's own quantizer (min-max ranges, uint8 activations per tensor, int8 weights per channel by absolute maximum, rounded to the nearest, no repair), not a run of that tool. Latencies are medians of pairs of runs in turn, one thread.\n");
        Console.WriteLine(table);
        foreach (var (safety, list) in gains)
        {
            list.Sort();
            var median = list.Count % 2 == 1 ? list[list.Count / 2] : (list[list.Count / 2 - 1] + list[list.Count / 2]) / 2;
            Console.WriteLine(Text($"{safety}: {list.Count} models, at least {list[0]:+0.00;-0.00;0.00} dB, median {median:+0.00;-0.00;0.00} dB."));
        }
        return gains.Count == 0 ? 1 : 0;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
