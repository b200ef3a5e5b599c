using System.Security.Cryptography;
using CompressOnBuild.Evaluation;
using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Engine.Tests;

/// <summary>A model and its data in a folder of their own, ready to be compressed the way a build does it.</summary>
internal sealed class ModelCase : IDisposable
{
    private readonly ScratchFolder folder = new();

    public ModelCase(ModelBuilder model) : this(Google.Protobuf.MessageExtensions.ToByteArray(model.Proto)) { }

    public ModelCase(byte[] model)
    {
        File.WriteAllBytes(Model, model);
        Request = new CompressionRequest { Model = Model, Output = folder["out"], Name = "m", Threads = 2 };
    }

    public string Model => folder["m.onnx"];
    public string this[string name] => folder[name];
    /// <summary>What a test starts from; without data until <see cref="With(NpzBuilder, string)"/> gave some.</summary>
    public CompressionRequest Request { get; private set; }

    /// <summary>Saves the arrays and names them as evaluation data.</summary>
    public ModelCase With(NpzBuilder data, string name = "data.npz")
    {
        Request = Request with { EvaluationData = data.Save(folder[name]) };
        return this;
    }

    public CompressionResult Run(Func<CompressionRequest, CompressionRequest>? change = null) => Compressor.Run(change?.Invoke(Request) ?? Request, NullCompressionLog.Instance, default);

    /// <summary>The result, whatever the gate says of it.</summary>
    public CompressionResult RunWhateverTheVerdict(Func<CompressionRequest, CompressionRequest>? change = null)
    {
        try { return Run(change); }
        catch (GateException e) { return e.Result; }
    }

    /// <summary>Every file below the output folder, less the failed attempts, with its SHA-256.</summary>
    public string[] Outputs() => [.. Directory.EnumerateFiles(folder["out"], "*", SearchOption.AllDirectories)
        .Where(f => !f.StartsWith(folder["out"] + Path.DirectorySeparatorChar + "failed", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        .Select(f => $"{Path.GetFileName(f)} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(f)))}")];

    /// <summary>Runs a model file once.</summary>
    public static Tensor[] Infer(string model, params (string Name, Tensor Value)[] inputs)
    {
        using var session = new Session(File.ReadAllBytes(model), new SessionSettings("test"));
        return session.Run(inputs.ToDictionary(i => i.Name, i => i.Value));
    }

    public void Dispose() => folder.Dispose();
}
