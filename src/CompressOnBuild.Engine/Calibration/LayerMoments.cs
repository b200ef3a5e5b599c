using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Calibration;

/// <summary>
/// Second moments of what one layer reads and what it should give: of rows (x, 1, y), x [K] inputs that the weight is multiplied with, y [N] wanted outputs at the same
/// place, the products of x and 1 with all of the row. Accumulated in double in the order in which the rows come, every element by one fixed sequence of additions.
/// </summary>
internal sealed class LayerMoments
{
    private const int Block = 64, Part = 16;

    private readonly int width;
    /// <summary>[K + 1, K + 1 + N], above the diagonal.</summary>
    private readonly double[] sums;
    private readonly double[] rows;
    private readonly ParallelOptions parallel;
    private int waiting;

    /// <param name="inputs">K.</param>
    /// <param name="outputs">N.</param>
    /// <param name="parallel">Threads to use; their number changes no bit.</param>
    public LayerMoments(int inputs, int outputs, ParallelOptions parallel)
    {
        (Inputs, Outputs, width, this.parallel) = (inputs, outputs, inputs + 1 + outputs, parallel);
        sums = new double[(inputs + 1) * width];
        rows = new double[Block * width];
    }

    /// <summary>K.</summary>
    public int Inputs { get; }
    /// <summary>N.</summary>
    public int Outputs { get; }
    /// <summary>Rows so far.</summary>
    public int Count { get; private set; }

    /// <summary>Reads at most <paramref name="most"/> rows, evenly spread over the positions, from sample number <paramref name="sample"/>.</summary>
    /// <param name="input">What the layer reads.</param>
    /// <param name="wanted">What it should give: channels on axis 1 with <paramref name="patches"/>, else on the last.</param>
    /// <param name="patches">Null for a matrix product.</param>
    /// <param name="most">Rows.</param>
    /// <param name="sample">Moves the first position.</param>
    /// <returns>False where shapes do not fit or a row holds what is no number; the row is left out.</returns>
    public bool Read(Tensor input, Tensor wanted, PatchGeometry? patches, int most, int sample)
    {
        var grid = patches is null ? null : PatchGrid.Of(input.Shape, patches);
        if (input.ElementType != ElementType.Float || wanted.ElementType != ElementType.Float) return false;
        var positions = patches is null ? (int)(input.Count / Inputs) : grid?.Positions ?? 0;
        if (positions == 0 || positions * (long)Outputs != wanted.Count || (grid is not null && grid.Width != Inputs)) return false;
        var x = input.AsSpan<float>();
        var y = wanted.AsSpan<float>();
        var inner = grid?.PerImage ?? 1;
        foreach (var position in PatchGrid.Spread(positions, most, sample))
        {
            var row = rows.AsSpan(waiting * width, width);
            if (grid is not null) grid.Read(x, position, 0, row);
            else for (var i = 0; i < Inputs; i++) row[i] = x[position * Inputs + i];
            row[Inputs] = 1;
            var at = grid is null ? position * Outputs : position / inner * Outputs * inner + position % inner;
            for (var o = 0; o < Outputs; o++) row[Inputs + 1 + o] = y[at + o * inner];
            foreach (var value in row) if (!double.IsFinite(value)) return false;
            Count++;
            if (++waiting == Block) Flush();
        }
        return true;
    }

    /// <summary>Adds the rows of <paramref name="other"/>, of the same layer.</summary>
    public void Add(LayerMoments other)
    {
        Flush();
        other.Flush();
        for (var i = 0; i < sums.Length; i++) sums[i] += other.sums[i];
        Count += other.Count;
    }

    /// <summary>Sum of x x^T, [K, K], and of y x^T, [N, K], less what the means give where <paramref name="centred"/>; the means of x and of y.</summary>
    public (double[] Gram, double[] Cross, double[] Inputs, double[] Outputs) Result(bool centred)
    {
        Flush();
        int k = Inputs, n = Outputs;
        var (gram, cross) = (new double[k * k], new double[n * k]);
        double Sum(int i) => sums[i * width + k];
        double Wanted(int o) => sums[k * width + k + 1 + o];
        var share = centred && Count > 0 ? 1.0 / Count : 0;
        for (var i = 0; i < k; i++)
        {
            for (var j = i; j < k; j++) gram[i * k + j] = gram[j * k + i] = sums[i * width + j] - Sum(i) * Sum(j) * share;
            for (var o = 0; o < n; o++) cross[o * k + i] = sums[i * width + k + 1 + o] - Sum(i) * Wanted(o) * share;
        }
        var count = Math.Max(1, Count);
        return (gram, cross, [.. Enumerable.Range(0, k).Select(i => Sum(i) / count)], [.. Enumerable.Range(0, n).Select(o => Wanted(o) / count)]);
    }

    private void Flush()
    {
        if (waiting == 0) return;
        Parallel.For(0, (Inputs + Part) / Part, parallel, part =>
        {
            Span<int> starts = stackalloc int[Block];
            Span<double> factors = stackalloc double[Block];
            for (var i = part * Part; i < Math.Min(Inputs + 1, (part + 1) * Part); i++)
            {
                var count = 0;
                for (var r = 0; r < waiting; r++)
                {
                    var at = r * width + i;
                    if (rows[at] == 0) continue;
                    starts[count] = at;
                    factors[count++] = rows[at];
                }
                RankUpdate.Add(rows, starts[..count], factors[..count], sums.AsSpan(i * width + i, width - i));
            }
        });
        waiting = 0;
    }
}
