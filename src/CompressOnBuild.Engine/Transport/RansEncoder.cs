using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// Interleaved rANS: the encoder to the decoder of <see cref="PackedModelStream"/>, whose symbols and steps it reverses. Pairs are pushed from
/// the last to the first and words are written backwards, so that the decoder reads both forwards.
///   3' if x >= f f' (2^64 / M^2), with f' of the pair's other symbol: word = x mod 2^32; x = x div 2^32
///   2' for the pair's second symbol and then for its first: x = M (x div f) + c + x mod f
/// </summary>
internal sealed class RansEncoder
{
    // For each context and symbol.
    private readonly uint[] f, c;

    public RansEncoder(PlaneRecord record)
    {
        (f, c) = (new uint[record.Tables.Length << 8], new uint[record.Tables.Length << 8]);
        for (var context = 0; context < record.Tables.Length; context++)
        {
            var frequencies = record.Tables[context].Frequencies();
            var before = 0;
            for (var s = 0; s < 256; before += frequencies[s++]) (f[context << 8 | s], c[context << 8 | s]) = ((uint)frequencies[s], (uint)before);
        }
    }

    /// <summary>The words of one chunk: the states, then what they take in.</summary>
    public uint[] Encode(ReadOnlySpan<byte> elements, ReadOnlySpan<byte> contexts)
    {
        var paired = Paired(elements.Length);
        var words = new uint[2 * States + paired / 2];
        var next = words.Length;
        Span<ulong> states = [1ul << 32, 1ul << 32, 1ul << 32, 1ul << 32];
        for (var j = 0; paired + j < elements.Length; j++) states[j / 4] |= (ulong)elements[paired + j] << 8 * (j % 4);
        for (var i = paired - 2; i >= 0; i -= 2)
        {
            ref var x = ref states[i / 2 % States];
            int first = contexts[i] << 8 | elements[i], second = contexts[i + 1] << 8 | elements[i + 1];
            if (x >= (ulong)f[first] * f[second] << 64 - 2 * SymbolTable.Bits) // 3'
            {
                words[--next] = (uint)x;
                x >>= 32;
            }
            x = Pushed(Pushed(x, second), first);
        }
        for (var k = States - 1; k >= 0; k--)
        {
            words[--next] = (uint)(states[k] >> 32);
            words[--next] = (uint)states[k];
        }
        return words[next..];
    }

    private ulong Pushed(ulong x, int symbol) => (x / f[symbol] << SymbolTable.Bits) + c[symbol] + x % f[symbol]; // 2'
}
