using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Benchmarks.Forms;

/// <summary><c>forms</c>: what a layer costs in each form on this machine, one thread: where the constants of the engine's cost table come from.</summary>
internal static class FormsCommand
{
    private const int Short = 2, Long = 10;

    private static readonly Layer[] Grid =
    [
        new(8, 56, 3), new(16, 56, 3), new(32, 28, 3), new(64, 28, 3), new(128, 14, 3), new(256, 7, 3),
        new(8, 56, 1), new(16, 56, 1), new(64, 28, 1), new(128, 14, 1), new(256, 14, 1), new(512, 7, 1),
        new(16, 56, 3, true), new(32, 56, 3, true), new(64, 28, 3, true), new(128, 14, 3, true), new(512, 7, 3, true), new(128, 14, 5, true),
        new(128, 1, 0), new(512, 1, 0), new(1024, 1, 0), new(256, 16, 0), new(256, 64, 0), new(1024, 64, 0),
    ];

    public static Command Create()
    {
        var seconds = new Option<double>("--seconds") { Description = "Time for each comparison.", DefaultValueFactory = _ => 0.4 };
        var command = new Command("forms", "Measures convolutions and matrix products in floats and in the integer forms.") { seconds };
        command.SetAction(parsed => Run(TimeSpan.FromSeconds(parsed.GetValue(seconds))));
        return command;
    }

    private static int Run(TimeSpan budget)
    {
        Console.WriteLine($"Microseconds of one layer and multiply-adds per microsecond, on {Processor.Name} ({string.Join(", ", Processor.InstructionSets)}), one thread.\n");
        var table = new MarkdownTable("layer", ">multiply-adds", "form", ">float µs", ">form µs", ">ratio", ">float madds/µs", ">form madds/µs");
        foreach (var layer in Grid)
        {
            Console.Error.WriteLine($"{layer} ...");
            Add("static", FormChains.Static);
            if (layer.Kernel > 0) continue;
            Add("dynamic", FormChains.Dynamic);
            Add("weights", FormChains.Weights8);

            void Add(string form, Func<Layer, int, Model> build)
            {
                var few = Measure(layer, build, Short, budget);
                var many = Measure(layer, build, Long, budget);
                var before = (many.OriginalMs - few.OriginalMs) / (Long - Short) * 1000;
                var after = (many.CompressedMs - few.CompressedMs) / (Long - Short) * 1000;
                table.Add($"{layer}", $"{layer.MultiplyAdds}", form, Text(before, "0.0"), Text(after, "0.0"), Text(after / before, "0.00"), Text(layer.MultiplyAdds / before, "0"), Text(layer.MultiplyAdds / after, "0"));
            }
        }
        Console.WriteLine(table);
        return 0;
    }

    private static Latency Measure(Layer layer, Func<Layer, int, Model> build, int length, TimeSpan budget) =>
        LatencyMeter.Measure(FormChains.Float(layer, length), build(layer, length), [new Dictionary<string, Tensor> { ["x"] = layer.Input() }], null, CancellationToken.None, budget)!;

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
