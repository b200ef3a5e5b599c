using Demo;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

using var session = CompressedModels.Shapes.CreateSession();
string[] classes = session.ModelMetadata.CustomMetadataMap["classes"].Split(',');
Console.WriteLine($"{CompressedModels.Shapes.ResourceName} in this program: {CompressedModels.Shapes.ToArray().Length} bytes");

Predict("a disc", (x, y) => x * x + y * y < 0.5);
Predict("a disc with a hole", (x, y) => x * x + y * y is > 0.2 and < 0.6);
Predict("a box", (x, y) => Math.Max(Math.Abs(x), Math.Abs(y)) < 0.6);
Predict("two crossed bars", (x, y) => Math.Min(Math.Abs(x), Math.Abs(y)) < 0.2 && Math.Max(Math.Abs(x), Math.Abs(y)) < 0.7);

// Draws a picture of 32 x 32 pixels, orange on blue, and asks the model what it sees. x and y run from -1 to 1.
void Predict(string drawn, Func<double, double, bool> isInside)
{
    const int Side = 32;
    float[] inside = [0.9f, 0.6f, 0.2f], outside = [0.2f, 0.3f, 0.5f];
    var pixels = new DenseTensor<float>([1, 3, Side, Side]);
    for (int channel = 0; channel < 3; channel++)
        for (int row = 0; row < Side; row++)
            for (int column = 0; column < Side; column++)
            {
                float value = isInside((column + 0.5) / Side * 2 - 1, (row + 0.5) / Side * 2 - 1) ? inside[channel] : outside[channel];
                pixels[0, channel, row, column] = (value - 0.5f) / 0.25f; // as models/preprocessor_config.json says
            }
    using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(CompressedModels.Shapes.Inputs.Pixels, pixels)]);
    float[] logits = [.. outputs[0].AsEnumerable<float>()];
    int best = Array.IndexOf(logits, logits.Max());
    Console.WriteLine($"{drawn,-20} -> {classes[best]} ({1 / logits.Sum(l => Math.Exp(l - logits[best])):P0})");
}
