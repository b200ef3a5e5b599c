using CompressOnBuild.Calibration;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Restructuring;

/// <summary>Which indices of one axis of a value are left, of <paramref name="Length"/>.</summary>
internal sealed record KeptIndices(int Axis, int Length, int[] Indices)
{
    /// <summary>What is left of the value as it was; null where it is another one (an axis that is also a dynamic one).</summary>
    public Tensor? Of(Tensor whole) => Axis < whole.Rank && whole.Shape[Axis] == Length ? ChannelCut.Slice(whole, Axis, Indices) : null;

    /// <summary>After <paramref name="later"/> took more of what was left.</summary>
    public KeptIndices Then(KeptIndices later) => later with { Length = Length, Indices = [.. later.Indices.Select(i => Indices[i])] };
}

/// <summary>
/// Brings the layers of a pruned model near to those of the model it came from, in the order of the graph (<see cref="LayerReconstruction"/>): both run side by side, and
/// each layer is solved anew on what the ones before it, solved already, give it. A layer whose output is added to another value (a residual connection) aims at the sum:
/// what the other value lost by then is wanted from the layer, too (He et al. 2017, section 3.3). Layers that nothing reaches that was cut stay.
/// </summary>
/// <param name="original">As it was before anything went.</param>
/// <param name="left">What is left of its values that lost channels, by name.</param>
/// <param name="sizes">Elements of its values.</param>
/// <param name="walk">Starts a walk of a model over so many samples, in memory that two walks share.</param>
/// <param name="samples">How many there are.</param>
/// <param name="parallel">Threads to use, and what stops them.</param>
internal sealed class Reconstruction(Model original, IReadOnlyDictionary<string, KeptIndices> left, Func<string, double> sizes, Func<Model, int, ReusedBuffers, LayerwiseRun> walk, int samples, ParallelOptions parallel)
{
    /// <summary>Of all samples together; wide layers meet more.</summary>
    private const int Rows = 4096, RowsPerInput = 4;
    /// <summary>Bytes of values that two walks may hold.</summary>
    private const long MemoryBound = 768L << 20;
    /// <summary>Bytes of a layer's moments: beyond it (the scores of a large vocabulary) the layer stays as it was repaired.</summary>
    private const long MomentsBound = 128L << 20;
    /// <summary>Values that live at once, in sizes of the largest.</summary>
    private const int LiveValues = 4;

    /// <param name="Matrix">Its weight in the pruned model.</param>
    /// <param name="Patches">Of a convolution.</param>
    /// <param name="Other">What its output is added to.</param>
    private sealed record Layer(LayerMatrix Matrix, PatchGeometry? Patches, Value? Other)
    {
        public string Input => Matrix.Node.Input(0)!.Name;
        public string Output => Matrix.Node.Output(0)!.Name;
    }

    /// <summary>Changes weights and biases of <paramref name="pruned"/>; its graph stays.</summary>
    public void Run(Model pruned)
    {
        var layers = Layers(pruned);
        // What is still to come never needs more memory than this.
        var largest = new double[layers.Count + 1];
        for (var i = layers.Count - 1; i >= 0; i--) largest[i] = Math.Max(largest[i + 1], Math.Max(sizes(layers[i].Input), sizes(layers[i].Output)));
        var inputs = original.Graph.Inputs.Sum(i => sizes(i.Name));
        var count = 0;
        (LayerwiseRun Before, LayerwiseRun After)? walks = null;
        for (var i = 0; i < layers.Count; i++)
        {
            parallel.CancellationToken.ThrowIfCancellationRequested();
            // Large values stand at the beginning of most networks, where few pictures have many positions; those behind start again with more pictures.
            var room = (int)Math.Clamp(MemoryBound / (sizeof(float) * Math.Max(1, 2 * inputs + 2 * LiveValues * largest[i])), Math.Min(2, samples), samples);
            if (walks is null || room >= 2 * count || (room == samples && count < samples))
            {
                var buffers = new ReusedBuffers();
                (walks, count) = ((walk(original, room, buffers), walk(pruned, room, buffers)), room);
            }
            Solve(layers[i], walks.Value.Before, walks.Value.After, count);
        }
    }

    private List<Layer> Layers(Model pruned)
    {
        var sites = SiteFinder.Find(pruned).Where(s => s.IsObservable).ToArray();
        var requests = WeightInputs.Of(sites).ToDictionary(r => r.Site, StringComparer.Ordinal);
        var matrices = sites.Where(s => requests.ContainsKey(s.Name)).Select(s => LayerMatrix.Of(s).Layer).OfType<LayerMatrix>().Where(l => l.K == requests[l.Site.Name].Width).ToDictionary(l => l.Node);
        var layers = new List<Layer>();
        var reached = left.Keys.ToHashSet(StringComparer.Ordinal);
        var computed = new HashSet<Value>();
        foreach (var node in pruned.Graph.Nodes)
        {
            // Nothing is known of the bias of a convolution or Gemm that cannot be changed.
            if (matrices.TryGetValue(node, out var matrix) && sizeof(double) * (matrix.K + 1L) * (matrix.K + 1L + matrix.N) <= MomentsBound && node.Input(0)?.Producer is not null && (node.Is("MatMul") || LayerMatrix.BiasOf(matrix.Site) is not null))
            {
                var other = Other(matrix, computed);
                if (reached.Contains(node.Input(0)!.Name) || (other is not null && reached.Contains(other.Name))) layers.Add(new Layer(matrix, requests[matrix.Site.Name].Patches, other));
            }
            var isReached = node.Bodies.Any() || node.Inputs.Any(i => i is not null && reached.Contains(i.Name));
            foreach (var output in node.Outputs.OfType<Value>())
            {
                computed.Add(output);
                if (isReached) reached.Add(output.Name);
            }
        }
        return layers;
    }

