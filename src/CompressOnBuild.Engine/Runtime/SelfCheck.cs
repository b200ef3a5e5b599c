using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Runtime;

/// <summary>
/// The output that differs most between optimized and unoptimized execution. <paramref name="Decibels"/>: power of the unoptimized
/// output over the power of the difference (+infinity: equal), for float outputs. <paramref name="Agreement"/>: share of equal elements,
/// for all others. The other one of the two is null. <paramref name="OwnDecibels"/> and <paramref name="OwnAgreement"/>: the same
/// between the compressed model (unoptimized) and the original, where the original was run.
/// </summary>
internal sealed record SelfCheckResult(string Output, bool Passed, double? Decibels, double? Agreement, double? OwnDecibels, double? OwnAgreement);

/// <summary>One way to execute a model: inputs by name in, the outputs in the model's order out.</summary>
internal delegate Tensor[] Runner(IReadOnlyDictionary<string, Tensor> inputs);

/// <summary>
/// Compares the compressed model as users run it (all optimizations, fused integer kernels) with its plain execution node by node.
/// A large difference is a node that the runtime fuses wrongly, or integers that saturate on this processor: the model is then not what
/// the file says, whatever its accuracy looks like on the data at hand.
/// </summary>
internal static class SelfCheck
{
    /// <summary>So many samples are run; a wrong kernel shows on the first.</summary>
    public const int Samples = 4;

    /// <summary>
    /// Fused integer kernels round once where the plain execution rounds twice: now and then an element moves by a step of 8 bits.
    /// Measured on int8 models (mnist-8, dtln-2, magika): 61 dB and more, mostly above 100. Kernels that quantize activations by
    /// themselves (MatMulNBits at accuracy level 4) reach 34 dB, a wrong node 10 dB and less. A difference is accepted from 20 dB on,
    /// and below that while it has no more than four times the power of the model's own quantization error against the original: two
    /// ways to round the same deep network differ by about twice that power.
    /// </summary>
    public const double MinDecibels = 20;
    /// <inheritdoc cref="MinDecibels"/>
    public const double OwnNoiseFactor = 4;

    /// <summary>
    /// Integer outputs are decisions (classes, tokens): a near tie flips one, and in a greedy loop all that follow it. Half of them must
    /// agree, or as many as agree with the original.
    /// </summary>
    public const double MinAgreement = 0.5;

    /// <summary>Runs the check and throws when it fails.</summary>
    /// <param name="compressed">The model to check.</param>
    /// <param name="original">The model it was made from, with the same outputs; null: only the fixed tolerance applies.</param>
    /// <param name="samples">Inputs; the first <see cref="Samples"/> are used.</param>
    /// <param name="watchdog">Bounds of the runs.</param>
    /// <param name="cancel">Stops between and inside runs.</param>
    /// <exception cref="CompressionException">COB4010: the difference exceeds the tolerance.</exception>
    public static SelfCheckResult? Run(Model compressed, Model? original, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, Watchdog? watchdog, CancellationToken cancel)
    {
        using var optimized = new Session(compressed, new SessionSettings("compressed", Watchdog: watchdog));
        using var plain = new Session(compressed, new SessionSettings("compressed (optimizations off)", Optimize: false, Watchdog: watchdog));
        using var reference = original is null ? null : new Session(original, new SessionSettings("original", original.File, Watchdog: watchdog));
        var result = Measure([.. optimized.Outputs.Select(o => o.Name)], i => optimized.Run(i, cancel), i => plain.Run(i, cancel),
            reference is null ? null : i => reference.Run(i, cancel), samples);
        Require(result, compressed.File);
        return result;
    }

    /// <summary>Throws when a result did not pass.</summary>
    /// <exception cref="CompressionException">COB4010.</exception>
    public static void Require(SelfCheckResult? result, string file)
    {
        if (result is { Passed: false }) throw Failed(result, file);
    }

    /// <summary>The worst output of a comparison of two ways to run a model; null without samples or outputs.</summary>
    public static SelfCheckResult? Measure(IReadOnlyList<string> outputs, Runner optimized, Runner plain, Runner? original, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples)
    {
        var differences = outputs.Select(_ => new Difference()).ToArray();
        var own = outputs.Select(_ => new Difference()).ToArray();
        var any = false;
        foreach (var sample in samples.Take(Samples))
        {
            any = true;
            var expected = plain(sample);
            var actual = optimized(sample);
            var source = original?.Invoke(sample);
            for (var i = 0; i < outputs.Count; i++)
            {
                differences[i].Add(expected[i], actual[i]);
                if (source is not null && source.Length > i) own[i].Add(source[i], expected[i]);
            }
        }
        if (!any) return null;
        return outputs.Select((name, i) => Judge(name, differences[i], own[i])).OrderBy(r => r.Passed).ThenBy(Badness).FirstOrDefault();
    }

