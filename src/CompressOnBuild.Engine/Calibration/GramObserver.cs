using CompressOnBuild.Kernels;

namespace CompressOnBuild.Calibration;

/// <summary>
/// Gathers the Gram matrices of one weight's inputs (one for each group of a convolution) from a fixed number of rows of each sample, spread
/// evenly over its positions. Accumulated in double in the order of the samples; every element is one fixed sequence of additions.
/// </summary>
internal sealed class GramObserver
{
    private const int Block = 16;
    private const int ManyGroups = 8, ShortRow = 64;

    private readonly GramRequest request;
    private readonly int rowsPerSample;
    private readonly int groups;
    /// <summary>Many groups of short rows: the groups are neighbours in memory.</summary>
    private readonly bool isDepthwise;
    /// <summary>[K, K] of each group; of a depthwise weight one array, as <see cref="GroupedProducts"/> wants it.</summary>
    private readonly double[][] grams;
    /// <summary>Rows that wait, [groups, <see cref="Block"/>, K], depthwise [<see cref="Block"/>, K, groups]: a large matrix is walked through once for all of them, not once for each.</summary>
    private readonly double[] rows;
    /// <summary>Rows that wait in each group.</summary>
    private int waiting;
    private int samples;
    private bool unusable;

    /// <summary>How many rows each matrix is a sum of.</summary>
    public long Rows { get; private set; }

    /// <param name="request">What to gather.</param>
    /// <param name="rowsPerSample">Rows taken from each sample, at most.</param>
    public GramObserver(GramRequest request, int rowsPerSample)
    {
        (this.request, this.rowsPerSample) = (request, Math.Max(1, rowsPerSample));
        groups = request.Patches?.Groups ?? 1;
        isDepthwise = groups >= ManyGroups && request.Width <= ShortRow;
        grams = isDepthwise ? [new double[GroupedProducts.Count(request.Width) * groups]] : [.. Enumerable.Range(0, groups).Select(_ => new double[request.Width * request.Width])];
        rows = new double[groups * Block * request.Width];
    }

    /// <summary>Reads one sample of the value. A shape that does not fit, or an element that is no number, spoils the whole.</summary>
    public void Read(ReadOnlySpan<float> values, ReadOnlySpan<long> shape)
    {
        var sample = samples++;
        if (unusable || values.IsEmpty) return;
        if (request.Patches is { } patches) ReadPatches(values, shape, patches, sample);
        else ReadRows(values, shape, sample);
    }

    /// <summary>The matrices, [K, K] row-major and symmetric; null when nothing could be gathered.</summary>
    public IReadOnlyList<double[]>? Finish()
    {
        Flush();
        var k = request.Width;
        var matrices = isDepthwise ? Apart() : grams;
        foreach (var gram in matrices)
        {
            for (var i = 0; i < k; i++)
            {
                if (!double.IsFinite(gram[i * k + i])) unusable = true;
                for (var j = 0; j < i; j++) gram[i * k + j] = gram[j * k + i];
            }
        }
        return unusable || samples == 0 ? null : matrices;
    }

    private double[][] Apart()
    {
        var k = request.Width;
        var result = new double[groups][];
        for (var g = 0; g < groups; g++)
        {
            result[g] = new double[k * k];
            var at = g;
            for (var i = 0; i < k; i++)
                for (var j = i; j < k; j++, at += groups) result[g][i * k + j] = grams[0][at];
        }
        return result;
    }

    private void ReadRows(ReadOnlySpan<float> values, ReadOnlySpan<long> shape, int sample)
    {
        if (shape.Length == 0 || shape[^1] != request.Inputs) { unusable = true; return; }
        foreach (var position in PatchGrid.Spread(values.Length / request.Inputs, rowsPerSample, sample))
        {
            Rows++;
            var row = Next();
            for (var i = 0; i < request.Inputs; i++) row[i] = values[position * request.Inputs + i];
        }
    }

    private void ReadPatches(ReadOnlySpan<float> values, ReadOnlySpan<long> shape, PatchGeometry patches, int sample)
    {
        if (PatchGrid.Of(shape, patches) is not { } grid || grid.Width != request.Inputs) { unusable = true; return; }
        foreach (var position in PatchGrid.Spread(grid.Positions, rowsPerSample, sample))
        {
            Rows++;
            var rows = Next();
            for (var g = 0; g < groups; g++) grid.Read(values, position, g, rows[(isDepthwise ? g : g * Block * request.Width)..], isDepthwise ? groups : 1);
        }
    }

    /// <summary>From where one more row of each group goes.</summary>
    private Span<double> Next()
    {
        if (waiting == Block) Flush();
        var k = request.Width;
        var next = rows.AsSpan(isDepthwise ? waiting * k * groups : waiting * k);
        waiting++;
        if (request.WithOne)
            for (var g = 0; g < groups; g++) next[isDepthwise ? (k - 1) * groups + g : g * Block * k + k - 1] = 1;
        return next;
    }

    // Every element still grows row by row: in the order in which the rows came. What is multiplied with 0 adds nothing.
    private void Flush()
    {
        var k = request.Width;
        if (isDepthwise)
        {
            GroupedProducts.Add(rows.AsSpan(0, waiting * k * groups), k, groups, grams[0]);
            waiting = 0;
            return;
        }
        Span<int> starts = stackalloc int[Block];
        Span<double> factors = stackalloc double[Block];
        for (var g = 0; g < groups; g++)
        {
            var block = rows.AsSpan(g * Block * k, waiting * k);
            for (var i = 0; i < k; i++)
            {
                var count = 0;
                for (var at = i; at < block.Length; at += k)
                {
                    if (block[at] == 0) continue;
                    starts[count] = at;
                    factors[count++] = block[at];
                }
                RankUpdate.Add(block, starts[..count], factors[..count], grams[g].AsSpan(i * k + i, k - i));
            }
        }
        waiting = 0;
    }
}
