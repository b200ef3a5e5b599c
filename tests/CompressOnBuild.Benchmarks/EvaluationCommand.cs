using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using CompressOnBuild.Benchmarks.Zoo;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;
using SkiaSharp;

namespace CompressOnBuild.Benchmarks;

/// <summary>
/// <c>evaluation</c>: how busy measuring keeps the runtime. Both models run on the gate split as in a build. The share of the clock's time in
/// which the runtime stands still says whether reading ahead hides the reading; the share of the threads' time that is not spent in the
/// runtime says what reading, decoding, scoring and waiting cost all the same, which no reading ahead can hide where every processor runs a
/// model. Beside it, what batches would gain: the same inputs one
/// by one on all threads side by side, and eight at a time with all threads in one run. And what a user waits for: how much of a whole
/// compression by <c>auto</c>, from loading to the reports, goes to reading samples.
/// </summary>
internal static class EvaluationCommand
{
    private const double Budget = 0.10;
    private const int Batch = 8;

    public static Command Create()
    {
        var zoo = new Option<string>("--zoo") { Description = "Folder of models, as for zoo.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "testassets", "samples") };
        var models = new Option<string?>("--models") { Description = "Names of the models, separated by commas [default: mobilenetv2 or, without it, all]." };
        var output = new Option<string>("--output") { Description = "Where working copies and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "evaluation") };
        var threads = new Option<int>("--threads") { Description = "Threads [default: all processors].", DefaultValueFactory = _ => Environment.ProcessorCount };
        var command = new Command("evaluation", "Measures how much of the time of an evaluation is spent outside of the runtime.") { zoo, models, output, threads };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(zoo)!), parsed.GetValue(models), Path.GetFullPath(parsed.GetValue(output)!), Math.Max(1, parsed.GetValue(threads))));
        return command;
    }

    private static int Run(string zoo, string? chosen, string output, int threads)
    {
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var table = new MarkdownTable("model", ">samples", ">threads", ">seconds", ">runtime stands still", ">thread time outside of the runtime", ">reading a sample, ms", ">decoding a whole picture, ms", ">running both models, ms", ">samples/s one by one, side by side", $">samples/s in batches of {Batch}");
        var whole = new MarkdownTable("auto, from start to end", ">seconds", ">processor seconds", ">in the runtime, s", ">reading samples, s", ">reading, of both");
        var all = ZooModel.Names(zoo);
        var missed = false;
        foreach (var name in chosen is not null ? ZooCommand.Names(chosen) : all.Contains("mobilenetv2") ? ["mobilenetv2"] : all)
        {
            ZooModel model;
            try { model = ZooModel.Prepare(zoo, name, output, npm); }
            catch (SkippedException e)
            {
                Console.Error.WriteLine($"{name} skipped: {e.Message}");
                continue;
            }
            Console.Error.WriteLine($"{name} ...");
            missed |= Measure(model, Path.Combine(output, name, "out"), threads, table) && name == "mobilenetv2";
            Whole(model, Path.Combine(output, name, "auto"), threads, whole);
        }
        Console.WriteLine(table);
        Console.WriteLine(whole);
        Console.WriteLine($"In the first table, the threads' time outside of the runtime has to stay under {Budget:P0} on mobilenetv2 with pictures from JPEG: {(missed ? "**missed**" : "met, or not measured")}");
        return missed ? 1 : 0;
    }

    private static bool Measure(ZooModel zoo, string output, int threads, MarkdownTable table)
    {
        var request = new CompressionRequest
        {
            Model = zoo.Model, Output = output, Name = zoo.Name, Recipe = "int8", EvaluationData = zoo.Evaluation, CalibrationData = zoo.Calibration, Threads = threads, MaxAccuracyDrop = 1,
        };
        var compressed = Compress(request).OutputModel;
        var original = OnnxReader.Load(zoo.Model);
        using var before = new Session(original, new SessionSettings("original"));
        using var after = new Session(File.ReadAllBytes(compressed), new SessionSettings("compressed"));
        using var data = EvaluationData.Open(request, original, before)!;
        var split = data.Splits.Gate;
        var evaluator = new Evaluator(before, data.Metrics, data.Output, !data.IsOutputNamed, 1, threads);
        // The second time: code is compiled, files are in the system's cache.
        evaluator.CompareOnce(after, split with { Indices = [.. split.Indices.Take(20)] }, null, null, default);
        var (runtime, busy) = (before.TimeInRuntime + after.TimeInRuntime, Session.TimeBusy);
        var start = Stopwatch.GetTimestamp();
        evaluator.CompareOnce(after, split, null, null, default);
        var elapsed = Stopwatch.GetElapsedTime(start);
        runtime = before.TimeInRuntime + after.TimeInRuntime - runtime;
        busy = Session.TimeBusy - busy;
        var still = 1 - busy / elapsed;
        var outside = 1 - runtime / (elapsed * threads);

        start = Stopwatch.GetTimestamp();
        for (var i = 0; i < split.Count; i++) foreach (var _ in split.PassingRuns(i)) { }
        var reading = Stopwatch.GetElapsedTime(start);

        var (single, batched) = Throughput(original, split, threads);
        table.Add(zoo.Name, Text(split.Count, "0"), Text(threads, "0"), Text(elapsed.TotalSeconds, "0.0"), Text(100 * still, "0.0") + " %", Text(100 * outside, "0.0") + " %", Text(reading.TotalMilliseconds / split.Count, "0.00"),
            Decoding(zoo.Evaluation) is { } decoding ? Text(decoding, "0.00") : "-", Text(runtime.TotalMilliseconds / split.Count, "0.00"), Text(single, "0"), batched is { } b ? Text(b, "0") : "the batch is fixed");
        return outside > Budget;
    }

    /// <summary>
    /// Milliseconds that the decoder alone takes for a whole picture of the folder (SkiaSharp, which is libjpeg-turbo); reading leaves out what the crop does
    /// not keep. Null where there are none.
    /// </summary>
    private static double? Decoding(string? folder)
    {
        if (!Directory.Exists(folder)) return null;
        byte[][] files = [.. Directory.EnumerateFiles(folder).Where(ImageDecoder.IsImage).Order(StringComparer.Ordinal).Take(500).Select(File.ReadAllBytes)];
        if (files.Length == 0) return null;
        foreach (var file in files.Take(20)) Decode(file);
        var start = Stopwatch.GetTimestamp();
        foreach (var file in files) Decode(file);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / files.Length;

        static void Decode(byte[] file)
        {
            using var data = SKData.CreateCopy(file);
            using var codec = SKCodec.Create(data);
            using var bitmap = new SKBitmap(new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null));
            codec.GetPixels(bitmap.Info, bitmap.GetPixels());
        }
    }

    private static CompressionResult Compress(CompressionRequest request)
    {
        try { return Compressor.Run(request, NullCompressionLog.Instance, default); }
        catch (GateException e) { return e.Result; }
    }

    private static void Whole(ZooModel zoo, string output, int threads, MarkdownTable table)
    {
        using var process = Process.GetCurrentProcess();
        var (processor, runtime, reading, start) = (process.TotalProcessorTime, Session.TimeInAll, Split.TimeReading, Stopwatch.GetTimestamp());
        Compress(new CompressionRequest { Model = zoo.Model, Output = output, Name = zoo.Name, Recipe = "auto", EvaluationData = zoo.Evaluation, CalibrationData = zoo.Calibration, Threads = threads, MaxAccuracyDrop = 0.01 });
        var elapsed = Stopwatch.GetElapsedTime(start);
        process.Refresh();
        (processor, runtime, reading) = (process.TotalProcessorTime - processor, Session.TimeInAll - runtime, Split.TimeReading - reading);
        table.Add(zoo.Name, Text(elapsed.TotalSeconds, "0.0"), Text(processor.TotalSeconds, "0.0"), Text(runtime.TotalSeconds, "0.0"), Text(reading.TotalSeconds, "0.00"), Text(100 * (reading / (reading + runtime)), "0.0") + " %");
    }

    /// <summary>Samples a second of the original, both ways; batches only where the model takes any number.</summary>
    private static (double Single, double? Batched) Throughput(Model original, Split split, int threads)
    {
        const double Seconds = 2;
        var input = split.Runs(0).First().Inputs;
        using var one = new Session(original, new SessionSettings("original"));
        var single = PerSecond(() => one.Run(input), threads, 1);
        using var many = new Session(original, new SessionSettings("original", Threads: threads));
        if (split.Recurrence is not null || many.Inputs.Any(p => p.Shape.Count == 0 || p.Shape[0] != -1)) return (single, null);
        var batch = input.ToDictionary(i => i.Key, i => new Tensor(i.Value.ElementType, [Batch * i.Value.Shape[0], .. i.Value.Shape[1..]], Enumerable.Repeat(i.Value.Data, Batch).SelectMany(d => d.ToArray()).ToArray()));
        return (single, PerSecond(() => many.Run(batch), 1, Batch));

        static double PerSecond(Action run, int threads, int samples)
        {
            run();
            var start = Stopwatch.GetTimestamp();
            var runs = 0;
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ =>
            {
                do { run(); Interlocked.Increment(ref runs); } while (Stopwatch.GetElapsedTime(start).TotalSeconds < Seconds);
            });
            return runs * samples / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
