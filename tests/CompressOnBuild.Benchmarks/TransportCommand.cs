using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using CompressOnBuild.Benchmarks.Zoo;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Testing;
using CompressOnBuild.Transport;

namespace CompressOnBuild.Benchmarks;

/// <summary>
/// <c>transport</c>: how small packed models are beside what general compressors at their best make of the same file, and how fast they are
/// decoded. With <c>--fuzz N</c>: what N damaged inputs do to the decoder.
/// </summary>
internal static class TransportCommand
{
    private const int Warmups = 40, LeastWeight = 16 << 10, Groups = 41;
    private const double SecondsOfGroup = 0.02;

    public static Command Create()
    {
        var zoo = new Option<string>("--zoo") { Description = "Folder of models, as for zoo.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "testassets", "samples") };
        var recipe = new Option<string>("--recipe") { Description = "Recipe that the models are compressed with first.", DefaultValueFactory = _ => "int8" };
        var models = new Option<string?>("--models") { Description = "Names of the models, separated by commas [default: all]." };
        var output = new Option<string>("--output") { Description = "Where working copies and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "transport") };
        var reuse = new Option<bool>("--reuse") { Description = "Take the compressed models that an earlier run left." };
        var fuzz = new Option<int>("--fuzz") { Description = "Damaged inputs to decode, over all models." };
        var command = new Command("transport", "Compares packed models with Brotli, zstd and xz, and times the decoder.") { zoo, recipe, models, output, reuse, fuzz };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(zoo)!), parsed.GetValue(recipe)!, parsed.GetValue(models), Path.GetFullPath(parsed.GetValue(output)!), parsed.GetValue(reuse), parsed.GetValue(fuzz)));
        return command;
    }

    private static int Run(string zoo, string recipe, string? chosen, string output, bool reuse, int fuzz)
    {
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var sizes = new MarkdownTable("model", ">original", ">" + recipe, ">packed", ">of original", ">Brotli 11", ">zstd 19", ">xz 9", ">of the best");
        var times = new MarkdownTable("model", ">symbols of weights", ">million of them a second", ">at best", ">whole model, ms", ">million bytes a second");
        var packedModels = new List<(byte[] Model, byte[] Packed)>();
        var missed = new List<string>();
        foreach (var name in chosen is not null ? ZooCommand.Names(chosen) : ZooModel.Names(zoo))
        {
            Console.Error.WriteLine($"{name} ...");
            byte[] original, model;
            try
            {
                var prepared = ZooModel.Prepare(zoo, name, output, npm);
                (original, model) = (File.ReadAllBytes(prepared.Model), Compressed(prepared, recipe, Path.Combine(output, name, "out", Path.GetFileNameWithoutExtension(recipe)), reuse));
            }
            catch (SkippedException e)
            {
                Console.Error.WriteLine($"{name} skipped: {e.Message}");
                continue;
            }
            var packed = ModelPacker.Pack(model, Environment.ProcessorCount);
            packedModels.Add((model, packed));
            long?[] others = [Brotli(model), Program("zstd", model, "-19", "--ultra", "-c", "-q"), Program("xz", model, "-9", "-c")];
            var best = others.Min()!.Value;
            if (packed.Length >= best) missed.Add(name);
            sizes.Add([name, Number(original.Length), Number(model.Length), Number(packed.Length), Share(packed.Length, original.Length), .. others.Select(o => o is { } size ? Number(size) : "not there"), Share(packed.Length, best)]);
            var (weights, symbols) = Weights(model);
            var (alone, whole) = (symbols == 0 ? default : Time(ModelPacker.Pack(weights, Environment.ProcessorCount)), Time(packed).Median);
            times.Add(name, Number(symbols), symbols == 0 ? "none" : Text(symbols / alone.Median / 1e6, "0"), symbols == 0 ? "none" : Text(symbols / alone.Least / 1e6, "0"), Text(whole * 1e3, "0.0"), Text(model.Length / whole / 1e6, "0"));
        }
        Console.WriteLine(sizes);
        Console.WriteLine($"Smaller than all of them: {(missed.Count == 0 ? "yes, each" : "**not " + string.Join(", ", missed) + "**")}\n");
        Console.WriteLine(times);
        Console.WriteLine("One thread, in seconds of the processor, the median of 41 groups of runs and the best group: other work on the machine stretches those of the clock, and by what it takes of caches and cores these, too. Read into a new array, as by ToArray. Weights are tensors of at least 16 KiB with elements of one byte, alone in a model.");
        var wrong = fuzz > 0 ? Damage(packedModels, fuzz) : 0;
        return missed.Count > 0 || wrong > 0 ? 1 : 0;
    }

    private static byte[] Compressed(ZooModel zoo, string recipe, string folder, bool reuse)
    {
        var left = Path.Combine(folder, zoo.Name + ".onnx");
        if (reuse && File.Exists(left)) return File.ReadAllBytes(left);
        var request = new CompressionRequest { Model = zoo.Model, Output = folder, Name = zoo.Name, Recipe = recipe, EvaluationData = zoo.Evaluation, CalibrationData = zoo.Calibration, MaxAccuracyDrop = 1 };
        try { return File.ReadAllBytes(Compressor.Run(request, NullCompressionLog.Instance, default).OutputModel); }
        catch (GateException e) { return File.ReadAllBytes(e.Result.OutputModel); }
    }

    private static long Brotli(byte[] model)
    {
        using var compressed = new MemoryStream();
        using (var stream = new BrotliStream(compressed, new BrotliCompressionOptions { Quality = 11 }, leaveOpen: true)) stream.Write(model);
        return compressed.Length;
    }

    /// <summary>Bytes that a program of the system writes; null: it is not there.</summary>
    private static long? Program(string name, byte[] model, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
            var feeding = Task.Run(() =>
            {
                process.StandardInput.BaseStream.Write(model);
                process.StandardInput.Close();
            });
            using var compressed = new MemoryStream();
            process.StandardOutput.BaseStream.CopyTo(compressed);
            feeding.Wait();
            process.WaitForExit();
            return process.ExitCode == 0 ? compressed.Length : null;
        }
        catch (System.ComponentModel.Win32Exception) { return null; }
    }

    /// <summary>A model of nothing but the large tensors of whole bytes: what rANS decodes.</summary>
    private static (byte[] Model, long Symbols) Weights(byte[] model)
    {
        var spans = TensorSpans.Of(model).Where(s => s.Length >= LeastWeight && s.Type.Bits() == 8).ToArray();
        var weights = new ModelBuilder();
        for (var i = 0; i < spans.Length; i++) weights.Initializer($"{i}", new Tensor(spans[i].Type, spans[i].Shape, model.AsMemory(spans[i].Offset, spans[i].Length)));
        if (spans.Length > 0) weights.Output("y", spans[0].Type).Node("Identity", ["0"], ["y"]);
        return (spans.Length == 0 ? [] : OnnxWriter.ToBytes(weights.Build()), spans.Sum(s => (long)s.Length));
    }

    /// <summary>Seconds of the processor for one decoding into an array.</summary>
    private static (double Median, double Least) Time(byte[] packed)
    {
        for (var i = 0; i < Warmups; i++) Read();
        Thread.Sleep(200); // the compiler's second look at hot code
        using var process = Process.GetCurrentProcess();
        var groups = new double[Groups];
        for (var g = 0; g < Groups; g++)
        {
            process.Refresh();
            var (start, runs) = (process.TotalProcessorTime, 0);
            do
            {
                for (var i = 0; i < 3; i++, runs++) Read();
                process.Refresh();
                groups[g] = (process.TotalProcessorTime - start).TotalSeconds;
            }
            while (groups[g] < SecondsOfGroup);
            groups[g] /= runs;
        }
        Array.Sort(groups);
        return (groups[Groups / 2], groups[0]);

        void Read()
        {
            using var stream = new PackedModelStream(new MemoryStream(packed));
            stream.ReadToEnd();
        }
    }

    private static int Damage(List<(byte[] Model, byte[] Packed)> models, int count)
    {
        var random = new Random(20260101);
        var (detected, same, wrong, most) = (0, 0, 0, 0L);
        var kinds = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var (model, packed) = models[i % models.Count];
            var damaged = Fuzz.Damage(packed, random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var stream = new PackedModelStream(new MemoryStream(damaged));
                if (stream.ReadToEnd().AsSpan().SequenceEqual(model)) same++;
                else wrong++;
            }
            catch (InvalidDataException e)
            {
                detected++;
                kinds[e.Message] = kinds.GetValueOrDefault(e.Message) + 1;
            }
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Console.WriteLine($"\n{Number(count)} damaged inputs: {Number(detected)} InvalidDataException, {Number(same)} the model all the same, {Number(wrong)} another model, {Number(most >> 20)} MiB allocated at most.\n");
        var table = new MarkdownTable("message", ">times");
        foreach (var (message, times) in kinds) table.Add(message, Number(times));
        Console.WriteLine(table);
        return wrong;
    }

    private static string Number(long value) => value.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', ' ');
    private static string Share(long part, long whole) => Text(100.0 * part / whole, "0.0") + " %";
    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
