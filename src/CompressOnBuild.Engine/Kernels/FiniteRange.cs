using System.Numerics.Tensors;

namespace CompressOnBuild.Kernels;

/// <summary>Smallest and largest finite element, and how many elements are NaN or infinite.</summary>
internal static class FiniteRange
{
    /// <summary>With no finite element <c>Min</c> is +infinity and <c>Max</c> -infinity.</summary>
    public static (float Min, float Max, long NonFinite) Of(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty) return (float.PositiveInfinity, float.NegativeInfinity, 0);
        // Both primitives pass NaN on, so finite ends say that everything between is finite.
        float min = TensorPrimitives.Min(values), max = TensorPrimitives.Max(values);
        // Plus zero: -0 and +0 are one value here, whichever the vector path met first.
        return float.IsFinite(min) && float.IsFinite(max) ? (min + 0f, max + 0f, 0) : Scalar(values);
    }

    internal static (float Min, float Max, long NonFinite) Scalar(ReadOnlySpan<float> values)
    {
        float min = float.PositiveInfinity, max = float.NegativeInfinity;
        long nonFinite = 0;
        foreach (var v in values)
        {
            if (!float.IsFinite(v)) { nonFinite++; continue; }
            if (v < min) min = v;
            if (v > max) max = v;
        }
        return (min + 0f, max + 0f, nonFinite);
    }
}
