namespace CompressOnBuild.Samples.Train;

/// <summary>
/// One labelled picture: a filled shape before clutter, 32 x 32 pixels in 16 levels between two colours.
/// Sixteen levels keep a thousand PNG files below a megabyte, and the model is trained on exactly what the files hold.
/// </summary>
internal sealed class ShapePicture
{
    public const int Side = 32;
    public const int Levels = 16;

    public static readonly string[] Classes =
        ["circle", "ring", "crescent", "triangle", "square", "hexagon", "star", "cross", "heart", "arrow"];

    private const int SamplesPerAxis = 3;

    private static readonly (double X, double Y)[]?[] Polygons =
    [
        null, null, null, Regular(3, 1), Regular(4, 1), Regular(6, 1), Regular(5, 0.45),
        Cross(0.32), null,
        [(1, 0), (0.1, 0.8), (0.1, 0.33), (-0.95, 0.33), (-0.95, -0.33), (0.1, -0.33), (0.1, -0.8)],
    ];

    /// <summary>Level of each pixel, row by row, 0 to 15.</summary>
    public byte[] Pixels { get; } = new byte[Side * Side];

    /// <summary>RGB of each level, 48 bytes.</summary>
    public byte[] Palette { get; } = new byte[Levels * 3];

    public int Label { get; }

    /// <summary>The same seed draws the same picture; the label is drawn too.</summary>
    public ShapePicture(int seed)
    {
        var random = new Random(Seeds.Mix(seed));
        Label = random.Next(Classes.Length);
        var shade = Background(random);
        for (var i = random.Next(2, 6); i > 0; i--) Clutter(shade, random, behind: true);
        Shape(shade, random);
        if (random.Next(3) == 0) Clutter(shade, random, behind: false);

        var noise = Between(random, 0.01, 0.09);
        for (var i = 0; i < shade.Length; i++)
        {
            var normal = random.NextDouble() + random.NextDouble() + random.NextDouble() + random.NextDouble() - 2;
            Pixels[i] = (byte)Math.Clamp(Math.Round((shade[i] + noise * 1.7 * normal) * (Levels - 1)), 0, Levels - 1);
        }
        Colour(random);
    }

    private static double[] Background(Random random)
    {
        var shade = new double[Side * Side];
        double level = Between(random, 0.1, 0.35), dx = Between(random, -0.1, 0.1), dy = Between(random, -0.1, 0.1);
        for (var i = 0; i < shade.Length; i++)
            shade[i] = level + dx * (i % Side / (Side / 2.0) - 1) + dy * (i / Side / (Side / 2.0) - 1);
        return shade;
    }

    /// <summary>A line or a spot. In front it stays thin, so that the shape can still be told.</summary>
    private static void Clutter(double[] shade, Random random, bool behind)
    {
        double x = Between(random, 0, Side), y = Between(random, 0, Side), turn = Between(random, 0, 2 * Math.PI);
        double width = behind ? Between(random, 0.4, 1.6) : Between(random, 0.4, 0.9), strength = Between(random, -0.2, 0.45);
        var length = random.Next(2) == 0 && behind ? width : Between(random, 4, 20);
        double cos = Math.Cos(turn), sin = Math.Sin(turn);
        Paint(shade, (px, py) =>
        {
            double u = (px - x) * cos + (py - y) * sin, v = (py - y) * cos - (px - x) * sin;
            return Math.Abs(u) < length && Math.Abs(v) < width;
        }, (old, coverage) => old + coverage * strength);
    }

