using System.Runtime.InteropServices;
using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Calibration;

/// <summary>Changes the values of one sample where they stand.</summary>
internal delegate void ValueChange(ReadOnlySpan<long> shape, Span<float> values);

/// <summary>
/// Runs samples through a model piece by piece, every node once: what stands at a cut can be read and changed before the rest runs on it. Kept are only
/// values that somebody still reads. A whole walk costs about one run of each sample.
/// </summary>
internal sealed class LayerwiseRun
{
    private readonly Model model;
    private readonly SessionSettings settings;
    private readonly int threads;
    private readonly CancellationToken cancel;
    private readonly Node[] nodes;
    private readonly Dictionary<string, int> producedAt = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> lastRead = new(StringComparer.Ordinal);
    private readonly HashSet<string> given;
    private readonly ReusedBuffers buffers;
    private readonly Dictionary<string, Tensor>[] live;
    /// <summary>What the live values that the walk computed stand in.</summary>
    private readonly Dictionary<string, byte[]>[] memory;
    private int done;

    /// <param name="model">The model; not changed.</param>
    /// <param name="samples">Inputs by name.</param>
    /// <param name="settings">Of the sessions of the pieces.</param>
    /// <param name="threads">Samples run at once; their number changes no bit.</param>
    /// <param name="cancel">Stops between and inside runs.</param>
    /// <param name="buffers">Memory shared with another walk.</param>
    public LayerwiseRun(Model model, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, SessionSettings settings, int threads, CancellationToken cancel, ReusedBuffers? buffers = null)
    {
        (this.model, this.settings, this.threads, this.cancel, this.buffers) = (model, settings, threads, cancel, buffers ?? new ReusedBuffers());
        nodes = [.. model.Graph.Nodes];
        given = samples.Count == 0 ? [] : [.. model.Graph.Inputs.Select(i => i.Name).Where(samples[0].ContainsKey)];
        for (var i = 0; i < nodes.Length; i++)
        {
            foreach (var value in Reads(nodes[i])) lastRead[value.Name] = i;
            foreach (var output in nodes[i].Outputs) if (output is not null) producedAt[output.Name] = i;
        }
        live = [.. samples.Select(s => s.Where(p => given.Contains(p.Key)).ToDictionary(StringComparer.Ordinal))];
        memory = [.. samples.Select(_ => new Dictionary<string, byte[]>(StringComparer.Ordinal))];
    }

    /// <summary>Runs up to the node that computes <paramref name="name"/>: the value of each sample, until the walk goes on or changes it. Null where it is no tensor, not in the main graph, or forgotten already.</summary>
    /// <exception cref="Diagnostics.CompressionException">COB1020 to COB1023 from the runtime.</exception>
    public Tensor[]? Advance(string name)
    {
        if (!producedAt.TryGetValue(name, out var at)) return null;
        if (at >= done && !Run(at + 1, name)) return null;
        return live.Length > 0 && live.All(l => l.ContainsKey(name)) ? [.. live.Select(l => l[name])] : null;
    }

    /// <summary>Lets whoever reads the floats <paramref name="name"/> from here on read what <paramref name="change"/> makes of them, sample by sample on all threads.</summary>
    public void Change(string name, ValueChange change)
    {
        if (!lastRead.TryGetValue(name, out var last) || last < done) return;
        Parallel.For(0, live.Length, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, i =>
        {
            var tensor = live[i][name];
            if (tensor.ElementType == ElementType.Float) change(tensor.Shape, MemoryMarshal.Cast<byte, float>(memory[i][name].AsSpan(0, (int)tensor.ByteCount)));
        });
    }

    private bool Run(int end, string wanted)
    {
        var inputs = nodes[done..end].SelectMany(Reads).Where(v => given.Contains(v.Name) || (producedAt.TryGetValue(v.Name, out var at) && at < done)).Select(v => v.Name).Distinct(StringComparer.Ordinal).ToArray();
        var outputs = nodes[done..end].SelectMany(n => n.Outputs).OfType<Value>().Select(v => v.Name).Where(n => n == wanted || lastRead.GetValueOrDefault(n, -1) >= end).ToArray();
        // Something before was no tensor.
        if (live.Any(l => inputs.Any(n => !l.TryGetValue(n, out var tensor) || tensor.ElementType == ElementType.Undefined))) return false;
        using (var session = new Session(Piece(inputs, outputs), settings))
            Parallel.For(0, live.Length, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, i =>
            {
                session.Run(live[i], outputs, (at, type, shape, bytes) => Keep(i, outputs[at], type, shape, bytes), cancel);
                foreach (var name in live[i].Keys.Where(n => n != wanted && lastRead.GetValueOrDefault(n, -1) < end).ToArray()) Forget(i, name);
            });
        done = end;
        return true;
    }

    private void Keep(int sample, string name, ElementType type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes)
    {
        if (type is ElementType.Undefined or ElementType.String)
        {
            live[sample][name] = new Tensor(ElementType.Undefined, [0], default);
            return;
        }
        var buffer = buffers.Rent(bytes.Length);
        bytes.CopyTo(buffer);
        memory[sample][name] = buffer;
        live[sample][name] = new Tensor(type, shape.ToArray(), buffer.AsMemory(0, bytes.Length));
    }

    private void Forget(int sample, string name)
    {
        live[sample].Remove(name);
        if (memory[sample].Remove(name, out var buffer)) buffers.Return(buffer);
    }

    /// <summary>The nodes that compute <paramref name="outputs"/> from <paramref name="inputs"/>, as a model.</summary>
    private Model Piece(string[] inputs, string[] outputs)
    {
        var copy = model.Clone();
        copy.IrVersion = Math.Max(4, copy.IrVersion); // before, every initializer had to be an input
        var graph = copy.Graph;
        var values = graph.Nodes.SelectMany(n => n.Outputs).OfType<Value>().Concat(graph.Inputs).DistinctBy(v => v.Name, StringComparer.Ordinal).ToDictionary(v => v.Name, StringComparer.Ordinal);
        graph.Inputs.Clear();
        graph.Outputs.Clear();
        graph.OutputInfos.Clear();
        foreach (var name in inputs)
        {
            var value = values[name];
            value.Producer = null;
            if (value.Initializer is not null) graph.Initializers.Remove(value);
            value.Initializer = null;
            value.Info = new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)live[0][name].ElementType } } };
            graph.Inputs.Add(value);
        }
        foreach (var name in outputs)
        {
            graph.Outputs.Add(values[name]);
            graph.OutputInfos.Add(new ValueInfoProto { Name = name }); // the runtime infers the type
        }
        graph.RemoveUnused();
        return copy;
    }

    // What a node reads of the main graph, itself or by its bodies; constants travel with it.
    private IEnumerable<Value> Reads(Node node)
    {
        foreach (var input in node.Inputs) if (input is not null && IsComputed(input)) yield return input;
        foreach (var body in node.Bodies)
        {
            foreach (var inner in body.Nodes) foreach (var value in Reads(inner)) yield return value;
            foreach (var output in body.Outputs) if (IsComputed(output)) yield return output;
        }
    }

    private bool IsComputed(Value value) => value.Graph == model.Graph && (value.Constant is null || given.Contains(value.Name));
}
