using System.Text.RegularExpressions;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>A metric of the user's own. Its code is called by one thread at a time; what it throws and what it returns is checked.</summary>
internal sealed partial class UserMetric : IMetric
{
    private readonly Lock gate = new();
    private readonly IEvaluator evaluator;
    private readonly string type;
    private readonly string file;
    private readonly IReadOnlyList<string> outputs;

    /// <param name="evaluator">The user's object.</param>
    /// <param name="file">Its assembly, for messages.</param>
    /// <param name="outputs">Names of the model's outputs, in their order.</param>
    /// <exception cref="CompressionException">COB1145 or COB1146: it fails, or has no name that can be used.</exception>
    public UserMetric(IEvaluator evaluator, string file, IReadOnlyList<string> outputs)
    {
        (this.evaluator, this.file, this.outputs) = (evaluator, file, outputs);
        type = evaluator.GetType().FullName!;
        Name = Call(nameof(IEvaluator.Name), () => evaluator.Name) ?? "";
        if (!ValidName().IsMatch(Name)) throw Invalid($"has the name '{(Name.Length > 60 ? Name[..60] + "…" : Name)}'. Valid are 1 to 40 letters, digits, '-' and '_', a letter first");
        if (Metric.Names.Contains(Name)) throw Invalid($"has the name '{Name}' of a built-in metric. Valid is any other");
        HigherIsBetter = Call(nameof(IEvaluator.HigherIsBetter), () => evaluator.HigherIsBetter);
        NeedsLabels = Call(nameof(IEvaluator.NeedsLabels), () => evaluator.NeedsLabels);
    }

    public string Name { get; }
    public bool HigherIsBetter { get; }
    public bool NeedsLabels { get; }
    public bool IsShare => false;
    public bool ReadsAllOutputs => true;
    public bool ReadsOriginal => true;
    public string Needs => $"samples on which {nameof(IEvaluator.Aggregate)} of '{type}' gives a finite number";

    public double[] Contribute(in Outcome outcome)
    {
        var (label, text) = LabelOf(outcome.Label);
        var sample = new EvaluatedSample(outcome.SampleId, outcome.Inputs.ToDictionary(i => i.Key, i => ToEvaluated(i.Value), StringComparer.Ordinal),
            Named(outcome.Outputs), Named(outcome.Originals), label, text);
        var scores = Call(nameof(IEvaluator.Score), () => evaluator.Score(sample)?.ToArray(), outcome.SampleId)
            ?? throw Invalid($"returned null from {nameof(IEvaluator.Score)} on sample '{outcome.SampleId}'. Valid is a list of finite numbers");
        return Array.TrueForAll(scores, double.IsFinite) ? scores
            : throw Invalid(FormattableString.Invariant($"returned {scores.First(s => !double.IsFinite(s))} from {nameof(IEvaluator.Score)} on sample '{outcome.SampleId}'. Valid are finite numbers"));
    }

    /// <summary>
    /// The user's code knows no weights: a sample is there as often as the Poisson distribution of mean 1 has at the probability that an exponential weight
    /// is at most this one. Of the bootstrap's weights, which are exponential, that makes a Poisson bootstrap; 0, 1, 2, … stay what they are.
    /// </summary>
    public WeightedValue Over(IReadOnlyList<double[]> contributions) => weights =>
    {
        var scores = new List<double[]>(weights.Length);
        for (var i = 0; i < weights.Length; i++)
            for (var k = Times(weights[i]); k > 0; k--) scores.Add(contributions[i]);
        return scores.Count == 0 ? double.NaN : Call(nameof(IEvaluator.Aggregate), () => evaluator.Aggregate(scores));
    };

    private static int Times(double weight)
    {
        // P(more than k) of the Poisson distribution against P(more than the weight) of the exponential one.
        double probability = Math.Exp(-1), beyond = 1 - probability, tail = Math.Exp(-weight);
        var times = 0;
        while (beyond > tail && times < 16)
        {
            times++;
            probability /= times;
            beyond -= probability;
        }
        return times;
    }

    private Dictionary<string, EvaluatedTensor> Named(IReadOnlyList<Tensor> tensors)
    {
        var named = new Dictionary<string, EvaluatedTensor>(StringComparer.Ordinal);
        for (var i = 0; i < tensors.Count; i++) named.Add(outputs[i], ToEvaluated(tensors[i]));
        return named;
    }

    // The numbers of the types are ONNX's on both sides.
    private static EvaluatedTensor ToEvaluated(Tensor tensor) => tensor.Strings is { } strings ? new(strings, tensor.Shape.ToArray())
        : new((EvaluatedType)(int)tensor.ElementType, tensor.Shape.ToArray(), () => tensor.Data.ToArray());

    private static (EvaluatedTensor? Label, string? Text) LabelOf(Label? label) => label switch
    {
        ClassLabel l => (new([l.Id], 1), null),
        SequenceLabel l => (new(l.Ids.ToArray(), l.Ids.Count), null),
        ValueLabel l => (new(l.Values.ToArray(), l.Values.Count), null),
        MaskLabel l => (new(l.Ids, [.. l.Shape]), null),
        BoxesLabel l => (new(l.Boxes.SelectMany(b => new[] { b.Class, b.X1, b.Y1, b.X2, b.Y2, b.Ignored ? 1 : 0 }).ToArray(), l.Boxes.Count, 6), null),
        TextLabel l => (null, l.Text),
        _ => (null, null),
    };

    private T Call<T>(string member, Func<T> call, string? sample = null)
    {
        lock (gate)
        {
            try { return call(); }
            catch (Exception e) when (e is FileNotFoundException or FileLoadException or BadImageFormatException or TypeLoadException or MissingMemberException) { throw EvaluatorAssembly.Missing(e, file); }
            catch (Exception e) when (e is not OutOfMemoryException) { throw Failed($"{member} of '{type}'{(sample is null ? "" : $" on sample '{sample}'")}", e, file); }
        }
    }

    /// <summary>What the user's code threw, as one error.</summary>
    public static CompressionException Failed(string what, Exception e, string file) => new(Codes.EvaluatorFailed,
        $"{what} threw {e.GetType().FullName}: {(e.Message.Length > 500 ? e.Message[..500] + "…" : e.Message).ReplaceLineEndings(" ").TrimEnd('.', ' ')}. Correct the evaluator. COMPRESSONBUILD_DEBUG=1 shows where it was thrown.", file, inner: e);

    private CompressionException Invalid(string what) => new(Codes.EvaluatorResultInvalid, $"the evaluator '{type}' {what}. Correct the evaluator.", file);

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_-]{0,39}$", RegexOptions.CultureInvariant)]
    private static partial Regex ValidName();
}
