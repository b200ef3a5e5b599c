using CompressOnBuild.Techniques.Quantization;

namespace CompressOnBuild.Engine.Tests.Techniques.Quantization;

[TestClass]
public class SaturationSafetyTests
{
    private const int Largest = short.MaxValue / byte.MaxValue; // 128: 255 * 128 still fits 16 bits

    [TestMethod]
    [DataRow(32, 16, 3, 3)]
    [DataRow(8, 64, 1, 1)]
    [DataRow(4, 3, 5, 5)]
    [DataRow(16, 1, 3, 3)]
    public void NeighbouringCodesOfAConvolutionNeverOverflow16Bits(int outputs, int inputs, int height, int width)
    {
        var weights = Weights(outputs * inputs * height * width);
        var quantized = RoundToNearest.Quantize(weights, [outputs, inputs, height, width], [0], saturationSafe: true);
        var kernel = height * width;
        for (var m = 0; m < outputs; m++)
        {
            var kernelLast = Enumerable.Range(0, inputs * kernel).Select(i => (int)quantized.Codes[m * inputs * kernel + i]).ToArray();
            var channelsLast = Enumerable.Range(0, kernel).SelectMany(k => Enumerable.Range(0, inputs).Select(c => (int)quantized.Codes[(m * inputs + c) * kernel + k])).ToArray();
            Assert.IsTrue(LargestPair(kernelLast) <= Largest, $"kernel last: {LargestPair(kernelLast)}");
            Assert.IsTrue(LargestPair(channelsLast) <= Largest, $"channels last: {LargestPair(channelsLast)}");
        }
    }

    [TestMethod]
    public void NeighbouringCodesOfAMatrixNeverOverflow16Bits()
    {
        var quantized = RoundToNearest.Quantize(Weights(64 * 48), [64, 48], [1], saturationSafe: true);
        for (var n = 0; n < 48; n++)
            Assert.IsTrue(LargestPair([.. Enumerable.Range(0, 64).Select(k => (int)quantized.Codes[k * 48 + n])]) <= Largest);
    }

    [TestMethod]
    public void TheBoundCostsLessThanHalvingTheCodes()
    {
        var weights = Weights(64 * 256);
        double safe = Error(true, 8), halved = Error(false, 7), full = Error(false, 8);
        Assert.IsTrue(safe < 0.7 * halved, $"pair bound {safe}, 7 bits {halved}, 8 bits {full}");
        Assert.IsTrue(full <= safe);

        double Error(bool safe, int bits) => weights.Zip(RoundToNearest.Quantize(weights, [64, 256], [0], bits, saturationSafe: safe).Decompress()).Sum(p => Math.Pow((double)p.First - p.Second, 2));
    }

    private static int LargestPair(int[] codes) => codes.Zip(codes.Skip(1)).Max(p =>
        Math.Max(Math.Max(p.First, 0) + Math.Max(p.Second, 0), Math.Max(-p.First, 0) + Math.Max(-p.Second, 0)));

    private static float[] Weights(int count)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() + random.NextDouble() - 2))];
    }
}
