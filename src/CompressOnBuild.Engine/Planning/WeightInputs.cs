using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Planning;

/// <summary>Which weights meet inputs that calibration can gather row by row (<see cref="GramRequest"/>), and how.</summary>
internal static class WeightInputs
{
    // A wider matrix of doubles would take more than 32 MB, and more rows than calibration sees.
    private const int WidestRow = 2048;

    /// <summary>One request for each weight of the main graph that one Conv (1-D, 2-D), Gemm or MatMul reads as its right-hand side.</summary>
    /// <param name="sites">The weights.</param>
    /// <param name="withOne">As <see cref="GramRequest.WithOne"/>.</param>
    public static IReadOnlyList<GramRequest> Of(IEnumerable<Site> sites, bool withOne = false) => [.. sites.Select(s => Of(s, withOne)).OfType<GramRequest>()];

    private static GramRequest? Of(Site site, bool withOne)
    {
        if (!site.IsObservable || site.Tensor.ElementType != ElementType.Float || site.SingleNode is not { } node || node.Input(0) is not { } input || site.Operator is not { WeightInput: 1 } kind) return null;
        var shape = site.Tensor.Shape;
        PatchGeometry? patches = null;
        long width;
        if (kind.Role == WeightRole.Convolution && shape.Length is 3 or 4)
        {
            var axes = shape.Length - 2;
            int[] kernel = [.. shape[2..].ToArray().Select(d => (int)d)];
            int[] Of(string name) => node.Ints(name) is { } given && given.Length == axes ? [.. given.Select(v => (int)v)] : [.. Enumerable.Repeat(1, axes)];
            var pads = node.String("auto_pad", "NOTSET") == "NOTSET" ? node.Ints("pads") ?? new long[2 * axes] : null;
            if (pads is not null && pads.Length != 2 * axes) return null;
            patches = new PatchGeometry(kernel, Of("strides"), pads is null ? null : [.. pads.Select(p => (int)p)], node.String("auto_pad", "NOTSET"), Of("dilations"), (int)node.Int("group", 1));
            if (patches.Groups < 1 || shape[0] % patches.Groups != 0) return null;
            width = site.Tensor.Count / shape[0];
        }
        else if (kind.Role == WeightRole.MatrixProduct && shape.Length == 2 && node.Int("transA", 0) == 0)
        {
            width = shape[node.Int("transB", 0) != 0 ? 1 : 0];
        }
        else return null;
        // All groups together, so that a depthwise convolution of many channels counts with all its small matrices.
        return width > WidestRow || width * width * (patches?.Groups ?? 1) > (long)WidestRow * WidestRow ? null : new GramRequest(site.Name, input.Name, (int)width + (withOne ? 1 : 0), patches, withOne);
    }
}
