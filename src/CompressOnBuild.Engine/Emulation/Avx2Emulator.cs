using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Runtime;
using Google.Protobuf;

namespace CompressOnBuild.Emulation;

/// <summary>
/// Runs a model as x64 processors without VNNI run it: the optimized graph is cut at the integer products that can saturate; these are
/// computed here, what lies between them by ONNX Runtime. Runs from any number of threads.
/// </summary>
internal sealed class Avx2Emulator : IDisposable
{
    private readonly ModelProto proto;
    private readonly SessionSettings settings;
    private readonly Part[] parts;
    private readonly string[] outputs;
    private readonly Dictionary<string, TensorProto> initializers;
    private readonly Dictionary<string, Tensor> constants;

    /// <summary>The nodes of one depth: no more integer products lie before one of them than before another.</summary>
    private sealed class Part
    {
        public List<NodeProto> Nodes { get; } = [];
        public List<(EmulatedNode Node, string Weight)> Products { get; } = [];
        public HashSet<string> Needed { get; } = new(StringComparer.Ordinal);
        public List<string> Shown { get; } = [];
        public Session? Session { get; set; }
    }

    /// <param name="optimized">The graph of <see cref="OptimizedGraph"/>.</param>
    /// <param name="products">Those of its products that are computed here; all of them can be emulated.</param>
    /// <param name="settings">How the rest runs.</param>
    public Avx2Emulator(Model optimized, IEnumerable<IntegerProduct> products, SessionSettings settings)
    {
        this.settings = settings with { Optimize = false }; // it is optimized already
        proto = OnnxWriter.ToProto(optimized);
        outputs = [.. optimized.Graph.Outputs.Select(o => o.Name)];
        initializers = proto.Graph.Initializer.ToDictionary(t => t.Name, StringComparer.Ordinal);
        constants = optimized.Graph.Initializers.ToDictionary(v => v.Name, v => v.Initializer!, StringComparer.Ordinal);
        parts = Cut(optimized, products.ToDictionary(p => p.Node));
    }

    /// <summary>Runs once; the outputs in the model's order.</summary>
    /// <param name="inputs">Inputs by name.</param>
    /// <param name="counts">Where pairs are counted, by the name of the weight; null: they are not.</param>
    /// <param name="cancel">Stops between and inside parts.</param>
    public Tensor[] Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyDictionary<string, PairCount>? counts, CancellationToken cancel)
    {
        var values = new Dictionary<string, Tensor>(inputs, StringComparer.Ordinal);
        foreach (var part in parts)
        {
            if (part.Shown.Count > 0)
            {
                var session = Open(part, values);
                foreach (var (port, result) in session.Outputs.Zip(session.Run(values, cancel))) values[port.Name] = result;
            }
            foreach (var (node, weight) in part.Products)
            {
                cancel.ThrowIfCancellationRequested();
                var results = node.Run(values, counts?[weight]);
                for (var i = 0; i < results.Length; i++) if (results[i] is { } result && node.Node.Output(i) is { } output) values[output.Name] = result;
            }
        }
        return [.. outputs.Select(o => values.TryGetValue(o, out var value) ? value : constants[o])];
    }

    public void Dispose()
    {
        foreach (var part in parts) part.Session?.Dispose();
    }

    // The first sample shows the types of what enters.
    private Session Open(Part part, Dictionary<string, Tensor> values)
    {
        lock (part)
        {
            if (part.Session is { } open) return open;
            var model = proto.Clone();
            model.Graph = new GraphProto { Name = "part" };
            model.Graph.Node.AddRange(part.Nodes);
            foreach (var name in part.Needed.Order(StringComparer.Ordinal))
            {
                if (values.TryGetValue(name, out var value)) model.Graph.Input.Add(Info(name, value.ElementType));
                else if (initializers.TryGetValue(name, out var tensor)) model.Graph.Initializer.Add(tensor);
            }
            model.Graph.Output.AddRange(part.Shown.Select(n => new ValueInfoProto { Name = n }));
            return part.Session = new Session(model.ToByteArray(), settings);
        }
    }

    private static ValueInfoProto Info(string name, ElementType type) =>
        new() { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type } } };

    private Part[] Cut(Model optimized, Dictionary<Node, IntegerProduct> products)
    {
        var depthOf = new Dictionary<string, int>(StringComparer.Ordinal);
        var partOf = new Dictionary<string, Part>(StringComparer.Ordinal); // values that ONNX Runtime computes
        var readers = new List<(Part? Part, HashSet<string> Names)>();
        var result = new List<Part> { new() };
        foreach (var (node, message) in optimized.Graph.Nodes.Zip(proto.Graph.Node))
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            Read(message, names);
            var depth = names.Max(n => (int?)depthOf.GetValueOrDefault(n)) ?? 0;
            var product = products.GetValueOrDefault(node);
            foreach (var output in message.Output) if (output.Length > 0) depthOf[output] = product is null ? depth : depth + 1;
            while (result.Count <= depth) result.Add(new Part());
            var part = result[depth];
            readers.Add((product is null ? part : null, names));
            if (product is not null)
            {
                part.Products.Add((Create(node), product.Weight));
                continue;
            }
            part.Nodes.Add(message);
            part.Needed.UnionWith(names);
            foreach (var output in message.Output) if (output.Length > 0) partOf[output] = part;
        }
        foreach (var (name, part) in partOf)
        {
            part.Needed.Remove(name);
            if (outputs.Contains(name) || readers.Any(r => r.Part != part && r.Names.Contains(name))) part.Shown.Add(name);
        }
        return [.. result];
    }

    private static EmulatedNode Create(Node node) => node.OpType == Convolution.Operator ? new Convolution(node) : MatrixProduct.Create(node);

    // What a node reads: its inputs, and what its bodies see of the graphs around them.
    private static void Read(NodeProto node, HashSet<string> names)
    {
        names.UnionWith(node.Input.Where(i => i.Length > 0));
        foreach (var body in node.Attribute.SelectMany(a => a.G is null ? a.Graphs : a.Graphs.Append(a.G)))
        {
            foreach (var inner in body.Node) Read(inner, names);
            names.UnionWith(body.Output.Select(o => o.Name));
        }
    }
}
