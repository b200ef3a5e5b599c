using System.Buffers.Binary;
using CompressOnBuild.Diagnostics;
using NAudio.Dsp;
using NAudio.Wave;
using NAudio.Wave.SampleProviders;

namespace CompressOnBuild.Evaluation.Datasets.Sounds;

/// <summary>
/// A .wav file as one channel of floats: PCM of 8, 16, 24 and 32 bits is divided by 2^7, 2^15, 2^23 and 2^31, floats stay; several channels
/// become their mean. NAudio decodes; what the header claims is checked before.
/// </summary>
internal static class WavFile
{
    /// <summary>Longest recording, in samples of one channel, before and after a change of its rate: 70 minutes at 16 kHz.</summary>
    public const int MostSamples = 1 << 26;
    private const long LargestFile = 1L << 30;
    private const int MostChunks = 1000, MostChannels = 64;

    /// <summary>The samples at the rate that is stored, or at <paramref name="settings"/>' own where it asks for resampling.</summary>
    /// <exception cref="CompressionException">COB1140: damaged, or stored in a form that is not read. COB1141: another rate than asked for.</exception>
    public static (float[] Samples, int Rate) Read(string file, SoundSettings settings)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        CheckChunks(stream, file);
        try
        {
            stream.Position = 0;
            using var reader = new WaveFileReader(stream);
            var format = reader.WaveFormat;
            CheckFormat(format, file);
            var frames = reader.Length / format.BlockAlign;
            var rate = settings.Resample ? settings.SampleRate!.Value : format.SampleRate;
            if (settings.SampleRate is { } asked && asked != rate)
                throw new CompressionException(Codes.SoundMismatch, $"the recording has {rate} samples a second but evaluation.json's 'audio' says that the model takes {asked}. Valid are recordings of that rate. Convert it, correct 'sampleRate', or set 'resample' to true.", file);
            if (frames == 0) throw Unreadable("holds no sound", file);
            if (frames > MostSamples || (double)frames * rate / format.SampleRate > MostSamples)
                throw new CompressionException(Codes.DataTooLarge, $"the recording has {frames} samples{(rate == format.SampleRate ? "" : $", {(double)frames * rate / format.SampleRate:0} at {rate} a second")}; at most {MostSamples} are valid. Cut it into pieces.", file);
            var mono = Mono(reader.ToSampleProvider(), (int)frames, format.Channels, file);
            return (rate == format.SampleRate ? mono : Resampled(mono, format.SampleRate, rate), rate);
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or ArgumentException or InvalidOperationException or NotSupportedException or EndOfStreamException or OverflowException)
        {
            throw Unreadable($"cannot be decoded: {e.Message.TrimEnd('.')}", file, e);
        }
    }

    /// <summary>Walks the chunks of the RIFF file: what they claim has to be there, before anything is allocated for it.</summary>
    private static void CheckChunks(FileStream stream, string file)
    {
        if (stream.Length > LargestFile) throw new CompressionException(Codes.DataTooLarge, $"the recording has {stream.Length} bytes; at most {LargestFile} are valid. Cut it into pieces.", file);
        Span<byte> head = stackalloc byte[12];
        if (stream.ReadAtLeast(head, 12, throwOnEndOfStream: false) < 12 || !head[..4].SequenceEqual("RIFF"u8) || !head[8..].SequenceEqual("WAVE"u8)) throw Unreadable("does not begin as a RIFF WAVE file does", file);
        bool format = false, data = false;
        for (var count = 0; stream.Position + 8 <= stream.Length; count++)
        {
            if (count == MostChunks) throw Unreadable($"has more than {MostChunks} chunks", file);
            stream.ReadExactly(head[..8]);
            long size = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
            var isData = head[..4].SequenceEqual("data"u8);
            if (size > stream.Length - stream.Position)
                throw Unreadable(isData ? $"claims {size} bytes of sound but holds {stream.Length - stream.Position}" : $"claims a chunk of {size} bytes but ends after {stream.Length - stream.Position}", file);
            format |= head[..4].SequenceEqual("fmt "u8);
            data |= isData;
            stream.Position = Math.Min(stream.Length, stream.Position + size + (size & 1)); // chunks begin at even places
        }
        if (!format || !data) throw Unreadable($"has no {(format ? "sound ('data')" : "format ('fmt ')")} chunk", file);
    }

    private static void CheckFormat(WaveFormat format, string file)
    {
        if (format.Channels is < 1 or > MostChannels) throw Unreadable($"claims {(ushort)format.Channels} channels (1 to {MostChannels} are valid)", file);
        if (format.SampleRate is < 1 or > SoundSettings.HighestRate) throw Unreadable($"claims {format.SampleRate} samples a second (1 to {SoundSettings.HighestRate} are valid)", file);
        var standard = format is WaveFormatExtensible extensible ? extensible.ToStandardWaveFormat() : format;
        var served = (standard.Encoding, standard.BitsPerSample) is (WaveFormatEncoding.Pcm, 8 or 16 or 24 or 32) or (WaveFormatEncoding.IeeeFloat, 32 or 64);
        if (!served) throw Unreadable($"is stored as {standard.Encoding} of {standard.BitsPerSample} bits", file);
        if (format.BlockAlign != format.Channels * format.BitsPerSample / 8) throw Unreadable($"claims {format.BlockAlign} bytes for {format.Channels} samples of {format.BitsPerSample} bits", file);
    }

    private static float[] Mono(ISampleProvider source, int frames, int channels, string file)
    {
        var mono = new float[frames];
        var buffer = new float[channels * 4096];
        for (var at = 0; at < frames;)
        {
            var read = source.Read(buffer.AsSpan(0, Math.Min(buffer.Length, (frames - at) * channels))) / channels;
            if (read == 0) throw Unreadable($"ends after {at} of {frames} samples", file);
            for (var i = 0; i < read; i++, at++)
            {
                double sum = 0;
                for (var c = 0; c < channels; c++) sum += buffer[i * channels + c];
                mono[at] = (float)(sum / channels);
                if (!float.IsFinite(mono[at])) throw Unreadable($"holds a sample ({at}) that is no number", file);
            }
        }
        return mono;
    }

    /// <summary>By an interpolated windowed sinc of 64 taps, which cuts off what the lower of both rates cannot hold.</summary>
    private static float[] Resampled(float[] samples, int from, int to)
    {
        const int Block = 4096;
        var resampler = new WdlResampler();
        resampler.SetMode(true, 0, true, 64, 32);
        resampler.SetFeedMode(false);
        resampler.SetRates(from, to);
        var result = new float[((long)samples.Length * to + from - 1) / from];
        int read = 0, written = 0;
        while (written < result.Length)
        {
            var block = Math.Min(Block, result.Length - written);
            var wanted = resampler.ResamplePrepare(block, 1, out Span<float> buffer);
            var given = Math.Min(wanted, samples.Length - read);
            samples.AsSpan(read, given).CopyTo(buffer);
            read += given;
            var made = resampler.ResampleOut(result.AsSpan(written), given, block, 1);
            if (made == 0) break;
            written += made;
        }
        return result[..written];
    }

    private static CompressionException Unreadable(string what, string file, Exception? inner = null) => new(Codes.SoundUnreadable,
        $"the recording {what}. Valid are .wav files of PCM with 8, 16, 24 or 32 bits and of floats. Save it again, or remove it from the data.", file, inner: inner);
}
