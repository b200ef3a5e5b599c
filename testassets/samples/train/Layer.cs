namespace CompressOnBuild.Samples.Train;

/// <summary>A learned tensor with its gradient and momentum.</summary>
internal sealed class Parameter(string name, int[] shape, bool decays)
{
    public string Name { get; } = name;
    public int[] Shape { get; } = shape;

    /// <summary>Whether weight decay applies: to weights, not to biases and normalisation.</summary>
    public bool Decays { get; } = decays;

    public float[] Value { get; } = new float[shape.Aggregate(1, (a, b) => a * b)];
    public float[] Gradient { get; } = new float[shape.Aggregate(1, (a, b) => a * b)];
    public float[] Momentum { get; } = new float[shape.Aggregate(1, (a, b) => a * b)];
}

/// <summary>Channels, height and width of an activation. In memory it is [C, N, H, W]: a convolution over a whole batch is then one product.</summary>
internal readonly record struct Shape(int Channels, int Height, int Width)
{
    public int Plane => Height * Width;
}

/// <summary>A step of the network that can go backwards and can write itself as ONNX.</summary>
internal abstract class Layer(Shape input, Shape output)
{
    public Shape In { get; } = input;
    public Shape Out { get; } = output;

    public virtual IEnumerable<Parameter> Parameters => [];

    /// <summary>x [C, N, H, W] to y. The array returned belongs to the layer and lives until the next call.</summary>
    public abstract float[] Forward(float[] x, int batch, bool training);

    /// <summary>Gradient by y to gradient by x; sets the parameters' gradients. Follows a Forward of the same batch in training.</summary>
    public abstract float[] Backward(float[] dy, int batch);

    /// <summary>Adds this layer's nodes; returns the name of its output.</summary>
    public abstract string Export(OnnxExport export, string input);

    /// <summary>A buffer that is kept from batch to batch.</summary>
    protected static float[] Room(ref float[]? buffer, int size) => buffer is { } b && b.Length == size ? b : buffer = new float[size];
}

/// <summary>One layer after the other.</summary>
internal sealed class Sequence(params Layer[] layers) : Layer(layers[0].In, layers[^1].Out)
{
    public override IEnumerable<Parameter> Parameters => layers.SelectMany(l => l.Parameters);

    public override float[] Forward(float[] x, int batch, bool training) => layers.Aggregate(x, (v, l) => l.Forward(v, batch, training));

    public override float[] Backward(float[] dy, int batch) => layers.Reverse().Aggregate(dy, (v, l) => l.Backward(v, batch));

    public override string Export(OnnxExport export, string input) => layers.Aggregate(input, (name, l) => l.Export(export, name));
}

/// <summary>y = x + inner(x).</summary>
internal sealed class Residual(string name, Layer inner) : Layer(inner.In, inner.Out)
{
    private float[]? sum, gradient;

    public override IEnumerable<Parameter> Parameters => inner.Parameters;

    public override float[] Forward(float[] x, int batch, bool training) => Add(x, inner.Forward(x, batch, training), Room(ref sum, x.Length));

    public override float[] Backward(float[] dy, int batch) => Add(dy, inner.Backward(dy, batch), Room(ref gradient, dy.Length));

    private static float[] Add(float[] a, float[] b, float[] result)
    {
        System.Numerics.Tensors.TensorPrimitives.Add(a, b, result);
        return result;
    }

    public override string Export(OnnxExport export, string input) => export.Node("Add", name, [input, inner.Export(export, input)]);
}

internal sealed class Relu(string name, Shape shape) : Layer(shape, shape)
{
    private float[]? y, gradient;

    public override float[] Forward(float[] x, int batch, bool training)
    {
        System.Numerics.Tensors.TensorPrimitives.Max(x, 0f, Room(ref y, x.Length));
        return y!;
    }

    public override float[] Backward(float[] dy, int batch)
    {
        var dx = Room(ref gradient, dy.Length);
        for (var i = 0; i < dx.Length; i++) dx[i] = y![i] > 0 ? dy[i] : 0;
        return dx;
    }

    public override string Export(OnnxExport export, string input) => export.Node("Relu", name, [input]);
}

/// <summary>Mean over the plane: [C, N, H, W] to [C, N].</summary>
internal sealed class GlobalAverage(string name, Shape shape) : Layer(shape, new Shape(shape.Channels, 1, 1))
{
    private float[]? y, gradient;

    public override float[] Forward(float[] x, int batch, bool training)
    {
        var means = Room(ref y, In.Channels * batch);
        for (var i = 0; i < means.Length; i++)
        {
            var sum = 0f;
            for (var p = 0; p < In.Plane; p++) sum += x[i * In.Plane + p];
            means[i] = sum / In.Plane;
        }
        return means;
    }

    public override float[] Backward(float[] dy, int batch)
    {
        var dx = Room(ref gradient, dy.Length * In.Plane);
        for (var i = 0; i < dx.Length; i++) dx[i] = dy[i / In.Plane] / In.Plane;
        return dx;
    }

    public override string Export(OnnxExport export, string input) =>
        export.Node("Flatten", name + "/flatten", [export.Node("GlobalAveragePool", name, [input])]);
}

/// <summary>Fully connected: [C, N] to [classes, N].</summary>
internal sealed class Linear : Layer
{
    private readonly string name;
    private readonly Parameter weight, bias;
    private float[]? x, y, gradient, transposed;

    public Linear(string name, int channels, int classes, Random random) : base(new Shape(channels, 1, 1), new Shape(classes, 1, 1))
    {
        this.name = name;
        weight = new Parameter(name + ".weight", [classes, channels], decays: true);
        bias = new Parameter(name + ".bias", [classes], decays: false);
        var bound = Math.Sqrt(3.0 / channels);
        foreach (ref var w in weight.Value.AsSpan()) w = (float)((2 * random.NextDouble() - 1) * bound);
    }

    public override IEnumerable<Parameter> Parameters => [weight, bias];

    public override float[] Forward(float[] input, int batch, bool training)
    {
        x = input;
        Gemm.Multiply(weight.Value, 0, x, 0, Room(ref y, Out.Channels * batch), 0, Out.Channels, In.Channels, batch);
        for (var i = 0; i < y!.Length; i++) y[i] += bias.Value[i / batch];
        return y;
    }

    public override float[] Backward(float[] dy, int batch)
    {
        Gemm.MultiplyByTransposed(dy, 0, x!, 0, weight.Gradient, 0, Out.Channels, In.Channels, batch);
        Array.Clear(bias.Gradient);
        for (var i = 0; i < dy.Length; i++) bias.Gradient[i / batch] += dy[i];
        Gemm.Transpose(weight.Value, 0, Room(ref transposed, weight.Value.Length), Out.Channels, In.Channels);
        Gemm.Multiply(transposed!, 0, dy, 0, Room(ref gradient, In.Channels * batch), 0, In.Channels, Out.Channels, batch);
        return gradient!;
    }

    public override string Export(OnnxExport export, string input) =>
        export.Node("Gemm", name, [input, export.Initializer(weight), export.Initializer(bias)], ("transB", [1]));
}
