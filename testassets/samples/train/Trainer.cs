namespace CompressOnBuild.Samples.Train;

/// <summary>Stochastic gradient descent with Nesterov momentum and a rate that rises and falls in straight lines. Every batch is new samples.</summary>
/// <param name="draw">The batch that begins at a seed: input in the network's layout, and labels.</param>
internal sealed class Trainer(Layer network, int steps, float peakRate, Func<int, (float[] Input, int[] Labels)> draw)
{
    public const int Batch = 64;

    private const float Momentum = 0.9f, Decay = 5e-4f, WarmUp = 0.15f;

    private readonly Parameter[] parameters = [.. network.Parameters];

    public void Train()
    {
        Console.WriteLine(FormattableString.Invariant($"{parameters.Sum(p => p.Value.Length)} parameters"));
        int hits = 0, shown = 0;
        var loss = 0.0;
        for (var step = 0; step < steps; step++)
        {
            var (input, labels) = draw(Seeds.Training + step * Batch);
            var logits = network.Forward(input, Batch, training: true);
            var gradient = SoftmaxLoss(logits, labels, ref loss, ref hits);
            network.Backward(gradient, Batch);
            Update(Rate((float)step / steps));
            shown++;
            if ((step + 1) % 100 != 0 && step + 1 != steps) continue;
            Console.WriteLine(FormattableString.Invariant($"step {step + 1} of {steps}: loss {loss / shown / Batch:F4}, top1 {100.0 * hits / shown / Batch:F2} %"));
            (hits, shown, loss) = (0, 0, 0);
        }
    }

    private float Rate(float done) => peakRate * (done < WarmUp ? done / WarmUp : (1 - done) / (1 - WarmUp));

    /// <summary>Cross entropy of the softmax over logits [classes, N]: its gradient, (p - 1 at the label) / N.</summary>
    private static float[] SoftmaxLoss(float[] logits, int[] labels, ref double loss, ref int hits)
    {
        int batch = labels.Length, classes = logits.Length / batch;
        var gradient = new float[logits.Length];
        for (var n = 0; n < batch; n++)
        {
            var best = 0;
            for (var c = 1; c < classes; c++)
                if (logits[c * batch + n] > logits[best * batch + n]) best = c;
            double top = logits[best * batch + n], sum = 0;
            for (var c = 0; c < classes; c++) sum += Math.Exp(logits[c * batch + n] - top);
            for (var c = 0; c < classes; c++)
                gradient[c * batch + n] = (float)((Math.Exp(logits[c * batch + n] - top) / sum - (c == labels[n] ? 1 : 0)) / batch);
            loss += Math.Log(sum) - (logits[labels[n] * batch + n] - top);
            if (best == labels[n]) hits++;
        }
        return gradient;
    }

    private void Update(float rate)
    {
        foreach (var p in parameters)
            for (var i = 0; i < p.Value.Length; i++)
            {
                var g = p.Gradient[i] + (p.Decays ? Decay * p.Value[i] : 0);
                p.Momentum[i] = Momentum * p.Momentum[i] + g;
                p.Value[i] -= rate * (g + Momentum * p.Momentum[i]);
            }
    }
}
