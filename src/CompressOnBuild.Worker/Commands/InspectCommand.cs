using System.CommandLine;
using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>inspect</c>: what a model is made of, and which weights can be compressed.</summary>
internal sealed class InspectCommand(TextWriter output)
{
    private readonly Argument<string> path = new("model") { Description = "The ONNX model." };

    public Command Create()
    {
        var command = new Command("inspect", "Show a model's operator sets, inputs, outputs and weights.") { path };
        command.SetAction(Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        var file = Path.GetFullPath(parsed.GetRequiredValue(path));
        var model = OnnxReader.Load(file);
        var sites = SiteFinder.Find(model);
        var data = model.ExternalFiles.Sum(f => new FileInfo(f).Length);
        Line($"{Path.GetFileName(file)}  {Grouped(new FileInfo(file).Length)} bytes{(data > 0 ? $" and {Grouped(data)} bytes of external data" : "")}, IR version {model.IrVersion}, opset {model.Opset()}{Others(model)}");
        Line($"{Grouped(model.AllNodes().LongCount())} nodes in {model.Graphs().Count()} graph(s): {string.Join(", ", model.AllNodes().CountBy(n => n.OpType).OrderByDescending(p => p.Value).ThenBy(p => p.Key, StringComparer.Ordinal).Take(12).Select(p => $"{p.Key} {p.Value}"))}");
        Line("");
        // Old exporters list the initializers among the inputs; nobody feeds those.
        Table([["input", "type", "shape"], .. model.Graph.Inputs.Where(v => v.Initializer is null).Select(Describe)]);
        Table([["output", "type", "shape"], .. model.Graph.Outputs.Select(Describe)]);
        Table([["weight", "operator", "type", "shape", "bytes"], .. sites.OrderByDescending(s => s.Tensor.ByteCount).ThenBy(s => s.Name, StringComparer.Ordinal)
            .Select(s => new[] { s.Name, s.OperatorName, s.Tensor.ElementType.ToString(), $"[{string.Join(", ", s.Tensor.Shape.ToArray())}]", Grouped(s.Tensor.ByteCount) })], rightAligned: 1);
        Line($"{sites.Count} weights that can be compressed, {Grouped(sites.Sum(s => s.Tensor.ByteCount))} bytes");
        return ExitCode.Success;
    }

    private static string Others(Model model) =>
        string.Concat(model.Shell.OpsetImport.Where(o => Model.Normalize(o.Domain).Length > 0).Select(o => $", {o.Domain} {o.Version}"));

    private static string[] Describe(Value value)
    {
        var shape = value.Info?.Type?.TensorType?.Shape?.Dim.Select(d => d.HasDimValue ? d.DimValue.ToString(CultureInfo.InvariantCulture) : d.DimParam.Length > 0 ? d.DimParam : "?");
        return [value.Name, value.ElementType.ToString(), shape is null ? "?" : $"[{string.Join(", ", shape)}]"];
    }

    private void Table(IReadOnlyList<string[]> rows, int rightAligned = 0) => TextTable.Write(output, rows, rightAligned);

    private static string Grouped(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private void Line(string text) => output.Write(ConsoleText.Line(text) + "\n");
}
