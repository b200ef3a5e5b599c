using Demo = demo.CompressedModels.Shapes;

Console.WriteLine($"The program carries {Demo.ResourceName}: {Demo.ToArray().Length} bytes.");
using var report = typeof(demo.CompressedModels).Assembly.GetManifestResourceStream(Demo.ReportResourceName)!;
Console.WriteLine($"Its report, {Demo.ReportResourceName}, travels with it: {report.Length} bytes.");
