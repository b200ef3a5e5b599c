namespace CompressOnBuild.Transport;

/// <summary>Writes what the range decoder of <see cref="PackedModelStream"/> reads (G. N. N. Martin: Range encoding, 1979), with carries held back.</summary>
internal sealed class RangeEncoder : PackedModelStream.BinaryCoder
{
    private readonly List<byte> output = [];
    private ulong low;
    private uint range = uint.MaxValue;
    private byte held;
    private long heldBytes = 1;

    internal override int Code(int bit, int zero)
    {
        var bound = (range >> 16) * (uint)zero;
        if (bit == 0) range = bound;
        else
        {
            low += bound;
            range -= bound;
        }
        while (range < 1u << 24)
        {
            range <<= 8;
            Shift();
        }
        return bit;
    }

    /// <summary>All that was written. The first byte, always 0, and up to four zeros at the end are left out.</summary>
    public byte[] Finish()
    {
        for (var i = 0; i < 5; i++) Shift();
        var end = output.Count;
        while (end > 1 && end > output.Count - 4 && output[end - 1] == 0) end--;
        return [.. output[1..end]];
    }

    private void Shift()
    {
        if ((uint)low < 0xff000000u || low >> 32 != 0)
        {
            var carry = (byte)(low >> 32);
            for (; heldBytes > 0; heldBytes--, held = 0xff) output.Add((byte)(held + carry));
            held = (byte)(low >> 24);
        }
        heldBytes++;
        low = (uint)low << 8;
    }
}

/// <summary>Counts what decisions cost instead of writing them.</summary>
internal sealed class DecisionCost : PackedModelStream.BinaryCoder
{
    private static readonly float[] Costs = [.. Enumerable.Range(0, 4097).Select(i => (float)-BinaryLogarithm.Of(Math.Max(i, 0.5) / 4096))];

    /// <summary>In bits, so far.</summary>
    public double Bits { get; private set; }

    internal override int Code(int bit, int zero)
    {
        Bits += Costs[(bit == 0 ? zero : 65536 - zero) >> 4];
        return bit;
    }
}
