using System.CommandLine;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>compare</c>: the measurements, the verdict and the reports of <c>compress</c> for two given models, whoever made the second.</summary>
internal sealed class CompareCommand(TextWriter output, TextWriter error,
    Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> run, Interruption interruption)
    : RequestCommand(output, error, run, interruption)
{
    private readonly Argument<string> first = new("original") { Description = "The ONNX model to compare with." };
    private readonly Argument<string> second = new("candidate") { Description = "The ONNX model that is judged: same inputs and outputs." };
    private readonly RequestOptions options = new();

    public Command Create()
    {
        var command = new Command("compare", "Measure one model against another on the same data, and write the reports.") { first, second };
        foreach (var option in options.OfComparison.Concat(SharedOptions)) command.Add(option);
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(first);
            var (request, errors) = options.Read(parsed, path, parsed.GetRequiredValue(second));
            return Run(parsed, path, request, errors);
        });
        return command;
    }

    protected override string Title(CompressionRequest request) => $"comparing {request.Names.Candidate} with {request.Names.Original}";
}
