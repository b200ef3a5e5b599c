using System.Numerics.Tensors;
using CompressOnBuild.Numerics;

namespace CompressOnBuild.Techniques.Pruning;

/// <summary>A layer that sums over channels.</summary>
/// <param name="Weights">W, [N, K] row-major.</param>
/// <param name="Outputs">N.</param>
/// <param name="Gram">H, [K, K], positive definite; null: the identity, for which nothing makes up for what goes.</param>
/// <param name="Inputs">The inputs of each channel; several where a kernel or a head takes more than one.</param>
/// <param name="Energy">The power of its output, tr(W H W^T).</param>
internal sealed record SummingLayer(double[] Weights, int Outputs, double[]? Gram, IReadOnlyList<int[]> Inputs, double Energy);

/// <summary>
/// The order in which channels matter least, and what the layers that sum over them lose when they go (Hassibi and Stork 1993, "Second Order Derivatives for Network
/// Pruning: Optimal Brain Surgeon", section 2; for sets of inputs Frantar and Alistarh 2022, "Optimal Brain Compression", section 4).
/// Symbols: W [N, K] weights of a layer, H = sum of x x^T over its inputs, J the inputs of one channel, G = H^-1.
/// 1. Without J, and with all other weights solved anew, the squares of a layer's output error grow by tr(W_J (G_JJ)^-1 W_J^T). Relative to the power of its output and
///    summed over the layers, that is what a channel is worth.
/// 2. The channel worth least goes: W -= W_J (G_JJ)^-1 G_J, G -= G_J^T (G_JJ)^-1 G_J; what remains of W is the least-squares solution for the inputs that remain.
/// 3. Again, until as many are gone as may go. The losses add up exactly: each is counted from the solution before it.
/// </summary>
internal static class ChannelRemoval
{
    /// <summary>Channels in the order in which they go, and the loss that has gathered up when each is gone.</summary>
    /// <param name="layers">Every layer that sums over the channels; all list the same number of them.</param>
    /// <param name="most">How many may go.</param>
    /// <param name="cancel">Stops between channels.</param>
    public static (int[] Order, double[] Loss) Order(IReadOnlyList<SummingLayer> layers, int most, CancellationToken cancel = default)
    {
        var states = layers.Select(l => new State(l)).ToArray();
        var left = Enumerable.Range(0, layers[0].Inputs.Count).ToList();
        var (order, losses) = (new List<int>(), new List<double>());
        double sum = 0;
        while (order.Count < most && left.Count > 1)
        {
            cancel.ThrowIfCancellationRequested();
            var (best, least) = (-1, double.PositiveInfinity);
            foreach (var channel in left)
            {
                double worth = 0;
                foreach (var state in states) worth += state.Worth(channel); // step 1
                if (worth < least) (best, least) = (channel, worth);
            }
            if (best < 0) break; // no number: nothing can be said
            foreach (var state in states) state.Remove(best); // step 2
            left.Remove(best);
            order.Add(best);
            losses.Add(sum += least);
        }
        return ([.. order], [.. losses]);
    }

    private sealed class State
    {
        private readonly SummingLayer layer;
        private readonly int n, k;
        /// <summary>W^T, [K, N]: the weights of one input stand together.</summary>
        private readonly double[] w;
        /// <summary>G, [K, K]; null: the identity.</summary>
        private readonly double[]? g;

        public State(SummingLayer layer)
        {
            (this.layer, n, k) = (layer, layer.Outputs, layer.Weights.Length / layer.Outputs);
            w = Dense.Transpose(layer.Weights, n, k);
            if (layer.Gram is null || Cholesky.InverseFactor((double[])layer.Gram.Clone(), k) is not { } u) return;
            g = Dense.Multiply(Dense.Transpose(u, k, k), u, k, k, k);
        }

        public double Worth(int channel)
        {
            var inputs = layer.Inputs[channel];
            double worth = 0;
            if (inputs.Length == 1 || g is null)
            {
                foreach (var j in inputs)
                {
                    double squares = 0;
                    foreach (var weight in w.AsSpan(j * n, n)) squares += weight * weight;
                    worth += g is null ? squares : squares / g[j * k + j];
                }
            }
            else if (Factor(inputs) is { } u)
            {
                // (G_JJ)^-1 = U^T U, so that the trace is |U W_J^T|^2.
                var row = new double[n];
                for (var a = 0; a < inputs.Length; a++)
                {
                    Array.Clear(row);
                    for (var b = a; b < inputs.Length; b++) TensorPrimitives.MultiplyAdd(w.AsSpan(inputs[b] * n, n), u[a * inputs.Length + b], row, row);
                    foreach (var value in row) worth += value * value;
                }
            }
            else return double.PositiveInfinity;
            return layer.Energy > 0 ? worth / layer.Energy : 0;
        }

        public void Remove(int channel)
        {
            var inputs = layer.Inputs[channel];
            if (g is not null && Factor(inputs) is { } u)
            {
                var m = inputs.Length;
                // (G_JJ)^-1 times the rows of W and G that go.
                var (weights, rows) = (new double[m * n], new double[m * k]);
                for (var a = 0; a < m; a++)
                    for (var b = 0; b < m; b++)
                    {
                        double inverse = 0;
                        for (var c = 0; c < m; c++) inverse += u[c * m + a] * u[c * m + b];
                        TensorPrimitives.MultiplyAdd(w.AsSpan(inputs[b] * n, n), inverse, weights.AsSpan(a * n, n), weights.AsSpan(a * n, n));
                        TensorPrimitives.MultiplyAdd(g.AsSpan(inputs[b] * k, k), inverse, rows.AsSpan(a * k, k), rows.AsSpan(a * k, k));
                    }
                var factors = new double[k * m];
                for (var i = 0; i < k; i++) for (var a = 0; a < m; a++) factors[i * m + a] = g[i * k + inputs[a]];
                for (var i = 0; i < k; i++)
                    for (var a = 0; a < m; a++)
                    {
                        var factor = factors[i * m + a];
                        if (factor == 0) continue;
                        var (own, inverse) = (w.AsMemory(i * n, n), g.AsMemory(i * k, k));
                        TensorPrimitives.MultiplyAdd(weights.AsSpan(a * n, n), -factor, own.Span, own.Span);
                        TensorPrimitives.MultiplyAdd(rows.AsSpan(a * k, k), -factor, inverse.Span, inverse.Span);
                    }
            }
            // What is left there is rounding.
            foreach (var j in inputs)
            {
                w.AsSpan(j * n, n).Clear();
                if (g is null) continue;
                g.AsSpan(j * k, k).Clear();
                for (var i = 0; i < k; i++) g[i * k + j] = 0;
            }
        }

        private double[]? Factor(int[] inputs)
        {
            var m = inputs.Length;
            var block = new double[m * m];
            for (var a = 0; a < m; a++)
                for (var b = 0; b < m; b++) block[a * m + b] = g![inputs[a] * k + inputs[b]];
            return Cholesky.InverseFactor(block, m);
        }
    }
}
