namespace CompressOnBuild.Samples.Train;

/// <summary>
/// One labelled melody as a spectrogram: 32 frames of 16 bands, a tone whose pitch moves, an overtone, noise and gaps.
/// Values are multiples of 1/16, so that the compressed .npz stays small.
/// </summary>
internal sealed class ToneSequence
{
    public const int Frames = 32;
    public const int Bands = 16;

    public static readonly string[] Classes = ["steady", "rising", "falling", "peak", "valley", "step up", "step down", "trill"];

    private const int Steps = 16;

    /// <summary>[frame, band], 0 to 2.</summary>
    public float[] Values { get; } = new float[Frames * Bands];

    public int Label { get; }

    /// <summary>The same seed gives the same sequence; the label is drawn too.</summary>
    public ToneSequence(int seed)
    {
        var random = new Random(Seeds.Mix(seed));
        Label = random.Next(Classes.Length);
        double extent = Between(random, 1.8, 6), low = Between(random, 0.5, Bands - 1.5 - extent), middle = Between(random, 0.3, 0.7);
        double period = Between(random, 3, 8), loudness = Between(random, 0.5, 1.2), overtone = Between(random, 0, 0.6);
        double noise = Between(random, 0.05, 0.3), width = Between(random, 0.6, 1.1), wobble = Between(random, 0, 0.35), hum = Between(random, 0, Bands);
        int start = random.Next(0, 5), end = Frames - random.Next(0, 5);
        int gap = random.Next(start, end), gapLength = random.Next(0, 4);
        for (var frame = 0; frame < Frames; frame++)
        {
            var sounds = frame >= start && frame < end && (frame < gap || frame >= gap + gapLength);
            var time = (double)(frame - start) / (end - start - 1);
            var pitch = low + extent * Contour(time, middle, (frame - start) / period) + wobble * (2 * random.NextDouble() - 1);
            for (var band = 0; band < Bands; band++)
            {
                var value = noise * (random.NextDouble() + random.NextDouble()) + 0.25 * Bump(band - hum, 0.5);
                if (sounds) value += loudness * (Bump(band - pitch, width) + overtone * Bump(band - pitch - 4, width));
                Values[frame * Bands + band] = (float)(Math.Round(Math.Min(value, 2) * Steps) / Steps);
            }
        }
    }

    /// <summary>Pitch from 0 to 1 over time from 0 to 1.</summary>
    private double Contour(double time, double middle, double cycles) => Classes[Label] switch
    {
        "steady" => 0.5,
        "rising" => time,
        "falling" => 1 - time,
        "peak" => time < middle ? time / middle : (1 - time) / (1 - middle),
        "valley" => time < middle ? 1 - time / middle : (time - middle) / (1 - middle),
        "step up" => time < middle ? 0 : 1,
        "step down" => time < middle ? 1 : 0,
        _ => cycles - Math.Floor(cycles) < 0.5 ? 0.2 : 0.8,
    };

    private static double Bump(double distance, double width) => Math.Exp(-distance * distance / (2 * width * width));

    private static double Between(Random random, double low, double high) => low + (high - low) * random.NextDouble();
}
