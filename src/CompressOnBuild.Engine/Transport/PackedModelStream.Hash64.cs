// A part of PackedModelStream, compiled into accessors too: the checksum.
namespace CompressOnBuild.Transport
{
    internal sealed partial class PackedModelStream
    {
        /// <summary>XXH64 (Y. Collet) of what was added so far.</summary>
        internal sealed class Hash64
        {
            private const ulong P1 = 0x9E3779B185EBCA87, P2 = 0xC2B2AE3D27D4EB4F, P3 = 0x165667B19E3779F9, P4 = 0x85EBCA77C2B2AE63, P5 = 0x27D4EB2F165667C5;

            private readonly byte[] block = new byte[32];
            private ulong a = unchecked(P1 + P2), b = P2, c, d = unchecked(0 - P1), total;
            private int held;

            [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)]
            internal void Add(byte[] bytes, int from, int to)
            {
                unchecked
                {
                    total += (ulong)(to - from);
                    while (from < to)
                    {
                        if (held == 0)
                            for (; to - from >= 32; from += 32)
                            {
                                a = Round(a, Word(bytes, from)); b = Round(b, Word(bytes, from + 8)); c = Round(c, Word(bytes, from + 16)); d = Round(d, Word(bytes, from + 24));
                            }
                        int count = global::System.Math.Min(32 - held, to - from);
                        global::System.Buffer.BlockCopy(bytes, from, block, held, count);
                        from += count;
                        held += count;
                        if (held < 32) continue;
                        a = Round(a, Word(block, 0)); b = Round(b, Word(block, 8)); c = Round(c, Word(block, 16)); d = Round(d, Word(block, 24));
                        held = 0;
                    }
                }
            }

            internal ulong Value
            {
                get
                {
                    unchecked
                    {
                        ulong h = P5;
                        if (total >= 32)
                        {
                            h = Left(a, 1) + Left(b, 7) + Left(c, 12) + Left(d, 18);
                            h = (h ^ Round(0, a)) * P1 + P4;
                            h = (h ^ Round(0, b)) * P1 + P4;
                            h = (h ^ Round(0, c)) * P1 + P4;
                            h = (h ^ Round(0, d)) * P1 + P4;
                        }
                        h += total;
                        int i = 0;
                        for (; i + 8 <= held; i += 8) h = Left(h ^ Round(0, Word(block, i)), 27) * P1 + P4;
                        if (i + 4 <= held)
                        {
                            h = Left(h ^ (uint)(block[i] | block[i + 1] << 8 | block[i + 2] << 16 | block[i + 3] << 24) * P1, 23) * P2 + P3;
                            i += 4;
                        }
                        for (; i < held; i++) h = Left(h ^ block[i] * P5, 11) * P1;
                        h = (h ^ h >> 33) * P2;
                        h = (h ^ h >> 29) * P3;
                        return h ^ h >> 32;
                    }
                }
            }

            private static ulong Round(ulong lane, ulong word) { unchecked { return Left(lane + word * P2, 31) * P1; } }
            private static ulong Left(ulong value, int count) { return value << count | value >> (64 - count); }

            private static ulong Word(byte[] b, int i)
            {
                // One load, where numbers lie in memory as in the file; by bytes this was a seventh of the time that a model takes.
                if (global::System.BitConverter.IsLittleEndian) return global::System.BitConverter.ToUInt64(b, i);
                unchecked
                {
                    return (uint)(b[i] | b[i + 1] << 8 | b[i + 2] << 16 | b[i + 3] << 24) | (ulong)(uint)(b[i + 4] | b[i + 5] << 8 | b[i + 6] << 16 | b[i + 7] << 24) << 32;
                }
            }
        }
    }
}
