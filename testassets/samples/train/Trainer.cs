namespace CompressOnBuild.Samples.Train;

/// <summary>Stochastic gradient descent with Nesterov momentum and a rate that rises and falls in straight lines. Every batch is new pictures.</summary>
internal sealed class Trainer(Layer network, int steps)
{
    public const int Batch = 64;

    private const float PeakRate = 0.12f, Momentum = 0.9f, Decay = 5e-4f, WarmUp = 0.15f;

    /// <summary>Mean and deviation of the normalisation; preprocessor_config.json says the same.</summary>
    public const float Mean = 0.5f, Deviation = 0.25f;

    private readonly Parameter[] parameters = [.. network.Parameters];

    public int ParameterCount => parameters.Sum(p => p.Value.Length);

    public void Train(int firstSeed)
    {
        int hits = 0, shown = 0;
        var loss = 0.0;
        for (var step = 0; step < steps; step++)
        {
            var pictures = Draw(firstSeed + step * Batch, Batch);
            var logits = network.Forward(Pixels(pictures), Batch, training: true);
            var gradient = SoftmaxLoss(logits, pictures, ref loss, ref hits);
            network.Backward(gradient, Batch);
            Update(Rate((float)step / steps));
            shown++;
            if ((step + 1) % 100 != 0 && step + 1 != steps) continue;
            Console.WriteLine(FormattableString.Invariant($"step {step + 1} of {steps}: loss {loss / shown / Batch:F4}, top1 {100.0 * hits / shown / Batch:F2} %"));
            (hits, shown, loss) = (0, 0, 0);
        }
    }

    public static ShapePicture[] Draw(int firstSeed, int count)
    {
        var pictures = new ShapePicture[count];
        Parallel.For(0, count, i => pictures[i] = new ShapePicture(firstSeed + i));
        return pictures;
    }

    /// <summary>Normalised pixels [3, N, 32, 32] of a batch.</summary>
    public static float[] Pixels(ShapePicture[] pictures)
    {
        const int Plane = ShapePicture.Side * ShapePicture.Side;
        var pixels = new float[3 * pictures.Length * Plane];
        for (var n = 0; n < pictures.Length; n++)
            for (var c = 0; c < 3; c++)
                for (var i = 0; i < Plane; i++)
                    pixels[(c * pictures.Length + n) * Plane + i] = (pictures[n].Palette[pictures[n].Pixels[i] * 3 + c] / 255f - Mean) / Deviation;
        return pixels;
    }

    private static float Rate(float done) => PeakRate * (done < WarmUp ? done / WarmUp : (1 - done) / (1 - WarmUp));

    /// <summary>Cross entropy of the softmax over logits [classes, N]: its gradient, (p - 1 at the label) / N.</summary>
    private static float[] SoftmaxLoss(float[] logits, ShapePicture[] pictures, ref double loss, ref int hits)
    {
        int batch = pictures.Length, classes = logits.Length / batch;
        var gradient = new float[logits.Length];
        for (var n = 0; n < batch; n++)
        {
            var best = 0;
            for (var c = 1; c < classes; c++)
                if (logits[c * batch + n] > logits[best * batch + n]) best = c;
            double top = logits[best * batch + n], sum = 0;
            for (var c = 0; c < classes; c++) sum += Math.Exp(logits[c * batch + n] - top);
            for (var c = 0; c < classes; c++)
                gradient[c * batch + n] = (float)((Math.Exp(logits[c * batch + n] - top) / sum - (c == pictures[n].Label ? 1 : 0)) / batch);
            loss += Math.Log(sum) - (logits[pictures[n].Label * batch + n] - top);
            if (best == pictures[n].Label) hits++;
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
