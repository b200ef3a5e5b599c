using CompressOnBuild.Calibration;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.LowRank;

namespace CompressOnBuild.Restructuring;

/// <summary>One way to factor a weight.</summary>
/// <param name="Form">How.</param>
/// <param name="Rank">As <see cref="RankDecision.Rank"/>.</param>
/// <param name="InputRank">As <see cref="RankDecision.InputRank"/>.</param>
/// <param name="Elements">Of all factors.</param>
/// <param name="Time">Microseconds of all nodes, as <see cref="CostTable"/> estimates them.</param>
/// <param name="Error">Share of the output's power that is lost on calibration data.</param>
internal sealed record FactorOption(FactorForm Form, int Rank, int InputRank, long Elements, double Time, double Error);

/// <summary>The factors in the order in which they run, each [outputs, inputs] row-major, and what the bias gets.</summary>
internal sealed record Factors(IReadOnlyList<double[]> Matrices, double[]? BiasChange);

/// <summary>A weight that can be factored, and all ways to do it.</summary>
internal sealed class FactoredWeight
{
    // Of the Gram matrix's mean diagonal, as in error feedback; and for the second solution of a projection, whose inputs calibration saw.
    private const double Damp = 0.01, SolveDamp = 1e-4;
    /// <summary>Ranks are multiples of this: vectors of the processor are full.</summary>
    private const int Step = 8;
    private static readonly double[] s_shares = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];

    private readonly double[] w;
    private readonly double[]? mean;
    /// <summary>H of the algorithms, damped; null where only the weights count.</summary>
    private readonly double[]? gram;
    private readonly long inPositions, outPositions;
    private readonly ParallelOptions parallel;
    private readonly Lazy<WhitenedSvd?> svd;
    private readonly Lazy<InputProjection?> channels, separable;
    private readonly Lazy<IReadOnlyList<FactorOption>> options;
    private readonly double energy;

    private FactoredWeight(LayerMatrix layer, long inPositions, long outPositions, ParallelOptions parallel)
    {
        (Site, w, N, K, mean) = (layer.Site, layer.W, layer.N, layer.K, layer.Mean);
        gram = layer.Gram is null ? null : Ridge.Damped(layer.Gram, K, Damp);
        (this.inPositions, this.outPositions, this.parallel) = (inPositions, outPositions, parallel);
        energy = gram is not null ? Dense.Inner(Dense.Multiply(w, gram, N, K, K, parallel), w) : layer.Gram is null ? Dense.Inner(w, w) : 0;
        Time = Estimate(N, Channels, w.Length, outPositions);
        svd = new(() => WhitenedSvd.Decompose(w, N, K, gram, 0, parallel));
        channels = new(() => InputProjection.Create(w, N, K, Channels, k => (k / Taps, k % Taps), gram, 0, parallel));
        separable = new(Separable);
        options = new(Frontier);
    }

    public Site Site { get; }
    public Node Node => Site.SingleNode!;
    public int N { get; }
    public int K { get; }
    /// <summary>Microseconds of its node, as <see cref="CostTable"/> estimates them.</summary>
    public double Time { get; }

    /// <summary>The ways that save elements and cost no multiply-accumulates, from the least error; none needs as many elements and as much time as one with a smaller error.</summary>
    public IReadOnlyList<FactorOption> Options => options.Value;

    /// <summary>The weight, or why it cannot be factored.</summary>
    /// <param name="site">The weight.</param>
    /// <param name="statistics">With the Gram matrix of its inputs (<see cref="GramRequest.WithOne"/>).</param>
    /// <param name="by">Whether that counts.</param>
    /// <param name="parallel">Threads to use.</param>
    public static (FactoredWeight? Weight, string? Refusal) Create(Site site, Statistics statistics, StepCriterion by, ParallelOptions parallel)
    {
        var (layer, refusal) = LayerMatrix.Create(site, statistics, by);
        if (layer is null) return (null, refusal);
        var node = layer.Node;
        if (!statistics.TryGet(node.Input(0)!.Name, out var input) || !statistics.TryGet(node.Output(0)!.Name, out var output)) return (null, "calibration did not see its output");
        return (new FactoredWeight(layer, Product(input.Shape) / (node.Is("Conv") ? site.Tensor.Shape[1] : layer.K), Product(output.Shape) / layer.N, parallel), null);
    }

    /// <summary>The factors; null where its ranks do not fit or it cannot be solved.</summary>
    public Factors? Factor(FactorForm form, int rank, int inputRank)
    {
        List<double[]>? matrices = null;
        if (form == FactorForm.Svd)
        {
            if (svd.Value is { } all && rank <= all.Energies.Count)
            {
                var (a, b) = all.Factors(rank);
                matrices = [b, a];
            }
        }
        else if ((form == FactorForm.Spatial ? separable : channels).Value is { } projection && projection.Project(form == FactorForm.Tucker ? inputRank : rank, SolveDamp) is { } projected)
        {
            if (form != FactorForm.Tucker) matrices = [projected.First, projected.Second];
            else if (projection.FactorOutputs(projected) is { } outputs && rank <= outputs.Energies.Count)
            {
                var (a, b) = outputs.Factors(rank);
                matrices = [projected.First, b, a];
            }
        }
        return matrices is null ? null : new Factors(matrices, mean is null ? null : BiasChange(form, matrices));
    }

    /// <summary>Whether <see cref="Factor"/> knows such factors.</summary>
    public bool Has(FactorForm form, int rank, int inputRank) => rank > 0 && form switch
    {
        FactorForm.Svd => inputRank == 0 && rank <= Math.Min(N, K),
        FactorForm.Tucker => Taps > 1 && inputRank > 0 && inputRank <= MostInputRank && rank <= Math.Min(N, inputRank * Taps),
        FactorForm.Input => Taps > 1 && inputRank == 0 && rank <= MostInputRank,
        _ => IsSquare && inputRank == 0 && rank <= Math.Min(Channels * Site.Tensor.Shape[2], N * Site.Tensor.Shape[3]),
    };

    /// <summary>Input channels of a convolution, and elements of its kernel.</summary>
    public int Channels => Node.Is("Conv") ? (int)Site.Tensor.Shape[1] : K;
    public int Taps => K / Channels;
    private int MostInputRank => Math.Min(Channels, N * Taps);
    private bool IsSquare => Node.Is("Conv") && Site.Tensor.Rank == 4 && Site.Tensor.Shape[2] > 1 && Site.Tensor.Shape[3] > 1;

    private InputProjection? Separable()
    {
        var (rows, columns) = ((int)Site.Tensor.Shape[2], (int)Site.Tensor.Shape[3]);
        return InputProjection.Create(w, N, K, Channels * rows, k => (k / Taps * rows + k % Taps / columns, k % columns), gram, 0, parallel);
    }

    private double Estimate(long outputs, long inputs, long elements, long positions) =>
        Node.Is("Conv") ? CostTable.FloatConvolution(outputs, inputs, (double)elements * positions) : CostTable.FloatProduct(elements, (double)elements * positions);

    private List<FactorOption> Frontier()
    {
        var all = new List<FactorOption>();
        if (!(energy > 0)) return all;
        void Add(FactorForm form, int rank, int inputRank, double loss, params ReadOnlySpan<(int Outputs, int Inputs, long Elements, long Positions)> chain)
        {
            long elements = 0, products = 0;
            double time = 0;
            foreach (var part in chain)
            {
                elements += part.Elements;
                products += part.Elements * part.Positions;
                time += Estimate(part.Outputs, part.Inputs, part.Elements, part.Positions);
            }
            if (elements < w.Length && products <= w.Length * outPositions) all.Add(new FactorOption(form, rank, inputRank, elements, time, Math.Max(0, loss) / energy));
        }
        if (svd.Value is { } plain)
            for (var r = Step; r < plain.Energies.Count; r += Step)
                Add(FactorForm.Svd, r, 0, plain.Loss(r), (r, Channels, (long)r * K, outPositions), (N, r, (long)r * N, outPositions));
        if (Taps > 1 && channels.Value is { } projection)
        {
            foreach (var first in Ranks(projection.MostRank))
            {
                if (projection.Project(first, SolveDamp) is not { } projected) continue;
                var (mixing, taps) = ((first, Channels, (long)first * Channels, inPositions), (long)first * Taps);
                Add(FactorForm.Input, first, 0, projected.Loss, mixing, (N, first, taps * N, outPositions));
                if (projection.FactorOutputs(projected) is not { } outputs) continue;
                for (var r = Step; r < outputs.Energies.Count; r += Step)
                    Add(FactorForm.Tucker, r, first, projected.Loss + outputs.Loss(r), mixing, (r, first, r * taps, outPositions), (N, r, (long)r * N, outPositions));
            }
        }
        if (IsSquare && separable.Value is { } columnwise)
        {
            var (rows, columns) = (Site.Tensor.Shape[2], Site.Tensor.Shape[3]);
            // The first runs at every column of the input: counted as if strides were 1, which is never too few.
            foreach (var r in Ranks(columnwise.MostRank))
                if (columnwise.Project(r, SolveDamp) is { } projected)
                    Add(FactorForm.Spatial, r, 0, projected.Loss, (r, Channels, r * Channels * rows, inPositions), (N, r, r * N * columns, outPositions));
        }
        var frontier = new List<FactorOption>();
        foreach (var option in all.OrderBy(o => o.Error).ThenBy(o => o.Elements).ThenBy(o => o.Time))
            if (!frontier.Any(o => o.Elements <= option.Elements && o.Time <= option.Time)) frontier.Add(option);
        return frontier;
    }

    private static IEnumerable<int> Ranks(int most) => s_shares.Select(s => (int)(most * s) / Step * Step).Where(r => r > 0).Distinct();

    // (W - W') mean, W' the factors multiplied out.
    private double[] BiasChange(FactorForm form, List<double[]> matrices)
    {
        var x = mean!;
        if (form == FactorForm.Svd)
        {
            foreach (var matrix in matrices) x = Dense.Multiply(matrix, x, matrix.Length / x.Length, x.Length, 1);
        }
        else
        {
            var first = matrices[0];
            var (outer, inner) = form == FactorForm.Spatial ? (Channels * (int)Site.Tensor.Shape[2], (int)Site.Tensor.Shape[3]) : (Channels, Taps);
            // Inputs are ordered (p, q) in both forms.
            x = Dense.Multiply(first, x, first.Length / outer, outer, inner);
            foreach (var matrix in matrices.Skip(1)) x = Dense.Multiply(matrix, x, matrix.Length / x.Length, x.Length, 1);
        }
        var before = Dense.Multiply(w, mean!, N, K, 1);
        for (var i = 0; i < N; i++) before[i] -= x[i];
        return before;
    }

    private static long Product(IReadOnlyList<long> shape) => shape.Aggregate(1L, (product, d) => product * d);
}
