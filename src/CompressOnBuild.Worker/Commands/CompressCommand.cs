using System.CommandLine;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>compress</c>: what a build does for one <c>CompressModel</c> item. Options are the item's metadata in kebab case.</summary>
internal sealed class CompressCommand(TextWriter output, TextWriter error,
    Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> run, Interruption interruption, ResponseFile? response)
    : RequestCommand(output, error, run, interruption)
{
    private readonly Argument<string> model = new("model") { Description = "The ONNX model." };
    // Only part of the response file, so that a newer package makes every result stale.
    private readonly Option<string> packageVersion = new("--package-version") { Hidden = true };
    private readonly RequestOptions options = new();

    public Command Create()
    {
        var command = new Command("compress", "Compress a model, measure it and write it with its reports.") { model };
        foreach (var option in options.All.Concat(SharedOptions).Append(packageVersion)) command.Add(option);
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(model);
            var (request, errors) = options.Read(parsed, path);
            return Run(parsed, path, request, errors);
        });
        return command;
    }

    protected override string Title(CompressionRequest request) => $"compressing {Path.GetFileName(request.Model)}";

    protected override void Keep(CompressionResult result) => DependencyFile.Write(result, result.Request.Output, response?.Sha256);
}