    private void Shape(double[] shade, Random random)
    {
        double radius = Between(random, 6.5, 13), room = Math.Max(1, Side / 2.0 - radius);
        double x = Side / 2.0 + Between(random, -room, room), y = Side / 2.0 + Between(random, -room, room);
        double turn = Between(random, 0, 2 * Math.PI), stretch = Between(random, 0.85, 1.18), shear = Between(random, -0.12, 0.12);
        double level = Between(random, 0.62, 0.95), texture = Between(random, -0.12, 0.12);
        double cos = Math.Cos(turn), sin = Math.Sin(turn);
        Paint(shade, (px, py) =>
        {
            double a = (px - x) / radius, b = (py - y) / radius;
            a = a * stretch + shear * b;
            b = b / stretch;
            return Contains(Label, a * cos + b * sin, b * cos - a * sin);
        }, (old, coverage) => old + coverage * (level + texture - old));
    }

    private static bool Contains(int label, double x, double y) => Classes[label] switch
    {
        "circle" => x * x + y * y < 0.85,
        "ring" => x * x + y * y is > 0.3 and < 0.95,
        "crescent" => x * x + y * y < 1 && (x - 0.45) * (x - 0.45) + y * y > 0.6,
        "heart" => Heart(x * 1.2, 0.15 - y * 1.2),
        _ => Contains(Polygons[label]!, x, y),
    };

    /// <summary>The sextic (x² + y² - 1)³ = x² y³.</summary>
    private static bool Heart(double x, double y)
    {
        var disc = x * x + y * y - 1;
        return disc * disc * disc < x * x * y * y * y;
    }

    /// <summary>Even-odd rule.</summary>
    private static bool Contains((double X, double Y)[] polygon, double x, double y)
    {
        var inside = false;
        for (int i = 0, j = polygon.Length - 1; i < polygon.Length; j = i++)
        {
            var (a, b) = (polygon[i], polygon[j]);
            if (a.Y > y != b.Y > y && x < (b.X - a.X) * (y - a.Y) / (b.Y - a.Y) + a.X) inside = !inside;
        }
        return inside;
    }

    private static void Paint(double[] shade, Func<double, double, bool> contains, Func<double, double, double> blend)
    {
        for (var i = 0; i < shade.Length; i++)
        {
            var hits = 0;
            for (var s = 0; s < SamplesPerAxis * SamplesPerAxis; s++)
                if (contains(i % Side + (s % SamplesPerAxis + 0.5) / SamplesPerAxis, i / Side + (s / SamplesPerAxis + 0.5) / SamplesPerAxis)) hits++;
            if (hits > 0) shade[i] = blend(shade[i], (double)hits / (SamplesPerAxis * SamplesPerAxis));
        }
    }

    /// <summary>Two colours of clearly different lightness (Rec. 601), either of them the brighter one.</summary>
    private void Colour(Random random)
    {
        Span<int> ends = stackalloc int[6];
        do
        {
            foreach (ref var c in ends) c = random.Next(256);
        }
        while (Math.Abs(Lightness(ends[..3]) - Lightness(ends[3..])) < 70);
        for (var level = 0; level < Levels; level++)
            for (var c = 0; c < 3; c++)
                Palette[level * 3 + c] = (byte)((ends[c] * (Levels - 1 - level) + ends[c + 3] * level) / (Levels - 1));
    }

    private static double Lightness(ReadOnlySpan<int> rgb) => 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];

    private static double Between(Random random, double low, double high) => low + (high - low) * random.NextDouble();

    /// <summary>A regular polygon, or with a dent below 1 a star.</summary>
    private static (double, double)[] Regular(int corners, double dent)
    {
        var points = new List<(double, double)>();
        for (var i = 0; i < 2 * corners; i++)
        {
            if (i % 2 == 1 && dent == 1) continue;
            double r = i % 2 == 1 ? dent : 1, turn = Math.PI * i / corners;
            points.Add((r * Math.Cos(turn), r * Math.Sin(turn)));
        }
        return [.. points];
    }

    private static (double, double)[] Cross(double w) =>
        [(w, w), (1, w), (1, -w), (w, -w), (w, -1), (-w, -1), (-w, -w), (-1, -w), (-1, w), (-w, w), (-w, 1), (w, 1)];
}
