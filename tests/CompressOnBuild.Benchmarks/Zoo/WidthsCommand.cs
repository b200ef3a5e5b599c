using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Planning;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks.Zoo;

/// <summary><c>widths</c>: how near the outputs stay when all weights have one width, as integers and in a palette.</summary>
internal static class WidthsCommand
{
    public static Command Create()
    {
        var zoo = ZooFolder.Create();
        var models = new Option<string>("--models") { Description = "Names of the models to measure, separated by commas.", DefaultValueFactory = _ => "magika-v3.3,mobilenetv2,ocr-rec" };
        var bits = new Option<string>("--bits") { Description = "Widths, separated by commas.", DefaultValueFactory = _ => "3,4" };
        var output = new Option<string>("--output") { Description = "Where working copies go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "widths") };
        var command = new Command("widths", "Measures integers against palettes of the same width: bytes, and dB of the outputs on calibration samples.") { zoo, models, bits, output };
        command.SetAction(parsed =>
        {
            if (zoo.Find(parsed) is not { } folder) return 2;
            var table = new MarkdownTable("model", ">bits", ">integers: bytes", ">dB", ">palette: bytes", ">dB", ">palette gains");
            var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
            foreach (var name in ZooCommand.Names(parsed.GetValue(models)!))
            {
                Console.Error.WriteLine($"{name} ...");
                using var laboratory = new Laboratory(ZooModel.Prepare(folder, name, Path.GetFullPath(parsed.GetValue(output)!), npm), "smallest");
                foreach (var width in ZooCommand.Names(parsed.GetValue(bits)!).Select(b => int.Parse(b, CultureInfo.InvariantCulture)))
                {
                    var integers = laboratory.Try(All(laboratory, WeightForm.Weights, width));
                    var palette = laboratory.Try(All(laboratory, WeightForm.Palette, width));
                    table.Add(name, $"{width}", Size(integers.Bytes), Text($"{integers.Decibels:0.0}"), Size(palette.Bytes), Text($"{palette.Decibels:0.0}"), Text($"{palette.Decibels - integers.Decibels:+0.0;-0.0} dB"));
                    Console.Error.WriteLine(Text($"  {width} bits: {integers.Decibels:0.0} dB in {integers.Bytes} bytes, palette {palette.Decibels:0.0} dB in {palette.Bytes}"));

                    string Size(long bytes) => Text($"{bytes} ({100.0 * bytes / laboratory.OriginalBytes:0.0} %)");
                }
            }
            Console.WriteLine(table);
            return 0;
        });
        return command;
    }

    private static Plan All(Laboratory laboratory, WeightForm form, int bits) =>
        laboratory.Planner.Complete([.. laboratory.Planner.Sites.Select(s => laboratory.Planner.Decide(s, form, "", bits))], join: false);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
