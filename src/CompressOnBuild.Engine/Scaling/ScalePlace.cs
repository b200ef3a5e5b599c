using System.Numerics.Tensors;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Scaling;

/// <summary>Which index of a channel axis an element of a row-major tensor has: (e / inner) % middle, plus middle for each whole block (the groups of a convolution).</summary>
internal readonly record struct ChannelIndex(long Inner, long Middle, long Block)
{
    /// <summary>The index along one axis of a tensor.</summary>
    public static ChannelIndex Along(ReadOnlySpan<long> shape, int axis)
    {
        long inner = 1, count = 1;
        for (var i = 0; i < shape.Length; i++)
        {
            count *= shape[i];
            if (i > axis) inner *= shape[i];
        }
        return new(inner, shape[axis], Math.Max(1, count));
    }

    public int Of(long element) => (int)(element / Inner % Middle + element / Block * Middle);
}

/// <summary>
/// A constant that a factor of each channel goes into: element e belongs to channel <paramref name="Channels"/>[<paramref name="Index"/>.Of(e)], or to none (-1).
/// </summary>
/// <param name="Node">Who reads it.</param>
/// <param name="Input">As which input.</param>
/// <param name="Index">Where its channels are.</param>
/// <param name="Channels">The channel of each index.</param>
/// <param name="Consumes">True: input channels of a layer, which are multiplied by the factors. False: what makes the channels, which is divided.</param>
/// <param name="Axis">Axis of the channels in the value that a consumer reads.</param>
internal sealed record ScaleSlot(Node Node, int Input, ChannelIndex Index, int[] Channels, bool Consumes, int Axis = 1)
{
    /// <summary>Whether it is the weight of a layer, not a bias, factor or summand.</summary>
    public bool IsWeight => Input == 1 && Node.OpType is ("Conv" or "ConvTranspose" or "Gemm" or "MatMul");

    /// <summary>The constant.</summary>
    public Onnx.Tensor Tensor => Node.Input(Input)!.Constant!;

    /// <summary>max|w| of each of <paramref name="count"/> channels; 0 of those it has nothing of.</summary>
    public double[] Largest(ReadOnlySpan<double> values, int count)
    {
        var largest = new double[count];
        var runs = new Runs(this);
        for (var start = 0; start < values.Length; start += (int)Index.Inner)
            if (runs.Next() is >= 0 and var c) largest[c] = Math.Max(largest[c], Math.Abs(TensorPrimitives.MaxMagnitude(values.Slice(start, (int)Index.Inner))));
        return largest;
    }

    /// <summary>Multiplies each element by its channel's figure.</summary>
    public void Multiply(Span<double> values, ReadOnlySpan<double> figures)
    {
        var runs = new Runs(this);
        for (var start = 0; start < values.Length; start += (int)Index.Inner)
        {
            if (runs.Next() is not (>= 0 and var c)) continue;
            var run = values.Slice(start, (int)Index.Inner);
            TensorPrimitives.Multiply(run, figures[c], run);
        }
    }

    // The channels of runs of neighbouring elements, in order, as Index.Of says them; without its divisions, of which a large weight has many.
    private ref struct Runs(ScaleSlot slot)
    {
        private long index, inBlock, offset;

        public int Next()
        {
            var channel = slot.Channels[offset + index];
            if (++index == slot.Index.Middle) index = 0;
            if ((inBlock += slot.Index.Inner) == slot.Index.Block) (inBlock, offset) = (0, offset + slot.Index.Middle);
            return channel;
        }
    }
}

/// <summary>Channels between layers that can be divided by positive factors where they are made and multiplied by them where they are summed, without changing what the model computes.</summary>
/// <param name="Name">The first constant that makes them.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Producers">What is divided: weights, biases, factors and summands.</param>
/// <param name="Consumers">What is multiplied: weights.</param>
internal sealed record ScalePlace(string Name, int Count, IReadOnlyList<ScaleSlot> Producers, IReadOnlyList<ScaleSlot> Consumers);
