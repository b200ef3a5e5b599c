namespace CompressOnBuild.Samples.Train;

/// <summary>
/// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), equations and gate order i, o, f, c of ONNX's LSTM.
/// x [F, T, N] (in Shape: F channels, height T, width 1, but frames outside samples) to the last hidden state [H, N].
/// </summary>
internal sealed class Lstm : Layer
{
    private readonly string name;
    private readonly int hidden, frames;
    private readonly Parameter input, recurrent, bias;
    private float[]? x, gates, cells, cellTanh, states, recurrence, gateGradient, stateGradient, transposed, columns;

    public Lstm(string name, int features, int frames, int hidden, Random random)
        : base(new Shape(features, frames, 1), new Shape(hidden, 1, 1))
    {
        (this.name, this.hidden, this.frames) = (name, hidden, frames);
        input = new Parameter(name + ".W", [1, 4 * hidden, features], decays: true);
        recurrent = new Parameter(name + ".R", [1, 4 * hidden, hidden], decays: true);
        bias = new Parameter(name + ".B", [1, 8 * hidden], decays: false);
        foreach (var p in new[] { input, recurrent })
            foreach (ref var w in p.Value.AsSpan()) w = (float)((2 * random.NextDouble() - 1) / Math.Sqrt(hidden));
        // A forget gate that begins open lets the gradient reach the first frames (Jozefowicz et al. 2015).
        bias.Value.AsSpan(2 * hidden, hidden).Fill(1);
    }

    public override IEnumerable<Parameter> Parameters => [input, recurrent, bias];

    public override float[] Forward(float[] sequence, int batch, bool training)
    {
        int row = frames * batch, size = hidden * batch;
        x = sequence;
        Gemm.Multiply(input.Value, 0, x, 0, Room(ref gates, 4 * hidden * row), 0, 4 * hidden, In.Channels, row);
        Room(ref cells, frames * size);
        Room(ref cellTanh, frames * size);
        Room(ref states, (frames + 1) * size);
        Room(ref recurrence, 4 * size);
        for (var t = 0; t < frames; t++)
        {
            Gemm.Multiply(recurrent.Value, 0, states!, t * size, recurrence!, 0, 4 * hidden, hidden, batch);
            var frame = t;
            Parallel.For(0, hidden, h => Step(frame, h, batch));
        }
        return states![^size..];
    }

    private void Step(int t, int h, int batch)
    {
        int row = frames * batch, size = hidden * batch;
        Span<float> gate = stackalloc float[4];
        for (var n = 0; n < batch; n++)
        {
            for (var k = 0; k < 4; k++)
            {
                ref var slot = ref gates![(k * hidden + h) * row + t * batch + n];
                var sum = slot + recurrence![(k * hidden + h) * batch + n] + bias.Value[k * hidden + h];
                gate[k] = slot = k == 3 ? MathF.Tanh(sum) : 1 / (1 + MathF.Exp(-sum));
            }
            int at = t * size + h * batch + n;
            var before = t == 0 ? 0 : cells![at - size];
            cells![at] = gate[2] * before + gate[0] * gate[3];
            cellTanh![at] = MathF.Tanh(cells[at]);
            states![at + size] = gate[1] * cellTanh[at];
        }
    }

    public override float[] Backward(float[] dy, int batch)
    {
        int row = frames * batch, size = hidden * batch;
        Room(ref gateGradient, 4 * hidden * row);
        Room(ref stateGradient, size);
        dy.CopyTo(stateGradient!, 0);
        var cellGradient = new float[size];
        Gemm.Transpose(recurrent.Value, 0, Room(ref transposed, recurrent.Value.Length), 4 * hidden, hidden);
        for (var t = frames - 1; t >= 0; t--)
        {
            var frame = t;
            Parallel.For(0, hidden, h => StepBack(frame, h, batch, cellGradient));
            Gemm.Multiply(transposed!, 0, recurrence!, 0, stateGradient!, 0, hidden, 4 * hidden, batch);
        }

        // States before each frame as rows [H, T, N], so that all frames' weight gradients are one product.
        Room(ref columns, hidden * row);
        for (var t = 0; t < frames; t++)
            for (var h = 0; h < hidden; h++) Array.Copy(states!, t * size + h * batch, columns!, h * row + t * batch, batch);
        Gemm.MultiplyByTransposed(gateGradient!, 0, columns!, 0, recurrent.Gradient, 0, 4 * hidden, hidden, row);
        Gemm.MultiplyByTransposed(gateGradient!, 0, x!, 0, input.Gradient, 0, 4 * hidden, In.Channels, row);
        for (var g = 0; g < 4 * hidden; g++)
        {
            var sum = 0f;
            foreach (var d in gateGradient.AsSpan(g * row, row)) sum += d;
            bias.Gradient[g] = sum;
        }
        return [];
    }

    private void StepBack(int t, int h, int batch, float[] cellGradient)
    {
        int row = frames * batch, size = hidden * batch;
        for (var n = 0; n < batch; n++)
        {
            int at = t * size + h * batch + n, unit = h * batch + n;
            int Gate(int k) => (k * hidden + h) * row + t * batch + n;
            float i = gates![Gate(0)], o = gates[Gate(1)], f = gates[Gate(2)], c = gates[Gate(3)], tanh = cellTanh![at];
            var dh = stateGradient![unit];
            var dc = cellGradient[unit] + dh * o * (1 - tanh * tanh);
            ReadOnlySpan<float> d = [dc * c * i * (1 - i), dh * tanh * o * (1 - o), t == 0 ? 0 : dc * cells![at - size] * f * (1 - f), dc * i * (1 - c * c)];
            for (var k = 0; k < 4; k++) gateGradient![Gate(k)] = recurrence![(k * hidden + h) * batch + n] = d[k];
            cellGradient[unit] = dc * f;
        }
    }

    /// <summary>The model takes [batch, frames, features]; ONNX's LSTM wants frames first.</summary>
    public override string Export(OnnxExport export, string input)
    {
        var byFrame = export.Node("Transpose", name + "/by_frame", [input], ("perm", [1, 0, 2]));
        var last = export.Node("LSTM", name, [byFrame, export.Initializer(this.input), export.Initializer(recurrent), export.Initializer(bias)], outputsBefore: 1, ("hidden_size", [hidden]));
        return export.Node("Squeeze", name + "/squeeze", [last, export.Initializer(name + ".direction", [0L], 1)]);
    }
}
