using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using CompressOnBuild.Kernels;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Calibration;

/// <summary>Gathers the statistics of one value, sample by sample. Memory does not grow with the samples.</summary>
internal sealed class ValueObserver(string name, int? channelAxis, int? rangeAxis = null, IReadOnlyList<GramObserver>? grams = null)
{
    private readonly ChannelRangeObserver? ranges = rangeAxis is { } axis ? new ChannelRangeObserver(axis) : null;
    private readonly ValueStatistics result = new(name);
    private float min = float.PositiveInfinity, max = float.NegativeInfinity;
    private long elements, channelElements;
    private int samples;
    private double[]? sums;
    private bool channelsChanged;

    /// <summary>Reads one sample. Called by one thread at a time, in the order of the samples.</summary>
    public void Read(ElementType type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes)
    {
        if (type is ElementType.Undefined or ElementType.String) return;
        if (samples++ == 0)
        {
            result.ElementType = type;
            result.Shape = shape.ToArray();
        }
        long count = 1;
        foreach (var d in shape) count *= d;
        elements += count;
        switch (type)
        {
            case ElementType.Float: Read(MemoryMarshal.Cast<byte, float>(bytes), shape); break;
            case ElementType.Float16 or ElementType.BFloat16 or ElementType.Double:
                var floats = ArrayPool<float>.Shared.Rent((int)count);
                var span = floats.AsSpan(0, (int)count);
                if (type == ElementType.Float16) TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), span);
                else if (type == ElementType.Double) TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(bytes), span);
                else
                {
                    var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                    for (var i = 0; i < span.Length; i++) span[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                }
                Read(span, shape);
                ArrayPool<float>.Shared.Return(floats);
                break;
        }
    }

    /// <summary>The statistics; null when no sample showed the value.</summary>
    public ValueStatistics? Finish()
    {
        if (samples == 0) return null;
        result.MeanElements = (double)elements / samples;
        if (result.Count > 0) (result.Min, result.Max) = (min, max);
        if (sums is not null && !channelsChanged && channelElements > 0)
            result.ChannelMeans = [.. sums.Select(s => s / ((double)channelElements / sums.Length))];
        result.ChannelRanges = ranges?.Finish();
        return result;
    }

    private void Read(ReadOnlySpan<float> values, ReadOnlySpan<long> shape)
    {
        if (values.IsEmpty) return;
        foreach (var gram in grams ?? []) gram.Read(values, shape);
        ranges?.Read(values, shape);
        var (low, high, nonFinite) = FiniteRange.Of(values);
        result.NonFinite += nonFinite;
        result.Count += values.Length - nonFinite;
        if (nonFinite < values.Length)
        {
            min = Math.Min(min, low);
            max = Math.Max(max, high);
            result.Histogram.Add(values, low, high, nonFinite);
        }
        if (channelAxis is { } axis) ReadChannels(values, shape, axis < 0 ? axis + shape.Length : axis, nonFinite == 0);
    }

    private void ReadChannels(ReadOnlySpan<float> values, ReadOnlySpan<long> shape, int axis, bool allFinite)
    {
        if (axis < 0 || axis >= shape.Length) { channelsChanged = true; return; }
        var channels = (int)shape[axis];
        sums ??= new double[channels];
        if (sums.Length != channels) { channelsChanged = true; return; }
        long inner = 1;
        foreach (var d in shape[(axis + 1)..]) inner *= d;
        ChannelSums.Add(values, (int)inner, sums, allFinite);
        channelElements += values.Length;
    }
}
