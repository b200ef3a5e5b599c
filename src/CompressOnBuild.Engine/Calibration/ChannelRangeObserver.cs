using System.Numerics.Tensors;

namespace CompressOnBuild.Calibration;

/// <summary>Gathers smallest and largest element of each channel of one value, sample by sample.</summary>
internal sealed class ChannelRangeObserver(int axis)
{
    private float[] min = [], max = [];
    private bool started;
    private bool unusable;

    /// <summary>Reads one sample. Another number of channels, or an element that is no number, spoils the whole.</summary>
    public void Read(ReadOnlySpan<float> values, ReadOnlySpan<long> shape)
    {
        var at = axis < 0 ? axis + shape.Length : axis;
        if (unusable || at < 0 || at >= shape.Length || (started && shape[at] != min.Length))
        {
            unusable = true;
            return;
        }
        if (!started)
        {
            started = true;
            (min, max) = (new float[shape[at]], new float[shape[at]]);
            min.AsSpan().Fill(float.PositiveInfinity);
            max.AsSpan().Fill(float.NegativeInfinity);
        }
        long inner = 1;
        foreach (var d in shape[(at + 1)..]) inner *= d;
        if (inner == 1)
        {
            for (var start = 0; start < values.Length; start += min.Length)
            {
                var row = values.Slice(start, min.Length);
                TensorPrimitives.Min(min, row, min);
                TensorPrimitives.Max(max, row, max);
            }
            return;
        }
        for (int start = 0, c = 0; start < values.Length; start += (int)inner, c = c + 1 == min.Length ? 0 : c + 1)
        {
            var row = values.Slice(start, (int)inner);
            min[c] = Math.Min(min[c], TensorPrimitives.Min(row));
            max[c] = Math.Max(max[c], TensorPrimitives.Max(row));
        }
    }

    /// <summary>What was gathered; null when nothing could be.</summary>
    public ChannelRanges? Finish() => unusable || !started || !min.Concat(max).All(float.IsFinite) ? null
        : new ChannelRanges(min, max);
}
