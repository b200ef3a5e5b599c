using System.Runtime.InteropServices;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>Which values a rewrite may treat as known, and their arithmetic in double precision.</summary>
internal static class ConstantValues
{
    /// <summary>
    /// The tensor of a value that nobody can set from outside: from IR version 4 on an initializer that is also a graph input is a
    /// default a caller may override, before that it was the only way to write a constant.
    /// </summary>
    public static Tensor? Fixed(this Value? value)
    {
        if (value?.Constant is not { } tensor) return null;
        return value.Initializer is not null && value.Graph.Model.IrVersion >= 4 && value.IsGraphInput ? null : tensor;
    }

    /// <summary>Float types whose values the rewrites may compute anew.</summary>
    public static bool IsComputable(this Tensor tensor) => tensor.ElementType is ElementType.Float or ElementType.Double or ElementType.Float16;

    public static double[] ToDoubles(this Tensor tensor) =>
        tensor.ElementType == ElementType.Double ? tensor.AsSpan<double>().ToArray() : Array.ConvertAll(tensor.ToFloats(), v => (double)v);

    /// <summary>A tensor of the given float type; null when a value does not fit it.</summary>
    public static Tensor? FromDoubles(double[] values, ElementType type, params long[] shape)
    {
        var tensor = type switch
        {
            ElementType.Double => Tensor.Create(values, shape),
            ElementType.Float16 => Tensor.Create(Array.ConvertAll(values, v => (Half)v), shape),
            _ => Tensor.Create(Array.ConvertAll(values, v => (float)v), shape),
        };
        return Array.TrueForAll(tensor.ToDoubles(), double.IsFinite) ? tensor : null;
    }

    /// <summary>Equal type, shape and bits.</summary>
    public static bool SameAs(this Tensor a, Tensor b) => a.ElementType == b.ElementType && a.Shape.SequenceEqual(b.Shape)
        && (a.Strings is null ? a.Data.Span.SequenceEqual(b.Data.Span) : b.Strings is not null && a.Strings.SequenceEqual(b.Strings));

    /// <summary>Every value that is the output of some graph: it must keep its name and its place.</summary>
    public static HashSet<Value> Shown(this Model model) => [.. model.Graphs().SelectMany(g => g.Outputs)];
}
