namespace CompressOnBuild.Testing;

/// <summary>Damaged copies of a file, as bad disks, transfers and attackers make them.</summary>
public static class Fuzz
{
    /// <summary>Bits and bytes changed, a piece cut out, repeated, zeroed or exchanged, or the end cut off; rarely nothing.</summary>
    public static byte[] Damage(ReadOnlySpan<byte> file, Random random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var bytes = file.ToArray();
        for (var changes = 1 + random.Next(3); changes > 0 && bytes.Length > 8; changes--)
        {
            // The beginning decides most: every second change hits it.
            var at = random.Next(2) == 0 ? random.Next(Math.Min(bytes.Length, 200)) : random.Next(bytes.Length);
            var length = Math.Min(bytes.Length - at, 1 + random.Next(16));
            switch (random.Next(7))
            {
                case 0 or 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes[at] = (byte)random.Next(256); break;
                case 3: bytes = [.. bytes[..at], .. bytes[(at + length)..]]; break;
                case 4: bytes = [.. bytes[..(at + length)], .. bytes[at..]]; break;
                case 5: bytes.AsSpan(at, length).Fill((byte)(random.Next(2) * 255)); break;
                default: bytes = bytes[..Math.Max(8, at)]; break;
            }
        }
        return bytes;
    }
}
