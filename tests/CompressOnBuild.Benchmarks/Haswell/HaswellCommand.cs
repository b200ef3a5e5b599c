using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Benchmarks.Zoo;
using CompressOnBuild.Emulation;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Haswell;

/// <summary>
/// <c>haswell</c>: models with full-range int8 weights, measured on this processor, as the engine predicts a processor without VNNI, and by
/// ONNX Runtime on an emulated one.
/// </summary>
internal static class HaswellCommand
{
    public static Command Create()
    {
        var zoo = new Option<string?>("--zoo") { Description = "Folder of models, as for zoo [default: the zoo beside or above the repository, else testassets/samples]." };
        var models = new Option<string>("--models") { Description = "Names of the models, separated by commas.", DefaultValueFactory = _ => "mobilenetv2,ocr-cls,magika-v3.3" };
        var samples = new Option<int>("--samples") { Description = "Samples of the gate split to run; the emulated processor is some fifty times slower.", DefaultValueFactory = _ => 100 };
        var output = new Option<string>("--output") { Description = "Where working copies and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "haswell") };
        var command = new Command("haswell", "Compares the predicted accuracy on processors without VNNI with ONNX Runtime's on an emulated one.") { zoo, models, samples, output };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(zoo) ?? Testing.Zoo.Folder ?? Path.Combine(DotNet.RepositoryRoot, "testassets", "samples")),
            ZooCommand.Names(parsed.GetValue(models)!), parsed.GetValue(samples), Path.GetFullPath(parsed.GetValue(output)!)));
        return command;
    }

    private static int Run(string zoo, string[] names, int samples, string output)
    {
        if (!Testing.Haswell.IsAvailable)
        {
            Console.Error.WriteLine("qemu-x86_64-static is not installed (Debian: qemu-user-static).");
            return 2;
        }
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var table = new MarkdownTable("model, int8 for cpu-vnni", "metric", ">samples", ">original", ">with VNNI", ">AVX2 predicted", ">AVX2 real", ">different outputs", ">largest difference", ">SQNR predicted to real");
        foreach (var name in names)
        {
            Console.Error.WriteLine($"{name} ...");
            try { Add(table, name, ZooModel.Prepare(zoo, name, output, npm), samples, Path.Combine(output, name, "out")); }
            catch (SkippedException e) { table.Add(name, "skipped: " + e.Message, "", "", "", "", "", "", "", ""); }
        }
        Console.WriteLine(table);
        return 0;
    }

    private static void Add(MarkdownTable table, string name, ZooModel zoo, int samples, string folder)
    {
        var run = Worker.Run(Worker.Built, [.. ZooCommand.Arguments(zoo, "int8", folder, null), "--target", "cpu-vnni", "--max-accuracy-drop", "1"]);
        if (run.ExitCode != 0) throw new InvalidOperationException(run.Output + run.Error);
        // Beside the data's own files, so that preprocessing and evaluation.json are found for both.
        var path = Path.Combine(Path.GetDirectoryName(zoo.Model)!, "int8.onnx");
        File.Copy(Path.Combine(folder, name + ".onnx"), path, overwrite: true);

        var model = OnnxReader.Load(path);
        using var session = new Session(model, new SessionSettings("compressed"));
        using var original = new Session(OnnxReader.Load(zoo.Model), new SessionSettings("original"));
        using var data = EvaluationData.Open(new CompressionRequest
        {
            Model = path, Output = folder, Name = name, EvaluationData = zoo.Evaluation, CalibrationData = zoo.Calibration, Metrics = zoo.Metrics?.Split(';') ?? [],
        }, model, session)!;
        var gate = data.Splits.Gate with { Indices = [.. data.Splits.Gate.Indices.Take(samples)] };
        var real = RunOnHaswell(path, session.Inputs, gate, folder);

        var optimized = OptimizedGraph.Of(File.ReadAllBytes(path), new SessionSettings("compressed"))!;
        using var emulator = new Avx2Emulator(optimized, IntegerProducts.Find(optimized).Where(p => p is { CanSaturate: > 0, NotEmulated: null }), new SessionSettings("compressed"));
        var evaluator = new Evaluator(original, data.Metrics, data.Output, judgesOthers: false, seed: 1, threads: 1); // one thread: samples come in order
        var predictions = new List<Tensor[]>();
        Tensor[] Predict(IReadOnlyDictionary<string, Tensor> inputs) { predictions.Add(emulator.Run(inputs, null, default)); return predictions[^1]; }
        var here = evaluator.CompareOnce(i => session.Run(i), gate, null, null, default).Metrics;
        var predicted = evaluator.CompareOnce(Predict, gate, null, null, default).Metrics;
        var difference = new Difference();
        using var file = new BinaryReader(File.OpenRead(real));
        var at = 0;
        var truth = evaluator.CompareOnce(_ => difference.Add(predictions[at], [.. predictions[at++].Select(_ => HaswellRun.Read(file))]), gate, null, null, default).Metrics;
        for (var i = 0; i < data.Metrics.Count; i++)
            table.Add(i == 0 ? name : "", data.Metrics[i].Name, $"{gate.Count}", N(here[i].Original), N(here[i].Compressed), N(predicted[i].Compressed), N(truth[i].Compressed),
                i == 0 ? $"{difference.Different} of {difference.Elements}" : "", i == 0 ? N(difference.Largest) : "", i == 0 ? N(difference.Decibels) : "");
    }

    private static string RunOnHaswell(string model, IReadOnlyList<Port> ports, Split split, string folder)
    {
        var (inputs, outputs) = (Path.Combine(folder, "inputs.bin"), Path.Combine(folder, "outputs.bin"));
        using (var file = new BinaryWriter(File.Create(inputs)))
            foreach (var i in split.Indices) foreach (var sample in split.Dataset.Runs(i)) foreach (var port in ports) HaswellRun.Write(file, sample.Inputs[port.Name]);
        var run = Testing.Haswell.Run(typeof(HaswellCommand).Assembly.Location, ["haswell-run", model, inputs, outputs], TimeSpan.FromHours(3));
        return run.ExitCode == 0 ? outputs : throw new InvalidOperationException(run.Output);
    }

    private static string N(double value) => value.ToString("0.#####", CultureInfo.InvariantCulture);

    private sealed class Difference
    {
        private double signal, noise;

        public long Elements { get; private set; }
        public long Different { get; private set; }
        public double Largest { get; private set; }
        public double Decibels => 10 * Math.Log10(signal / noise);

        public Tensor[] Add(Tensor[] predicted, Tensor[] real)
        {
            foreach (var (p, r) in predicted.Zip(real))
                foreach (var (x, y) in p.ToFloats().Zip(r.ToFloats()))
                {
                    Elements++;
                    if (x != y) Different++;
                    Largest = Math.Max(Largest, Math.Abs(x - y));
                    signal += (double)y * y;
                    noise += (double)(x - y) * (x - y);
                }
            return real;
        }
    }
}
