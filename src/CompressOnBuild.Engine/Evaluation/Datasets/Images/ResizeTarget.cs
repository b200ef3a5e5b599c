namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>How large a picture becomes, in the forms of Hugging Face's <c>size</c>. Sides that keep the ratio are truncated, not rounded, except where said.</summary>
internal abstract record ResizeTarget
{
    public abstract (int Width, int Height) Of(int width, int height);

    /// <summary><c>{ "height", "width" }</c>: whatever the ratio was.</summary>
    public sealed record Exact(int Height, int Width) : ResizeTarget
    {
        public override (int, int) Of(int width, int height) => (Width, Height);
    }

    /// <summary><c>{ "shortest_edge" }</c>.</summary>
    public sealed record ShortestEdge(int Edge) : ResizeTarget
    {
        public override (int, int) Of(int width, int height) => Shortest(Edge, width, height);
    }

    /// <summary><c>{ "shortest_edge", "longest_edge" }</c>: the shorter side, unless the longer one then exceeds its limit; the shorter
    /// side is rounded (half to even) in that case.</summary>
    public sealed record BothEdges(int Edge, int Longest) : ResizeTarget
    {
        public override (int, int) Of(int width, int height)
        {
            double shorter = Math.Min(width, height), longer = Math.Max(width, height);
            if (longer / shorter * Edge <= Longest) return Shortest(Edge, width, height);
            var exact = Longest * shorter / longer;
            var edge = Math.Max(1, (int)Math.Round(exact, MidpointRounding.ToEven));
            if (edge == Math.Min(width, height)) return (width, height);
            return width < height ? (edge, (int)(exact * height / width)) : ((int)(exact * width / height), edge);
        }
    }

    /// <summary><c>{ "longest_edge" }</c>: both sides rounded (half up), as Segment Anything does.</summary>
    public sealed record LongestEdge(int Edge) : ResizeTarget
    {
        public override (int, int) Of(int width, int height)
        {
            var scale = (double)Edge / Math.Max(width, height);
            return (Math.Max(1, (int)(width * scale + 0.5)), Math.Max(1, (int)(height * scale + 0.5)));
        }
    }

    /// <summary><c>{ "max_height", "max_width" }</c>: as large as fits.</summary>
    public sealed record Within(int Height, int Width) : ResizeTarget
    {
        public override (int, int) Of(int width, int height)
        {
            var scale = Math.Min((double)Height / height, (double)Width / width);
            return (Math.Max(1, (int)(width * scale)), Math.Max(1, (int)(height * scale)));
        }
    }

    private static (int, int) Shortest(int edge, int width, int height) =>
        width <= height ? (edge, (int)Math.Min(int.MaxValue, (long)edge * height / width)) : ((int)Math.Min(int.MaxValue, (long)edge * width / height), edge);
}
