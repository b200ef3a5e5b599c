using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Sounds;

/// <summary>Which part of a sound that is too long stays.</summary>
internal enum Crop { Start, Center, End }

/// <summary>Where silence goes when a sound is too short, or whether the sound is repeated instead.</summary>
internal enum Pad { End, Start, Both, Repeat }

/// <summary>
/// evaluation.json's <c>audio</c>: how a recording becomes the model's input. All keys are optional.
/// <code>{ "sampleRate": 16000, "resample": true, "length": 16000, "crop": "center", "pad": "end", "frame": 512, "hop": 512, "lead": 64 }</code>
/// <paramref name="SampleRate"/>: samples per second that the model expects. <paramref name="Resample"/>: recordings of other rates are
/// converted; without it they are an error. <paramref name="Length"/>: samples of every input; else the input's own fixed length, else each
/// recording's. <paramref name="Crop"/> and <paramref name="Pad"/>: what is done with recordings that are longer or shorter; without them such
/// are an error. <paramref name="Frame"/>: a recording is a sequence of runs on so many samples each (stateful models), a new one every
/// <paramref name="Hop"/> samples, <paramref name="Lead"/> zeros standing before the first; an incomplete last one is left out.
/// </summary>
internal sealed record SoundSettings(int? SampleRate = null, bool Resample = false, int? Length = null, Crop? Crop = null, Pad? Pad = null, int? Frame = null, int? Hop = null, int Lead = 0)
{
    public const int HighestRate = 768_000;

    private static readonly Dictionary<string, Crop> Crops = new(StringComparer.Ordinal) { ["start"] = Sounds.Crop.Start, ["center"] = Sounds.Crop.Center, ["end"] = Sounds.Crop.End };
    private static readonly Dictionary<string, Pad> Pads = new(StringComparer.Ordinal) { ["end"] = Sounds.Pad.End, ["start"] = Sounds.Pad.Start, ["both"] = Sounds.Pad.Both, ["repeat"] = Sounds.Pad.Repeat };

    /// <exception cref="CompressionException">An unknown key, a value out of range, or keys that contradict each other.</exception>
    public static SoundSettings Read(PositionedJson json, string key)
    {
        var settings = new SoundSettings();
        foreach (var (name, value) in json.AsObject(key))
            settings = name.Text switch
            {
                "sampleRate" => settings with { SampleRate = value.AsInt(name.Text, 1, HighestRate) },
                "resample" => settings with { Resample = value.AsBool(name.Text) },
                "length" => settings with { Length = value.AsInt(name.Text, 1, WavFile.MostSamples) },
                "crop" => settings with { Crop = Choice(Crops, name.Text, value) },
                "pad" => settings with { Pad = Choice(Pads, name.Text, value) },
                "frame" => settings with { Frame = value.AsInt(name.Text, 1, WavFile.MostSamples) },
                "hop" => settings with { Hop = value.AsInt(name.Text, 1, WavFile.MostSamples) },
                "lead" => settings with { Lead = value.AsInt(name.Text, 0, 1 << 20) },
                _ => throw name.Error($"the key '{name.Text}' of '{key}' is unknown. Valid keys are sampleRate, resample, length, crop, pad, frame, hop, lead. Correct or remove it."),
            };
        if (settings.Resample && settings.SampleRate is null) throw json.Error("'resample' is true but 'sampleRate' does not say to which rate. Give 'sampleRate', samples per second.");
        if (settings.Frame is null && (settings.Hop is not null || settings.Lead > 0)) throw json.Error("'hop' and 'lead' belong to 'frame', which is not given. Give 'frame', the samples of one run, or remove them.");
        if (settings.Frame is not null && (settings.Length ?? (object?)settings.Crop ?? settings.Pad) is not null)
            throw json.Error("'frame' cuts a recording into runs, so 'length', 'crop' and 'pad' mean nothing beside it. Remove them, or 'frame'.");
        return settings;
    }

    private static T Choice<T>(Dictionary<string, T> valid, string key, PositionedJson value) =>
        valid.TryGetValue(value.AsString(key), out var choice) ? choice : throw value.Invalid(key, "one of " + string.Join(", ", valid.Keys));

    /// <summary>The samples cut or filled up to <paramref name="length"/>.</summary>
    /// <exception cref="CompressionException">COB1141: another length, and nothing says what to do with it.</exception>
    public float[] Fit(float[] samples, int length, string file)
    {
        if (samples.Length == length) return samples;
        var result = new float[length];
        if (samples.Length > length)
        {
            var from = Crop switch
            {
                Sounds.Crop.Start => 0, Sounds.Crop.Center => (samples.Length - length) / 2, Sounds.Crop.End => samples.Length - length,
                _ => throw Differs("crop", "start, center or end, the part that stays"),
            };
            samples.AsSpan(from, length).CopyTo(result);
            return result;
        }
        if (Pad == Sounds.Pad.Repeat)
        {
            for (var at = 0; at < length; at += samples.Length) samples.AsSpan(0, Math.Min(samples.Length, length - at)).CopyTo(result.AsSpan(at));
            return result;
        }
        samples.CopyTo(result, Pad switch
        {
            Sounds.Pad.End => 0, Sounds.Pad.Both => (length - samples.Length) / 2, Sounds.Pad.Start => length - samples.Length,
            _ => throw Differs("pad", "end, start or both, where silence is put, or repeat"),
        });
        return result;

        CompressionException Differs(string key, string valid) => new(Codes.SoundMismatch,
            $"the recording has {samples.Length} samples but the model's input takes {length}. Valid are recordings of that length, or '{key}' in evaluation.json's 'audio' ({valid}). Add it, or cut the recording.", file);
    }
}
