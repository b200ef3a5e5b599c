using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CompressOnBuild.Samples.Train;

/// <summary>testassets/samples/tones: sequences in .npz, an LSTM and a Gemm.</summary>
internal static class ToneSample
{
    private const int ValidationCount = 1000, CalibrationCount = 64, Hidden = 128;

    public static bool Make(string folder, int steps)
    {
        Directory.CreateDirectory(folder);
        var validation = Draw(Seeds.Validation, ValidationCount);
        Write(Path.Combine(folder, "val.npz"), validation, labelled: true);
        Write(Path.Combine(folder, "calib.npz"), Draw(Seeds.Calibration, CalibrationCount), labelled: false);

        var random = new Random(Seeds.Training);
        var network = new Sequence(
            new Lstm("lstm", ToneSequence.Bands, ToneSequence.Frames, Hidden, random),
            new Linear("classifier", Hidden, ToneSequence.Classes.Length, random));
        var trainer = new Trainer(network, steps, peakRate: 0.1f, seed =>
        {
            var sequences = Draw(seed, Trainer.Batch);
            return (Frames(sequences), [.. sequences.Select(s => s.Label)]);
        });
        trainer.Train();

        var path = Path.Combine(folder, "tones.onnx");
        File.WriteAllBytes(path, OnnxExport.Export("tones", network, "frames", [ToneSequence.Frames, ToneSequence.Bands], ToneSequence.Classes));
        return Check(path, network, validation);
    }

    private static ToneSequence[] Draw(int firstSeed, int count)
    {
        var sequences = new ToneSequence[count];
        Parallel.For(0, count, i => sequences[i] = new ToneSequence(firstSeed + i));
        return sequences;
    }

    /// <summary>[bands, frames, N] of a batch.</summary>
    private static float[] Frames(ToneSequence[] sequences)
    {
        var values = new float[sequences.Length * ToneSequence.Frames * ToneSequence.Bands];
        for (var i = 0; i < values.Length; i++)
        {
            int n = i % sequences.Length, t = i / sequences.Length % ToneSequence.Frames, band = i / sequences.Length / ToneSequence.Frames;
            values[i] = sequences[n].Values[t * ToneSequence.Bands + band];
        }
        return values;
    }

    private static void Write(string path, ToneSequence[] sequences, bool labelled)
    {
        using var npz = new NpzWriter(path);
        npz.Add("frames", sequences.SelectMany(s => s.Values).ToArray(), sequences.Length, ToneSequence.Frames, ToneSequence.Bands);
        if (labelled) npz.Add("labels", sequences.Select(s => (long)s.Label).ToArray(), sequences.Length);
    }

    private static bool Check(string model, Layer network, ToneSequence[] validation)
    {
        using var session = new InferenceSession(model);
        var check = new ParityCheck(ToneSequence.Classes.Length);
        foreach (var batch in validation.Chunk(Trainer.Batch))
        {
            var input = new DenseTensor<float>(batch.SelectMany(s => s.Values).ToArray(), [batch.Length, ToneSequence.Frames, ToneSequence.Bands]);
            using var results = session.Run([NamedOnnxValue.CreateFromTensor("frames", input)]);
            var expected = batch.Length == Trainer.Batch ? network.Forward(Frames(batch), batch.Length, training: false) : null;
            check.Add(results[0].AsTensor<float>().ToArray(), expected, [.. batch.Select(s => s.Label)]);
        }
        return check.Report(model);
    }
}
