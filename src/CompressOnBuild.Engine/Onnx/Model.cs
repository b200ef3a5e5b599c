using CompressOnBuild.Onnx.Proto;

namespace CompressOnBuild.Onnx;

/// <summary>
/// An ONNX model as an editable graph of values. What the product never edits (functions, metadata, training information, unknown
/// fields) stays in the protobuf message it was read from and passes through untouched. A clone shares tensors, so trying another plan is cheap.
/// </summary>
public sealed class Model
{
    private readonly HashSet<string> names = new(StringComparer.Ordinal);

    internal Model(ModelProto shell) => Shell = shell;

    /// <summary>The message without its graph.</summary>
    internal ModelProto Shell { get; }

    /// <summary>The main graph.</summary>
    public Graph Graph { get; internal set; } = null!;

    /// <summary>The file the model was read from (messages), or an empty string.</summary>
    public string File { get; internal init; } = "";

    /// <summary>Full paths of the external data files the model refers to.</summary>
    public IReadOnlyList<string> ExternalFiles { get; internal init; } = [];

    /// <summary>Version of the ONNX file format.</summary>
    public long IrVersion { get => Shell.IrVersion; set => Shell.IrVersion = value; }

    /// <summary>The imported version of an operator set; 0 when it is not imported. The default domain is the empty string.</summary>
    public int Opset(string domain = "") => (int)(Import(domain)?.Version ?? 0);

    /// <summary>Imports an operator set, or changes the version of one that is imported already.</summary>
    public void ImportOpset(string domain, int version)
    {
        if (Import(domain) is { } import) import.Version = version;
        else Shell.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = version });
    }

    private OperatorSetIdProto? Import(string domain) => Shell.OpsetImport.FirstOrDefault(o => Normalize(o.Domain) == domain);

    internal static string Normalize(string domain) => domain == "ai.onnx" ? "" : domain;

    /// <summary>The main graph and every body of If, Loop and Scan, outer before inner.</summary>
    public IEnumerable<Graph> Graphs()
    {
        var open = new Stack<Graph>([Graph]);
        while (open.TryPop(out var graph))
        {
            yield return graph;
            foreach (var body in graph.Nodes.SelectMany(n => n.Bodies).Reverse()) open.Push(body);
        }
    }

    /// <summary>Every node of every graph.</summary>
    public IEnumerable<Node> AllNodes() => Graphs().SelectMany(g => g.Nodes);

    /// <summary>A name that no value or node of any graph bears yet, starting with <paramref name="stem"/>.</summary>
    public string NewName(string stem)
    {
        var name = stem;
        for (var i = 2; !names.Add(name); i++) name = $"{stem}_{i}";
        return name;
    }

    internal void Claim(string name) => names.Add(name);

    /// <summary>An independent copy of the topology; tensors and untouched attributes are shared.</summary>
    public Model Clone()
    {
        var copy = new Model(Shell.Clone()) { File = File, ExternalFiles = ExternalFiles };
        copy.Graph = Graph.CloneInto(copy, null, []);
        foreach (var name in names) copy.names.Add(name);
        return copy;
    }
}
