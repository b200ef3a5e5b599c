using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Metrics;

/// <summary>Rows of scores as probabilities: as they are where the model gives a distribution, else by softmax.</summary>
internal static class Probabilities
{
    /// <summary>Whether every row of an output is a distribution: no value below 0, sum 1 within 0.001; a single score: from 0 to 1.</summary>
    public static bool AreGiven(Tensor output)
    {
        if (!output.ElementType.IsFloat() || output.Count == 0) return false;
        var values = output.AsFloats();
        var columns = Columns(output);
        for (var row = 0; row < values.Length; row += columns)
        {
            double sum = 0;
            foreach (var value in values.Slice(row, columns))
            {
                if (!(value >= 0)) return false;
                sum += value;
            }
            if (columns == 1 ? sum > 1 : Math.Abs(sum - 1) > 1e-3) return false;
        }
        return true;
    }

    /// <summary>Scores of one decision.</summary>
    public static int Columns(Tensor output) => (int)(output.Count / Math.Max(1, Scores.Rows(output)));

    /// <summary>Natural logarithms of a row's probabilities; of a single score those of it and of its complement. Not a number where a score is none.</summary>
    /// <param name="row">The scores of one decision.</param>
    /// <param name="given">They are probabilities, not logits.</param>
    public static double[] Logarithms(ReadOnlySpan<float> row, bool given)
    {
        if (row.Length == 1)
        {
            double score = given ? Math.Clamp(row[0], 0, 1) : row[0];
            return given ? [Math.Log(score), Math.Log(1 - score)] : [-Softplus(-score), -Softplus(score)];
        }
        var result = new double[row.Length];
        if (given)
        {
            for (var i = 0; i < result.Length; i++) result[i] = Math.Log(row[i]);
            return result;
        }
        double most = double.NegativeInfinity, sum = 0;
        foreach (var score in row) most = Math.Max(most, score);
        foreach (var score in row) sum += Math.Exp(score - most);
        var logarithm = Math.Log(sum);
        for (var i = 0; i < result.Length; i++) result[i] = row[i] - most - logarithm;
        return result;
    }

    private static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));
}
