using System.Buffers.Binary;
using CompressOnBuild.Onnx;
using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// Packs a model file for transport: <see cref="PackedModelStream"/> has the format and its sources. For each tensor every way to code it is priced
/// and the cheapest taken; equal models give equal bytes, whatever the number of threads.
/// </summary>
internal static class ModelPacker
{
    /// <summary>Shorter tensors are text: a record of their own would cost more than it saves.</summary>
    private const int LeastTensor = 64;
    /// <summary>Longer planes are not adaptive: those bits are read one by one.</summary>
    private const int MostAdaptive = 4096;
    /// <summary>The gain that is worth reading bits one by one, as a share of the plane.</summary>
    private const double MostOfRaw = 1 - 1.0 / 32;
    /// <summary>Tensors up to this size that repeat others or themselves are text, which finds repetitions.</summary>
    private const int MostText = 1 << 16;

    /// <summary>The packed model.</summary>
    /// <exception cref="InvalidOperationException">A bug: it did not decode to the same bytes.</exception>
    public static byte[] Pack(byte[] model, int threads, CancellationToken cancel = default)
    {
        var parts = Parts(model);
        var choices = new (PlaneRecord Record, double Bits)[parts.Count][];
        // Largest first: they decide when the last thread is ready.
        Parallel.ForEach(Enumerable.Range(0, parts.Count).OrderByDescending(i => parts[i].Span.Length).ThenBy(i => i),
            new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, i => choices[i] = Choose(model, parts[i]));
        var packed = Write(model, parts, choices);
        Verify(model, packed);
        return packed;
    }

    /// <summary>Decodes as an application will.</summary>
    private static void Verify(byte[] model, byte[] packed)
    {
        using var stream = new PackedModelStream(new MemoryStream(packed));
        if (stream.Length != model.Length || !stream.ReadToEnd().AsSpan().SequenceEqual(model)) throw new InvalidOperationException("the packed model does not decode to the model");
    }

    /// <summary>A tensor that gets a record of its own.</summary>
    private sealed record Part(TensorSpan Span, int Width, bool Rotated, long[] RowLengths)
    {
        public int Elements => Span.Length / Width;
    }

    private static List<Part> Parts(byte[] model)
    {
        var spans = TensorSpans.Of(model).Where(s => s.Length >= LeastTensor).ToList();
        var seen = spans.Where(s => s.Length <= MostText).GroupBy(s => Content(model, s)).ToDictionary(g => g.Key, g => g.Count());
        var shapes = spans.Select(s => s.Shape).Concat(TensorSpans.Of(model).Where(s => s.Type == ElementType.Int64 && s.Length <= LeastTensor).Select(s => Numbers(model, s))).Where(s => s.Length > 1).ToList();
        var parts = new List<Part>();
        foreach (var span in spans)
        {
            var width = span.Type.Bits() switch { 16 => 2, 32 => 4, 64 => 8, _ => 1 };
            if (span.Length % width != 0) width = 1;
            if (span.Length <= MostText && (seen[Content(model, span)] > 1 || Repeats(model.AsSpan(span.Offset, span.Length), width))) continue;
            parts.Add(new Part(span, width, width > 1 && span.Type.IsFloat(), [.. RowLengths(span, span.Length / width, shapes)]));
        }
        return parts;
    }

    private static UInt128 Content(byte[] model, TensorSpan span) => BinaryPrimitives.ReadUInt128LittleEndian(System.Security.Cryptography.SHA256.HashData(model.AsSpan(span.Offset, span.Length)));

    private static long[] Numbers(byte[] model, TensorSpan span) => [.. Enumerable.Range(0, span.Length / 8).Select(i => BinaryPrimitives.ReadInt64LittleEndian(model.AsSpan(span.Offset + 8 * i)))];

    /// <summary>Few different elements: indices, masks, one number everywhere.</summary>
    private static bool Repeats(ReadOnlySpan<byte> bytes, int width)
    {
        if (width == 1) return false;
        var different = new HashSet<ulong>();
        Span<byte> element = stackalloc byte[8];
        for (var i = 0; i < bytes.Length; i += width)
        {
            bytes.Slice(i, width).CopyTo(element);
            different.Add(BinaryPrimitives.ReadUInt64LittleEndian(element));
        }
        return different.Count <= bytes.Length / width / 4;
    }

    /// <summary>Elements of a row: of each leading part of the shape; of packed codes, whose tensor is flat, by the shapes that the model restores; of what has none, fixed ones.</summary>
    private static IEnumerable<long> RowLengths(TensorSpan span, long elements, List<long[]> shapes)
    {
        long rest = elements;
        var found = new List<long>();
        foreach (var dimension in span.Shape.Take(span.Shape.Length - 1))
            if (dimension > 0 && rest % dimension == 0) found.Add(rest /= dimension);
        if (span.Shape.Length == 1)
        {
            foreach (var shape in shapes)
            {
                var product = shape.Aggregate(1L, (a, d) => d > 0 && a < 1L << 40 ? a * d : 0);
                if (product % elements == 0 && product / elements is 2 or 4 or 8 && shape[0] > 0) found.Add(elements / shape[0]);
            }
            found.Add(64);
            found.Add(256);
        }
        return found.Where(l => l >= 4 && l <= elements / 4).Distinct().Take(4);
    }

    private static byte[] Plane(byte[] model, Part part, int p)
    {
        var (plane, width) = (new byte[part.Elements], part.Width);
        for (var i = 0; i < plane.Length; i++)
        {
            var at = part.Span.Offset + i * width;
            // Rotated left by one bit: a byte takes its lowest bit from the top of the one below it.
            plane[i] = !part.Rotated ? model[at + p] : (byte)(model[at + p] << 1 | model[at + (p + width - 1) % width] >> 7);
        }
        return plane;
    }

