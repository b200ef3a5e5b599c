using System.CommandLine;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Benchmarks.Haswell;

/// <summary><c>haswell-run</c>: what <c>haswell</c> starts on the emulated processor. Runs samples from a file and leaves the outputs in another.</summary>
internal static class HaswellRun
{
    public static Command Create()
    {
        var model = new Argument<string>("model");
        var inputs = new Argument<string>("inputs");
        var outputs = new Argument<string>("outputs");
        var command = new Command("haswell-run", "Runs samples from a file; started by haswell.") { model, inputs, outputs };
        command.Hidden = true;
        command.SetAction(parsed => Run(parsed.GetValue(model)!, parsed.GetValue(inputs)!, parsed.GetValue(outputs)!));
        return command;
    }

    private static int Run(string model, string inputs, string outputs)
    {
        if (!Processor.SaturatesIntegerProducts) throw new InvalidOperationException("This processor has VNNI.");
        using var session = new Session(OnnxReader.Load(model), new SessionSettings("compressed"));
        using var from = new BinaryReader(File.OpenRead(inputs));
        using var to = new BinaryWriter(File.Create(outputs));
        while (from.BaseStream.Position < from.BaseStream.Length)
            foreach (var result in session.Run(session.Inputs.ToDictionary(i => i.Name, _ => Read(from)))) Write(to, result);
        return 0;
    }

    public static void Write(BinaryWriter to, Tensor tensor)
    {
        to.Write((int)tensor.ElementType);
        to.Write(tensor.Rank);
        foreach (var d in tensor.Shape) to.Write(d);
        to.Write(tensor.Data.Length);
        to.Write(tensor.Data.Span);
    }

    public static Tensor Read(BinaryReader from)
    {
        var type = (ElementType)from.ReadInt32();
        var shape = new long[from.ReadInt32()];
        for (var i = 0; i < shape.Length; i++) shape[i] = from.ReadInt64();
        return new Tensor(type, shape, from.ReadBytes(from.ReadInt32()));
    }
}
