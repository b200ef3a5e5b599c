namespace CompressOnBuild.Techniques.Pruning;

/// <summary>How the weights that become zero are chosen.</summary>
internal enum PruningMethod
{
    /// <summary>The smallest ones.</summary>
    Magnitude,
    /// <summary>The smallest products with the inputs that calibration shows.</summary>
    Wanda,
    /// <summary>Those that the others can make up for best.</summary>
    SparseGpt,
}

/// <summary>How many weights become zero, and by which method.</summary>
/// <param name="Method">How they are chosen.</param>
/// <param name="Share">Wanted share of zeros, 0 to 0.95; of a pattern, <paramref name="Zeros"/> / <paramref name="Of"/>.</param>
/// <param name="Zeros">N of a pattern; 0: none.</param>
/// <param name="Of">M of a pattern.</param>
internal sealed record PruningTarget(PruningMethod Method, double Share, int Zeros = 0, int Of = 0)
{
    /// <summary>Pieces of a row of <paramref name="k"/> weights with the number of zeros in each: whole pieces of a pattern, else of <paramref name="block"/> weights.</summary>
    public IEnumerable<(int Start, int Count, int Zeros)> Runs(int k, int block)
    {
        var size = Zeros > 0 ? Of : block;
        for (var start = 0; start < k; start += size)
        {
            var count = Math.Min(size, k - start);
            if (Zeros > 0) { if (count == size) yield return (start, count, Zeros); }
            // Rounded along the row, so that the pieces' numbers add up to the row's.
            else yield return (start, count, (int)Math.Round(Share * (start + count)) - (int)Math.Round(Share * start));
        }
    }
}
