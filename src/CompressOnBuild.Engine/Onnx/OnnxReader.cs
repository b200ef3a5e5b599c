using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx.Proto;
using Google.Protobuf;

namespace CompressOnBuild.Onnx;

/// <summary>
/// Reads a model and refuses what no runtime could run: every rule broken is one coded error that names the place.
/// Files are hostile until proven otherwise.
/// </summary>
public static class OnnxReader
{
    /// <summary>The lowest operator set the engine understands; the highest is whatever the bundled runtime loads.</summary>
    public const int LowestOpset = 7;

    /// <summary>Reads the model file at <paramref name="path"/>; external data are looked for beside it.</summary>
    /// <exception cref="CompressionException">COB1001 to COB1012.</exception>
    public static Model Load(string path) => Read(ReadFile(path), path);

    /// <summary>The bytes of the model file at <paramref name="path"/>, for <see cref="Read"/>.</summary>
    /// <exception cref="CompressionException">COB1001, COB1002 or COB1012.</exception>
    internal static byte[] ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new CompressionException(Codes.ModelNotFound, "the model is a folder. Give the path of an .onnx file in it.", path);
        if (!System.IO.File.Exists(path))
            throw new CompressionException(Codes.ModelNotFound, "the model does not exist. Give the path of an .onnx file, relative to the project.", path);
        try
        {
            using var stream = System.IO.File.OpenRead(path);
            // The length of what a link points to, not of the link.
            if (stream.Length == 0)
                throw new CompressionException(Codes.ModelEmpty, "the model file is empty (0 bytes). Export or download it again; a Git LFS file may not have been fetched.", path);
            if (stream.Length > Array.MaxLength) throw TooLarge($"the model file has {stream.Length} bytes", path);
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CompressionException(Codes.ModelNotFound, $"the model cannot be read: {e.Message} Check its permissions, and that no other program holds it.", path, inner: e);
        }
    }

    /// <summary>Reads a model from bytes; <paramref name="path"/> is its place for messages and external data.</summary>
    public static Model Read(ReadOnlyMemory<byte> bytes, string path = "")
    {
        ModelProto proto;
        try { proto = ModelProto.Parser.ParseFrom(bytes.Span); }
        catch (InvalidProtocolBufferException e)
        {
            var pointer = bytes.Span.StartsWith("version https://git-lfs"u8);
            throw new CompressionException(Codes.NotAnOnnxModel, pointer
                ? "the file is a Git LFS pointer, not a model. Run 'git lfs pull'."
                : $"the file is not a complete ONNX model ({bytes.Length} bytes; the protobuf message cannot be read). It is of another format, damaged, or was cut: export or download it again.", path, inner: e);
        }
        if (proto.Graph is null || (proto.Graph.Node.Count == 0 && proto.Graph.Output.Count == 0) || proto.OpsetImport.Count == 0)
            throw new CompressionException(Codes.NotAnOnnxModel, "the file holds no ONNX graph. Valid is a model as torch.onnx.export, tf2onnx or paddle2onnx write it; convert other formats first.", path);

        var external = new ExternalData(path.Length == 0 ? "model.onnx" : path);
        var files = new List<string>();
        var graph = proto.Graph;
        proto.Graph = null;
        var model = new Model(proto) { File = path, ExternalFiles = files };
        var opset = model.Opset();
        if (opset is not 0 and < LowestOpset)
            throw new CompressionException(Codes.UnsupportedOpset, $"the model uses operator set {opset}. Valid is {LowestOpset} or newer. Export it again with a newer opset.", path);
        model.Graph = new GraphReader(model, path, external).Read(graph, null, new Scope(null));
        if (bytes.Length + external.TotalBytes > Array.MaxLength)
            throw TooLarge($"the model has {bytes.Length + external.TotalBytes} bytes with its external data ({external.Files.Count} files)", path);
        files.AddRange(external.Files.Order(StringComparer.Ordinal));
        return model;
    }

    // The runtime gets a whole model as one message, which is also how it is shipped.
    private static CompressionException TooLarge(string found, string path) => new(Codes.ModelTooLarge,
        $"{found}. Models of at most {Array.MaxLength} bytes, external data included, can be compressed. Take a smaller variant, or export its parts (encoder, decoder) as models of their own.", path);

    private sealed class Scope(Scope? outer)
    {
        private readonly Dictionary<string, Value> values = new(StringComparer.Ordinal);

        public bool TryAdd(Value value) => values.TryAdd(value.Name, value);
        public Value? Find(string name) => values.TryGetValue(name, out var value) ? value : outer?.Find(name);
        public Value? FindOwn(string name) => values.GetValueOrDefault(name);
    }

    private sealed class GraphReader(Model model, string file, ExternalData external)
    {
        public Graph Read(GraphProto proto, Graph? outer, Scope scope)
        {
            var shell = proto.Clone();
            shell.Node.Clear();
            shell.Initializer.Clear();
            shell.Input.Clear();
            shell.Output.Clear();
            shell.ValueInfo.Clear();
            var graph = new Graph(model, outer, shell);

            foreach (var info in proto.Input)
            {
                CheckDimensions(info);
                graph.Inputs.Add(Define(info.Name, "graph input", info));
            }
            foreach (var tensor in proto.Initializer)
            {
                var value = graph.Inputs.Find(v => v.Name == tensor.Name) ?? Define(tensor.Name, "initializer", null);
                if (value.Initializer is not null) throw Duplicate(tensor.Name, "initializer");
                value.Initializer = Tensor.FromProto(tensor, tensor.Name, file, external);
                graph.Initializers.Add(value);
            }
            foreach (var sparse in proto.SparseInitializer) graph.Sparse.Add(Define(sparse.Values?.Name ?? "", "sparse initializer", null));

            // All outputs before any input: the order of nodes in the file is checked afterwards, not assumed.
            var nodes = new List<(Node Node, NodeProto Proto)>();
            foreach (var nodeProto in proto.Node)
            {
                var nodeShell = nodeProto.Clone();
                nodeShell.Input.Clear();
                nodeShell.Output.Clear();
                nodeShell.Attribute.Clear();
                if (!nodeShell.HasOpType || nodeShell.OpType.Length == 0)
                    throw new CompressionException(Codes.NotAnOnnxModel, $"node '{nodeShell.Name}' names no operator. Export the model again.", file);
                var node = new Node(graph, nodeShell);
                model.Claim(nodeShell.Name);
                foreach (var name in nodeProto.Output) node.AddOutput(name.Length == 0 ? null : Define(name, $"output of node '{nodeShell.Name}' ({nodeShell.OpType})", null));
                nodes.Add((node, nodeProto));
            }
            foreach (var info in proto.ValueInfo)
                if (scope.FindOwn(info.Name) is { } value)
                {
                    CheckDimensions(info);
                    value.Info ??= info;
                    graph.Declared.Add(value);
                }

            foreach (var (node, nodeProto) in nodes)
            {
                for (var i = 0; i < nodeProto.Input.Count; i++) node.SetInput(i, nodeProto.Input[i].Length == 0 ? null : Resolve(nodeProto.Input[i], $"node '{node.Name}' ({node.OpType})"));
                foreach (var attribute in nodeProto.Attribute) node.SetAttribute(ReadAttribute(attribute, graph, scope, node));
            }
            foreach (var info in proto.Output)
            {
                CheckDimensions(info);
                var value = Resolve(info.Name, "the graph's outputs");
                value.Info ??= info;
                graph.Outputs.Add(value);
                graph.OutputInfos.Add(info);
            }
            foreach (var node in InOrder([.. nodes.Select(n => n.Node)], graph)) graph.Nodes.Insert(node, null);
            return graph;

            Value Define(string name, string what, ValueInfoProto? info)
            {
                if (name.Contains('\0'))
                    throw new CompressionException(Codes.NotAnOnnxModel, $"the name '{name}' ({what}) holds a zero character, at which ONNX Runtime cuts names. Valid are names of visible characters. Export the model again.", file);
                var value = new Value(graph, name) { Info = info };
                if (name.Length > 0 && !scope.TryAdd(value)) throw Duplicate(name, what);
                model.Claim(name);
                return value;
            }
            Value Resolve(string name, string who) => scope.Find(name) ?? throw new CompressionException(Codes.UndefinedValue,
                $"{who} reads '{name}', which nothing computes. Every name must be an input, an initializer or the output of a node. Export the model again.", file);
        }

        private NodeAttribute ReadAttribute(AttributeProto proto, Graph graph, Scope scope, Node node)
        {
            if (proto.T is not null) return new NodeAttribute(Without(proto, p => p.T = null), Tensor.FromProto(proto.T, $"{node.Name}.{proto.Name}", file, external));
            if (proto.G is not null) return new NodeAttribute(Without(proto, p => p.G = null), null, [Read(proto.G, graph, new Scope(scope))]);
            if (proto.Graphs.Count > 0) return new NodeAttribute(Without(proto, p => p.Graphs.Clear()), null, [.. proto.Graphs.Select(g => Read(g, graph, new Scope(scope)))]);
            return new NodeAttribute(proto);

            static AttributeProto Without(AttributeProto proto, Action<AttributeProto> clear)
            {
                var shell = proto.Clone();
                clear(shell);
                return shell;
            }
        }

        // Kahn's algorithm, stable: a graph that is in order already stays as it is.
        private List<Node> InOrder(List<Node> nodes, Graph graph)
        {
            var position = new Dictionary<Node, int>();
            for (var i = 0; i < nodes.Count; i++) position.Add(nodes[i], i);
            var waiting = new int[nodes.Count];
            var readers = new List<int>[nodes.Count];
            for (var i = 0; i < nodes.Count; i++)
                foreach (var producer in Producers(nodes[i], graph).Distinct())
                {
                    waiting[i]++;
                    (readers[position[producer]] ??= []).Add(i);
                }
            var ready = new PriorityQueue<int, int>(Enumerable.Range(0, nodes.Count).Where(i => waiting[i] == 0).Select(i => (i, i)));
            var sorted = new List<Node>(nodes.Count);
            while (ready.TryDequeue(out var i, out _))
            {
                sorted.Add(nodes[i]);
                foreach (var reader in readers[i] ?? []) if (--waiting[reader] == 0) ready.Enqueue(reader, reader);
            }
            if (sorted.Count == nodes.Count) return sorted;
            var stuck = nodes.First(n => waiting[position[n]] > 0);
            throw new CompressionException(Codes.GraphHasCycle,
                $"node '{stuck.Name}' ({stuck.OpType}) depends on its own output. A graph must be free of cycles; recurrence is written with Loop, Scan or LSTM. Export the model again.", file);
        }

        private static IEnumerable<Node> Producers(Node node, Graph graph)
        {
            foreach (var input in node.Inputs)
                if (input?.Producer is { } producer && producer.Graph == graph) yield return producer;
            foreach (var body in node.Bodies)
            {
                foreach (var inner in body.Nodes) foreach (var producer in Producers(inner, graph)) yield return producer;
                foreach (var output in body.Outputs) if (output.Producer is { } producer && producer.Graph == graph) yield return producer;
            }
        }

        private void CheckDimensions(ValueInfoProto info)
        {
            foreach (var dim in info.Type?.TensorType?.Shape?.Dim ?? [])
                // Several exporters write -1 or 0 for "unknown"; other negative numbers mean nothing.
                if (dim.HasDimValue && dim.DimValue < -1)
                    throw new CompressionException(Codes.BadDimension, $"'{info.Name}' is declared with the dimension {dim.DimValue}. Dimensions are 0 or more, or a name. Export the model again.", file);
        }

        private CompressionException Duplicate(string name, string what) => new(Codes.DuplicateName,
            $"the name '{name}' ({what}) is defined twice. Every value of a graph has one definition. Export the model again.", file);
    }
}
