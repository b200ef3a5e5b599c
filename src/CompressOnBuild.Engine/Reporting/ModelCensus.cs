using System.Runtime.InteropServices;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Reporting;

/// <summary>Counts what a model stores.</summary>
internal static class ModelCensus
{
    /// <summary>Elements of all stored number tensors of rank 1 or more, and how many of them are not zero.</summary>
    public static (long Parameters, long NonZero) Parameters(Model model)
    {
        long all = 0, nonZero = 0;
        foreach (var tensor in Tensors(model))
        {
            if (tensor.Rank == 0 || tensor.ElementType is ElementType.String or ElementType.Bool) continue;
            all += tensor.Count;
            var bits = tensor.ElementType.Bits();
            // Packed and exotic types are counted by their bytes' own width only where an element is whole bytes.
            if (bits < 8) { nonZero += tensor.Count; continue; }
            nonZero += NonZero(tensor.Data.Span, bits / 8);
        }
        return (all, nonZero);
    }

    /// <summary>Elements that are not zero, bit for bit: -0 counts.</summary>
    public static long NonZero(float[] values) => NonZero(MemoryMarshal.AsBytes<float>(values), sizeof(float));

    private static IEnumerable<Tensor> Tensors(Model model) => model.Graphs().SelectMany(g =>
        g.Initializers.Select(v => v.Initializer!).Concat(g.Nodes.Where(n => n.Is("Constant")).Select(n => n.Output(0)?.Constant).OfType<Tensor>()));

    private static long NonZero(ReadOnlySpan<byte> bytes, int width)
    {
        long count = 0;
        for (var i = 0; i < bytes.Length; i += width)
            if (bytes.Slice(i, width).IndexOfAnyExcept((byte)0) >= 0) count++;
        return count;
    }
}
