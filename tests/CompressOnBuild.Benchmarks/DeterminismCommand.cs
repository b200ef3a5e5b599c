using System.CommandLine;
using System.Security.Cryptography;
using CompressOnBuild.Benchmarks.Zoo;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Benchmarks;

/// <summary><c>determinism</c>: the same request with 1 and with 2 threads, twice each: are model and report the same bytes?</summary>
internal static class DeterminismCommand
{
    private static readonly int[] Threads = [1, 2, 1, 2];

    public static Command Create()
    {
        var zoo = new Option<string>("--zoo") { Description = "Folder of models, as for zoo.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "testassets", "samples") };
        var recipes = new Option<string>("--recipe") { Description = "Recipes, separated by commas.", DefaultValueFactory = _ => "auto,int8" };
        var models = new Option<string?>("--models") { Description = "Names of the models, separated by commas [default: all]." };
        var output = new Option<string>("--output") { Description = "Where working copies and results go.", DefaultValueFactory = _ => Path.Combine(DotNet.RepositoryRoot, "artifacts", "determinism") };
        var worker = new Option<string>("--worker") { Description = "Another worker (compressonbuild.dll) [default: the one built with this program].", DefaultValueFactory = _ => Worker.Built };
        var command = new Command("determinism", "Runs the same requests with different numbers of threads and compares the bytes.") { zoo, recipes, models, output, worker };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(zoo)!), ZooCommand.Names(parsed.GetValue(recipes)!), parsed.GetValue(models),
            Path.GetFullPath(parsed.GetValue(output)!), parsed.GetValue(worker)!));
        return command;
    }

    private static int Run(string zoo, string[] recipes, string? chosen, string output, string worker)
    {
        var npm = new NpmCache(Path.Combine(DotNet.RepositoryRoot, "artifacts", "npm"));
        var table = new MarkdownTable("model", "recipe", ">threads", "SHA-256 of the model", "of report.json", "verdict");
        var failed = false;
        foreach (var name in chosen is null ? ZooModel.Names(zoo) : ZooCommand.Names(chosen))
        {
            ZooModel model;
            try { model = ZooModel.Prepare(zoo, name, output, npm); }
            catch (SkippedException e)
            {
                table.Add(name, "", "", "", "", "skipped: " + e.Message);
                continue;
            }
            foreach (var recipe in recipes)
            {
                Console.Error.WriteLine($"{name}, {recipe} ...");
                (string Model, string Report)? first = null;
                foreach (var threads in Threads)
                {
                    var results = Path.Combine(output, name, "out", Path.GetFileNameWithoutExtension(recipe));
                    if (Directory.Exists(results)) Directory.Delete(results, recursive: true);
                    var run = Worker.Run(worker, ZooCommand.Arguments(model, recipe, results, threads));
                    if (run.ExitCode != 0)
                    {
                        failed = true;
                        table.Add(name, recipe, $"{threads}", "", "", "**" + ZooRow.Read(name, recipe, run).Message + "**");
                        break;
                    }
                    var sums = (Model: Sum(Path.Combine(results, name + ".onnx")), Report: Sum(Path.Combine(results, "report.json")));
                    first ??= sums;
                    failed |= sums != first;
                    table.Add(name, recipe, $"{threads}", sums.Model[..16], sums.Report[..16], sums == first ? "equal" : "**differs**");
                }
            }
        }
        Console.WriteLine(table);
        return failed ? 1 : 0;
    }

    private static string Sum(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
}
