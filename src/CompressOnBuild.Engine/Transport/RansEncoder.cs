using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// Interleaved rANS: the encoder to the decoder of <see cref="PackedModelStream"/>, whose symbols and steps it reverses. States are pushed from
/// the last element to the first and words are written backwards, so that the decoder reads both forwards.
///   3' while x >= 2^16 f (2^16 / M): word = x mod 2^16; x = x div 2^16
///   2' x = M (x div f) + c + x mod f
/// </summary>
internal static class RansEncoder
{
    /// <summary>The words of one chunk: the four states, then what they take in.</summary>
    public static ushort[] Encode(ReadOnlySpan<byte> elements, ReadOnlySpan<byte> contexts, PlaneRecord record)
    {
        var words = new ushort[elements.Length + 2 * States];
        var next = words.Length;
        Span<uint> states = [Lowest, Lowest, Lowest, Lowest];
        for (var i = elements.Length - 1; i >= 0; i--)
        {
            ref var x = ref states[i % States];
            var e = record.Symbols[contexts[i] << 8 | elements[i]];
            uint f = e >> 16, c = e & 0xffff;
            if (x >= ((ulong)f << 32 - record.Bits)) // 3'
            {
                words[--next] = (ushort)x;
                x >>= 16;
            }
            x = (x / f << record.Bits) + c + x % f; // 2'
        }
        // The decoder's last elements come in turn, too: element i is state i mod 4 to the end, and its loop of single elements rotates.
        for (var k = States - 1; k >= 0; k--)
        {
            words[--next] = (ushort)(states[k] >> 16);
            words[--next] = (ushort)states[k];
        }
        return words[next..];
    }
}
