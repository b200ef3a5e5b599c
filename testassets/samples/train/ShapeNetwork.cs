namespace CompressOnBuild.Samples.Train;

/// <summary>
/// The sample's network: plain, depthwise separable and residual convolutions, each with batch normalisation and ReLU, then a global mean and a Gemm.
/// </summary>
internal static class ShapeNetwork
{
    public static Layer Create(Random random)
    {
        var at = new Shape(3, ShapePicture.Side, ShapePicture.Side);
        var layers = new List<Layer>();
        void Block(string name, int channels, int kernel = 3, int stride = 1, int groups = 1)
        {
            layers.AddRange(ConvNorm(name, at, channels, kernel, stride, groups, random, first: layers.Count == 0));
            at = layers[^1].Out;
            layers.Add(new Relu(name + "/relu", at));
        }
        void ResidualBlock(string name)
        {
            layers.Add(new Residual(name + "/add", new Sequence(
            [
                .. ConvNorm(name + "/1", at, at.Channels, 3, 1, 1, random),
                new Relu(name + "/1/relu", at),
                .. ConvNorm(name + "/2", at, at.Channels, 3, 1, 1, random),
            ])));
            layers.Add(new Relu(name + "/relu", at));
        }
        void SeparableBlock(string name, int channels)
        {
            Block(name + "/depthwise", at.Channels, groups: at.Channels);
            Block(name + "/pointwise", channels, kernel: 1);
        }

        Block("stem", 16);
        Block("stage1", 32, stride: 2);
        SeparableBlock("stage1/separable", 64);
        Block("stage2", 64, stride: 2);
        ResidualBlock("stage2/residual");
        Block("stage3", 128, stride: 2);
        SeparableBlock("stage3/separable", 192);
        layers.Add(new GlobalAverage("pool", at));
        layers.Add(new Linear("classifier", at.Channels, ShapePicture.Classes.Length, random));
        return new Sequence([.. layers]);
    }

    private static Layer[] ConvNorm(string name, Shape input, int channels, int kernel, int stride, int groups, Random random, bool first = false)
    {
        var conv = new Conv(name + "/conv", input, channels, kernel, stride, groups, random, first);
        return [conv, new BatchNorm(name + "/norm", conv.Out)];
    }
}