    private static SelfCheckResult Judge(string name, Difference difference, Difference own)
    {
        var passed = difference.IsFloat
            ? difference.Decibels >= MinDecibels || (own.Compared && difference.Noise <= OwnNoiseFactor * own.Noise)
            : difference.Agreement >= MinAgreement || (own.Compared && difference.Agreement >= own.Agreement);
        return new SelfCheckResult(name, passed, difference.IsFloat ? difference.Decibels : null, difference.IsFloat ? null : difference.Agreement,
            own.Compared && own.IsFloat ? own.Decibels : null, own.Compared && !own.IsFloat ? own.Agreement : null);
    }

    // Floats before integers: their figure is the finer one. Smaller is worse.
    private static double Badness(SelfCheckResult result) => result.Decibels ?? 1000 * result.Agreement!.Value;

    private static CompressionException Failed(SelfCheckResult result, string file)
    {
        var figure = result.Decibels is { } db
            ? FormattableString.Invariant($": the signal is {db:0.0} dB above the difference (valid: at least {MinDecibels:0} dB{(result.OwnDecibels is { } own ? FormattableString.Invariant($", or within 6 dB of the model's own quantization error, {own:0.0} dB") : "")})")
            : FormattableString.Invariant($" in {100 * (1 - result.Agreement!.Value):0.#} % of its elements (valid: at most {100 * (1 - MinAgreement):0} %)");
        return new CompressionException(Codes.SelfCheckFailed, $"output '{result.Output}' of the compressed model differs between execution with and without ONNX Runtime's optimizations{figure}. Users would get other results than the file describes: ONNX Runtime {Session.RuntimeVersion} fuses a node of this model wrongly, or its integer kernel saturates on this processor. Use Recipe=\"int8-weights\", or exclude the operator in the recipe.", file);
    }

    private sealed class Difference
    {
        private double signal;
        private long elements, equal;

        public bool Compared { get; private set; }
        public bool IsFloat { get; private set; }
        public double Noise { get; private set; }
        public double Decibels => Noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / Noise);
        public double Agreement => elements == 0 ? 1 : (double)equal / elements;

        public void Add(Tensor expected, Tensor actual)
        {
            Compared = true;
            IsFloat = expected.ElementType.IsFloat();
            if (!expected.Shape.SequenceEqual(actual.Shape) || expected.ElementType != actual.ElementType) AddUnlike(expected);
            else if (IsFloat) AddFloats(expected.ToFloats(), actual.ToFloats());
            else AddOthers(expected, actual);
        }

        // Shapes that follow the data (detections): nothing corresponds, so the whole output counts as different.
        private void AddUnlike(Tensor expected)
        {
            elements += Math.Max(1, expected.Count);
            if (!IsFloat) return;
            var power = expected.ToFloats().Where(float.IsFinite).Sum(v => (double)v * v);
            signal += power;
            Noise += Math.Max(power, double.Epsilon);
        }

        private void AddFloats(float[] expected, float[] actual)
        {
            for (var i = 0; i < expected.Length; i++)
            {
                double e = expected[i], a = actual[i];
                if (e.Equals(a)) { if (double.IsFinite(e)) signal += e * e; continue; } // equal NaN and infinities are no difference
                if (!double.IsFinite(e) || !double.IsFinite(a)) { Noise = double.PositiveInfinity; continue; }
                signal += e * e;
                Noise += (e - a) * (e - a);
            }
        }

        private void AddOthers(Tensor expected, Tensor actual)
        {
            elements += expected.Count;
            if (expected.Strings is { } strings)
            {
                for (var i = 0; i < strings.Count; i++) if (strings[i] == actual.Strings![i]) equal++;
                return;
            }
            var size = expected.ElementType.Bits() / 8;
            ReadOnlySpan<byte> e = expected.Data.Span, a = actual.Data.Span;
            if (size == 0) { if (e.SequenceEqual(a)) equal += expected.Count; return; } // packed types as a whole
            for (var i = 0; i < e.Length; i += size) if (e.Slice(i, size).SequenceEqual(a.Slice(i, size))) equal++;
        }
    }
}
