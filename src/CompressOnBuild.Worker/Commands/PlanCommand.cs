using System.CommandLine;
using CompressOnBuild.Reporting;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>plan</c>: what <c>compress</c> would do with each weight, and how large the model would be. Nothing is judged, and nothing is written.</summary>
internal sealed class PlanCommand(TextWriter output, TextWriter error,
    Func<CompressionRequest, ICompressionLog, CancellationToken, CompressionResult> run, Interruption interruption)
    : RequestCommand(output, error, run, interruption)
{
    private readonly TextWriter output = output;
    private readonly Argument<string> model = new("model") { Description = "The ONNX model." };
    private readonly RequestOptions options = new();

    public Command Create()
    {
        var command = new Command("plan", "Show what compress would do with each weight, and how large the model would be. Nothing is judged, and nothing is written.") { model };
        foreach (var option in options.OfPlan.Concat(SharedOptions)) command.Add(option);
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(model);
            var (request, errors) = options.Read(parsed, path);
            return Run(parsed, path, request with { PlanOnly = true }, errors);
        });
        return command;
    }

    protected override string Title(CompressionRequest request) => $"planning {Path.GetFileName(request.Model)}";

    protected override string Summary(CompressionResult result) => SummaryLine.Planned(result);

    protected override void Show(CompressionResult result)
    {
        TextTable.Write(output, [["weight", "operator", "form", "because", "before", "after"], .. result.Weights.Select(w => new[] { w.Name, w.Operator, $"{w.Encoding}, {Figures.Number(w.Bits)} bits", w.Because, Figures.Bytes(w.BytesBefore), Figures.Bytes(w.BytesAfter) })], rightAligned: 2);
        TextTable.Write(output, [["left alone", "operator", "because", "size"], .. result.Skipped.Select(s => new[] { s.Name, s.Operator, $"{s.Code}: {s.Because}", Figures.Bytes(s.Bytes) })], rightAligned: 1);
    }
}