    // Null where the sum needs what is computed only behind the layer.
    private static Value? Other(LayerMatrix layer, HashSet<Value> computed)
    {
        var value = LayerMatrix.BiasOf(layer.Site) is { } bias && bias.Node != layer.Node ? bias.Node.Output(0)! : layer.Node.Output(0)!;
        return value is { Uses: [var sum], IsGraphOutput: false } && sum.Node.Is("Add") && sum.Node.Input(1 - sum.Index) is { } other && computed.Contains(other) ? other : null;
    }

    private void Solve(Layer layer, LayerwiseRun before, LayerwiseRun after, int count)
    {
        Tensor[]? input = null, output = null;
        Parallel.Invoke(parallel, () => input = after.Advance(layer.Input), () => output = before.Advance(layer.Output));
        if (input is null || output is null) return;
        var (expected, actual) = layer.Other is { } other ? (before.Advance(other.Name), after.Advance(other.Name)) : (null, null);
        var (matrix, k, n) = (layer.Matrix, layer.Matrix.K, layer.Matrix.N);
        LayerMoments[] halves = [new(k, n, parallel), new(k, n, parallel)];
        var most = Math.Max(1, Math.Max(Rows, RowsPerInput * k) / count);
        for (var s = 0; s < count; s++)
            if (Wanted(layer, output[s], expected?[s], actual?[s]) is not { } wanted || !halves[s % 2].Read(input[s], wanted, layer.Patches, most, s)) return;
        var bias = LayerMatrix.BiasOf(matrix.Site);
        var (some, others) = (halves[0].Result(bias is not null), halves[1].Result(bias is not null));
        halves[0].Add(halves[1]);
        var all = halves[0].Result(bias is not null);
        var solved = LayerReconstruction.Solve(matrix.W, n, new(some.Gram, some.Cross), new(others.Gram, others.Cross), new(all.Gram, all.Cross), parallel);
        if (solved is not null) Replace(matrix.Node, 1, matrix.ToTensor(solved));
        if (bias is not { } at) return;
        // Behind a product the output has no bias yet, and both should have the original's.
        var own = at.Node == matrix.Node ? new float[n] : Own(at);
        if (own?.Length != n) return;
        var product = Dense.Multiply(solved ?? matrix.W, all.Inputs, n, k, 1);
        Replace(at.Node, at.Index, Tensor.Create([.. Enumerable.Range(0, n).Select(o => (float)(all.Outputs[o] - product[o] + own[o]))], n));
    }

    private Tensor? Wanted(Layer layer, Tensor output, Tensor? expected, Tensor? actual)
    {
        var wanted = Left(layer.Output, output);
        if (wanted is null || expected is null || actual is null) return wanted;
        expected = Left(layer.Other!.Name, expected);
        if (expected is null || !expected.Shape.SequenceEqual(actual.Shape) || !wanted.Shape.SequenceEqual(actual.Shape) || actual.ElementType != ElementType.Float) return wanted;
        var values = wanted.ToFloats();
        var (lost, had) = (actual.ToFloats(), expected.ToFloats());
        var result = new float[values.Length];
        for (var i = 0; i < result.Length; i++) result[i] = values[i] + (had[i] - lost[i]);
        return Tensor.Create(result, wanted.Shape.ToArray());
    }

    private Tensor? Left(string name, Tensor value) => left.TryGetValue(name, out var kept) ? kept.Of(value) : value;

    /// <summary>
    /// What the original adds behind a product, as far as its channels are left; null where that is not known. Found by the node: the constant may have got another name,
    /// because others read it too.
    /// </summary>
    private float[]? Own(Use bias)
    {
        var output = bias.Node.Output(0)!.Name;
        if (original.Graph.Nodes.FirstOrDefault(n => n.Outputs.Any(o => o?.Name == output))?.Input(bias.Index)?.Constant?.ToFloats() is not { } whole) return null;
        return !left.TryGetValue(output, out var kept) ? whole : whole.Length == kept.Length ? [.. kept.Indices.Select(i => whole[i])] : null;
    }

    // A constant keeps its name, by which rules and reports know it, and by which the next round finds the original's.
    private static void Replace(Node node, int input, Tensor tensor)
    {
        var old = node.Input(input);
        var made = node.Graph.AddInitializer(old?.Name ?? "bias", tensor);
        node.SetInput(input, made);
        if (old is null || old.Uses.Count > 0 || old.IsGraphInput || old.IsGraphOutput) return;
        if (old.Initializer is not null) node.Graph.RemoveInitializer(old);
        else node.Graph.Remove(old.Producer!);
        made.Name = old.Name;
    }
}