    /// <summary>For each plane what takes the fewest bits; what it costs adaptively depends on those before it, and is compared when it is written.</summary>
    private static (PlaneRecord Record, double Bits)[] Choose(byte[] model, Part part) => [.. Enumerable.Range(0, part.Width).Select(p =>
    {
        var plane = Plane(model, part, p);
        // Whole numbers of a weight may be multiples of one in each row: where they were quantized before, to fewer levels.
        var length = part.Span.Type == ElementType.Int8 && part.Span.Shape.Length > 1 && part.Span.Shape[0] > 0 && part.Elements % part.Span.Shape[0] == 0 ? part.Elements / part.Span.Shape[0] : 0;
        var best = PlaneChoice.Best(plane, part.RowLengths, length);
        return best.Bits < 8.0 * plane.Length ? best : (new PlaneRecord { Kind = PlaneRecord.Raw }, 8.0 * plane.Length);
    })];

    private static byte[] Write(byte[] model, List<Part> parts, (PlaneRecord Record, double Bits)[][] choices)
    {
        var text = Text(model, parts);
        var tokens = TextParse.Parse(text);
        var (coder, models, trial, payload) = (new RangeEncoder(), new Models(text.Length), new Models(text.Length), new MemoryStream());
        var (at, token) = (0, 0);
        var contexts = new byte[Chunk];
        for (var i = 0; i <= parts.Count; i++)
        {
            var part = i < parts.Count ? parts[i] : null;
            var gap = (part?.Span.Offset ?? model.Length) - at;
            if (part is null && gap == 0) break;
            var planes = part is null ? [] : Enumerable.Range(0, part.Width).Select(p => Plane(model, part, p)).ToArray();
            var record = part is null ? new TensorRecord() : new TensorRecord { Elements = part.Elements, Width = part.Width, Rotated = part.Rotated, Planes = [.. choices[i].Select(c => c.Record)] };
            for (var p = 0; p < planes.Length; p++)
                if (planes[p].Length <= MostAdaptive && AdaptiveBits(trial, record.Set(p), planes[p]) is var bits && bits < choices[i][p].Bits && bits < MostOfRaw * 8 * planes[p].Length) record.Planes[p] = new PlaneRecord { Kind = PlaneRecord.Adaptive };
            var encoders = record.Planes?.Select(p => p.Kind == PlaneRecord.Rans ? new RansEncoder(p) : null).ToArray();
            models.Number(coder, Models.TextLength, gap);
            models.Tensor(coder, record, long.MaxValue);
            for (var left = gap; left > 0; left--)
                if (models.Text.IsInMatch) models.Text.Copy();
                else
                {
                    var next = tokens[token++];
                    models.Text.Token(coder, ref next);
                    if (next.Length > 0) models.Text.Copy();
                }
            for (var first = 0; first < (part?.Elements ?? 0); first += Chunk)
                for (var p = 0; p < planes.Length; p++)
                    WriteChunk(planes[p].AsSpan(first, Math.Min(Chunk, planes[p].Length - first)), first, record, p, encoders![p]);
            at += gap + (part?.Span.Length ?? 0);
        }
        return Assembled(model, text.Length, coder.Finish(), payload);

        void WriteChunk(ReadOnlySpan<byte> chunk, int first, TensorRecord record, int p, RansEncoder? encoder)
        {
            var plane = record.Planes[p];
            if (plane.Kind == PlaneRecord.Raw) payload.Write(chunk);
            else if (plane.Kind == PlaneRecord.Adaptive)
                foreach (var symbol in chunk) models.Symbol(coder, record.Set(p), symbol);
            else
            {
                plane.Contexts(contexts, first, chunk.Length);
                var words = encoder!.Encode(Strides.Divided(chunk, first, plane), contexts);
                models.Number(coder, Models.WordCount, words.Length);
                Span<byte> bytes = stackalloc byte[4];
                foreach (var word in words)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(bytes, word);
                    payload.Write(bytes);
                }
            }
        }
    }

    private static double AdaptiveBits(Models trial, int set, byte[] plane)
    {
        var cost = new DecisionCost();
        foreach (var symbol in plane) trial.Symbol(cost, set, symbol);
        return cost.Bits;
    }

    private static byte[] Text(byte[] model, List<Part> parts)
    {
        var text = new MemoryStream();
        var at = 0;
        foreach (var part in parts)
        {
            text.Write(model, at, part.Span.Offset - at);
            at = part.Span.Offset + part.Span.Length;
        }
        text.Write(model, at, model.Length - at);
        return text.ToArray();
    }

    private static byte[] Assembled(byte[] model, int text, byte[] adaptive, MemoryStream payload)
    {
        var packed = new MemoryStream();
        packed.Write("COB"u8);
        packed.WriteByte(PackedModelStream.Version);
        Varint(model.Length);
        Varint(text);
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, Hash(model));
        packed.Write(number);
        Varint(adaptive.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(number, (uint)Hash(packed.ToArray()));
        packed.Write(number[..4]);
        packed.Write(adaptive);
        payload.WriteTo(packed);
        return packed.ToArray();

        void Varint(long value)
        {
            for (; value > 127; value >>= 7) packed.WriteByte((byte)(value & 127 | 128));
            packed.WriteByte((byte)value);
        }
    }

    private static ulong Hash(byte[] bytes)
    {
        var hash = new Hash64();
        hash.Add(bytes, 0, bytes.Length);
        return hash.Value;
    }
}
