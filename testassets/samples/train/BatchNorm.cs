namespace CompressOnBuild.Samples.Train;

/// <summary>Batch normalisation (Ioffe and Szegedy 2015), written out unfolded: folding it is the compressor's business.</summary>
internal sealed class BatchNorm : Layer
{
    private const float Epsilon = 1e-5f;

    /// <summary>Share of a new batch in the running statistics.</summary>
    private const float Fresh = 0.05f;

    private readonly string name;
    private readonly Parameter scale, shift;
    private readonly float[] mean, variance, inverseDeviation;
    private float[]? normalized, y, gradient;

    public BatchNorm(string name, Shape shape) : base(shape, shape)
    {
        this.name = name;
        scale = new Parameter(name + ".scale", [shape.Channels], decays: false);
        shift = new Parameter(name + ".shift", [shape.Channels], decays: false);
        (mean, variance, inverseDeviation) = (new float[shape.Channels], new float[shape.Channels], new float[shape.Channels]);
        Array.Fill(scale.Value, 1);
        Array.Fill(variance, 1);
    }

    public override IEnumerable<Parameter> Parameters => [scale, shift];

    public override float[] Forward(float[] x, int batch, bool training)
    {
        var count = batch * In.Plane;
        Room(ref normalized, x.Length);
        Room(ref y, x.Length);
        Parallel.For(0, In.Channels, c =>
        {
            var source = x.AsSpan(c * count, count);
            float m = mean[c], v = variance[c];
            if (training)
            {
                m = (float)(Sum(source, source, squared: false) / count);
                v = (float)Math.Max(0, Sum(source, source, squared: true) / count - (double)m * m);
                mean[c] += Fresh * (m - mean[c]);
                variance[c] += Fresh * (v * count / (count - 1) - variance[c]);
            }
            var inverse = inverseDeviation[c] = 1 / MathF.Sqrt(v + Epsilon);
            var normal = normalized.AsSpan(c * count, count);
            var target = y.AsSpan(c * count, count);
            for (var i = 0; i < count; i++) target[i] = (normal[i] = (source[i] - m) * inverse) * scale.Value[c] + shift.Value[c];
        });
        return y!;
    }

    public override float[] Backward(float[] dy, int batch)
    {
        var count = batch * In.Plane;
        Room(ref gradient, dy.Length);
        Parallel.For(0, In.Channels, c =>
        {
            var d = dy.AsSpan(c * count, count);
            var normal = normalized.AsSpan(c * count, count);
            var sum = (float)Sum(d, d, squared: false);
            var product = (float)Sum(d, normal, squared: true);
            shift.Gradient[c] = sum;
            scale.Gradient[c] = product;
            var factor = scale.Value[c] * inverseDeviation[c];
            var target = gradient.AsSpan(c * count, count);
            for (var i = 0; i < count; i++) target[i] = factor * (d[i] - sum / count - normal[i] * (product / count));
        });
        return gradient!;
    }

    /// <summary>Sum of a, or of a*b, in double precision over four fixed lanes.</summary>
    private static double Sum(ReadOnlySpan<float> a, ReadOnlySpan<float> b, bool squared)
    {
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (var i = 0; i + 3 < a.Length; i += 4)
        {
            s0 += squared ? (double)a[i] * b[i] : a[i];
            s1 += squared ? (double)a[i + 1] * b[i + 1] : a[i + 1];
            s2 += squared ? (double)a[i + 2] * b[i + 2] : a[i + 2];
            s3 += squared ? (double)a[i + 3] * b[i + 3] : a[i + 3];
        }
        return s0 + s2 + (s1 + s3);
    }

    public override string Export(OnnxExport export, string input)
    {
        export.Initializer(name + ".mean", mean, mean.Length);
        export.Initializer(name + ".variance", variance, variance.Length);
        return export.Node("BatchNormalization", name, [input, export.Initializer(scale), export.Initializer(shift), name + ".mean", name + ".variance"]);
    }
}
