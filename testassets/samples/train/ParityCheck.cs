using System.Numerics.Tensors;

namespace CompressOnBuild.Samples.Train;

/// <summary>Counts ONNX Runtime's hits and its largest difference to the trainer's forward pass.</summary>
internal sealed class ParityCheck(int classes)
{
    private const float Tolerance = 1e-3f;

    private int hits, samples, compared;
    private float largest;

    /// <param name="logits">[N, classes], from ONNX Runtime.</param>
    /// <param name="expected">[classes, N], from the trainer; null for a rest that does not fill a batch.</param>
    public void Add(float[] logits, float[]? expected, int[] labels)
    {
        for (var n = 0; n < labels.Length; n++)
        {
            var row = logits.AsSpan(n * classes, classes);
            if (TensorPrimitives.IndexOfMax<float>(row) == labels[n]) hits++;
            for (var c = 0; expected is not null && c < classes; c++) largest = Math.Max(largest, Math.Abs(row[c] - expected[c * labels.Length + n]));
        }
        samples += labels.Length;
        if (expected is not null) compared += labels.Length;
    }

    public bool Report(string model)
    {
        Console.WriteLine(FormattableString.Invariant($"{new FileInfo(model).Length} bytes; top1 {100.0 * hits / samples:F2} % of {samples} (ONNX Runtime)"));
        Console.WriteLine(FormattableString.Invariant($"largest difference to the trainer's forward pass, over {compared} samples: {largest:G3}"));
        return largest < Tolerance;
    }
}
