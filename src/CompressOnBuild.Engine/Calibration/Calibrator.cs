using CompressOnBuild.Onnx;
using CompressOnBuild.Onnx.Proto;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Calibration;

/// <summary>
/// Runs samples through a model and gathers statistics of its values in streaming form: each sample is read where the runtime left it
/// and forgotten. Values are accumulated in the order of the samples, each value by one thread at a time, so that the number of
/// threads never changes a bit of the result.
/// </summary>
internal static class Calibrator
{
    /// <summary>Rows of a Gram matrix, over all samples: some times as many as most weights are wide.</summary>
    private const int GramRows = 4096;
    /// <summary>All Gram matrices together; weights beyond are rounded without.</summary>
    private const long MostGramBytes = 1L << 30;

    /// <summary>Observes <paramref name="request"/>'s values; <paramref name="model"/> is not changed.</summary>
    /// <param name="model">The model to run, with float activations.</param>
    /// <param name="samples">Inputs by name, read one at a time. Enumerated again for each pass when the values do not fit the memory bound.</param>
    /// <param name="request">What to observe.</param>
    /// <param name="cancel">Stops between and inside runs.</param>
    /// <exception cref="ArgumentException">A requested value is not in the main graph.</exception>
    /// <exception cref="Diagnostics.CompressionException">COB1020 to COB1023 from the runtime.</exception>
    public static Statistics Run(Model model, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, CalibrationRequest request, CancellationToken cancel)
    {
        var observers = new Dictionary<string, ValueObserver>(StringComparer.Ordinal);
        var known = request.SampleCount > 0 ? request.SampleCount : samples.TryGetNonEnumeratedCount(out var listed) ? listed : 0;
        var grams = GramObservers(request.Grams, GramRows / Math.Max(1, known));
        foreach (var name in request.Values)
            observers.TryAdd(name, new ValueObserver(name, request.ChannelMeans.TryGetValue(name, out var axis) ? axis : null, request.ChannelRanges.TryGetValue(name, out var ranged) ? ranged : null, [.. request.Grams.Where(g => g.Value == name && grams.ContainsKey(g)).Select(g => grams[g]).Distinct()]));

        // What is known without running is read from where it is; the rest becomes outputs.
        var values = MainGraphValues(model.Graph);
        var given = new List<string>();
        var computed = new List<string>();
        foreach (var name in observers.Keys)
        {
            if (!values.TryGetValue(name, out var value)) throw new ArgumentException($"'{name}' is no value of the main graph.", nameof(request));
            (value.Producer is null || value.Constant is not null ? given : computed).Add(name);
        }

        // One thread: the runtime splits sums otherwise for other numbers of threads, and their last bits would reach the model.
        var settings = new SessionSettings("original", model.File, Threads: 1, Watchdog: request.Watchdog, Readers: request.Threads > 0 ? request.Threads : Environment.ProcessorCount);
        var passes = Passes(model, samples, computed, settings, request.MemoryBound, cancel);
        var count = 0;
        for (var pass = 0; pass < passes.Count; pass++)
        {
            var names = passes[pass];
            using var session = names.Count == 0 ? null : new Session(WithOutputs(model, names), settings);
            var readers = names.Select(n => observers[n]).ToArray();
            count = 0;
            foreach (var sample in samples)
            {
                cancel.ThrowIfCancellationRequested();
                session?.Run(sample, names, (i, type, shape, bytes) => readers[i].Read(type, shape, bytes), cancel);
                if (pass == 0)
                    foreach (var name in given)
                        if ((sample.TryGetValue(name, out var tensor) ? tensor : values[name].Constant) is { } stands)
                            observers[name].Read(stands.ElementType, stands.Shape, stands.Data.Span);
                count++;
                if (known > 0) request.Progress?.Invoke((pass + (double)count / known) / passes.Count);
            }
        }

        var result = new Dictionary<string, ValueStatistics>(StringComparer.Ordinal);
        foreach (var (name, observer) in observers)
            if (observer.Finish() is { } statistics) result.Add(name, statistics);
        var gathered = new Dictionary<string, IReadOnlyList<double[]>>(StringComparer.Ordinal);
        var rows = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var observer in grams.GroupBy(g => g.Value, g => g.Key.Site))
            if (observer.Key.Finish() is { } matrices)
                foreach (var site in observer)
                {
                    gathered.Add(site, matrices);
                    rows.Add(site, observer.Key.Rows);
                }
        return new Statistics(count, result, gathered, rows);
    }

    /// <summary>One observer for all weights that meet the same rows, in the order of the weights until the bound of memory is reached.</summary>
    private static Dictionary<GramRequest, GramObserver> GramObservers(IReadOnlyList<GramRequest> requests, int rowsPerSample)
    {
        var shared = new Dictionary<string, GramObserver>(StringComparer.Ordinal);
        var result = new Dictionary<GramRequest, GramObserver>();
        var left = MostGramBytes;
        foreach (var request in requests)
        {
            if (!shared.TryGetValue(request.Rows, out var observer))
            {
                if (request.Bytes > left) continue;
                left -= request.Bytes;
                shared.Add(request.Rows, observer = new GramObserver(request, rowsPerSample));
            }
            result.Add(request, observer);
        }
        return result;
    }

    /// <summary>
    /// Splits the values so that those of one pass stay within the bound. Their sizes come from a run of the first sample in which only
    /// shapes leave the model, so that the runtime can drop each tensor as early as always.
    /// </summary>
    private static List<List<string>> Passes(Model model, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, List<string> names,
        SessionSettings settings, long bound, CancellationToken cancel)
    {
        if (names.Count == 0 || samples.FirstOrDefault() is not { } first) return [names];
        var bytes = new long[names.Count];
        var (probe, shapes) = WithShapes(model, names);
        using (var session = new Session(probe, settings))
        {
            session.Run(first, shapes, (i, type, shape, data) =>
            {
                long size = sizeof(float);
                foreach (var d in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(data)) size *= d;
                bytes[i] = size;
            }, cancel);
        }
        var passes = new List<List<string>>();
        long used = 0;
        for (var i = 0; i < names.Count; i++)
        {
            if (passes.Count == 0 || used + bytes[i] > bound) { passes.Add([]); used = 0; }
            passes[^1].Add(names[i]);
            used += bytes[i];
        }
        return passes;
    }

    private static Model WithOutputs(Model model, List<string> names)
    {
        var copy = model.Clone();
        var values = MainGraphValues(copy.Graph);
        foreach (var name in names) Show(copy.Graph, values[name]);
        return copy;
    }

    private static (Model Model, List<string> Names) WithShapes(Model model, List<string> names)
    {
        var copy = model.Clone();
        var values = MainGraphValues(copy.Graph);
        var shapes = new List<string>();
        foreach (var name in names)
        {
            // Right behind the producer: later, the tensor would have to wait for it.
            var shape = copy.Graph.Insert(values[name].Producer!.Next, "Shape", $"{name}_shape", [values[name]]).Outputs[0]!;
            Show(copy.Graph, shape);
            shapes.Add(shape.Name);
        }
        return (copy, shapes);
    }

    // The runtime infers the type of an output that is declared by name only.
    private static void Show(Graph graph, Value value)
    {
        if (graph.Outputs.Contains(value)) return;
        graph.Outputs.Add(value);
        graph.OutputInfos.Add(new ValueInfoProto { Name = value.Name });
    }

    private static Dictionary<string, Value> MainGraphValues(Graph graph)
    {
        var result = new Dictionary<string, Value>(StringComparer.Ordinal);
        foreach (var value in graph.Initializers.Concat(graph.Inputs)) result[value.Name] = value;
        foreach (var node in graph.Nodes)
            foreach (var output in node.Outputs)
                if (output is not null) result[output.Name] = output;
        return result;
    }
}
