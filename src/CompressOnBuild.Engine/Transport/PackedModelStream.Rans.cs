// A part of PackedModelStream, compiled into accessors too: the symbols of a chunk.
//
// Interleaved rANS (Duda 2013, Giesen 2014), two symbols of a state from refill to refill. x is a state, in [2^32, 2^64) between pairs; M = 2^12 the
// sum of the frequencies of a context; f the frequency of a symbol and c the sum of those before it.
//   1 slot = x mod M; s = the symbol with c <= slot < c + f
//   2 x = f (x div M) + slot - c
//   3 after the second symbol of a pair, if x < 2^32: x = 2^32 x + next word
// A pair is like one symbol among M^2, of which 2^32 is a multiple: who writes knows exactly when the reader takes a word. Of every 8 elements each
// state has two, one beside the other. It ends as 2^32 + 4 elements: of a chunk these are the last 9 to 16, so that whole rounds are before them.
// A slot's word holds all that steps 1 and 2 look up; with M any larger a slot would need two, or the words would leave the first caches.
namespace CompressOnBuild.Transport
{
    internal sealed partial class PackedModelStream
    {
        internal const int States = 4;
        private const int PerRound = 2 * States;

        /// <summary>How many of a chunk's <paramref name="count"/> elements are coded in pairs; what the states end as are the others.</summary>
        internal static int Paired(int count) { return count <= 2 * PerRound ? 0 : (count - PerRound - 1) / PerRound * PerRound; }

        /// <summary>Steps 1 to 3 for all pairs. Step 3 is without a branch, which no processor could predict. No damage leads out of the arrays: a pair takes one word at most.</summary>
        [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)] // AggressiveOptimization, where there is one: models are mostly read once, by code that was not yet hot
        private static void Decode(PlaneRecord record, byte[] target, int count, byte[] contexts, uint[] words, int size)
        {
            unchecked
            {
                uint[] slots = record.Slots;
                int paired = Paired(count), next = 2 * States, i = 0;
                uint e;
                ulong x0 = words[0] | (ulong)words[1] << 32, x1 = words[2] | (ulong)words[3] << 32, x2 = words[4] | (ulong)words[5] << 32, x3 = words[6] | (ulong)words[7] << 32;
                long refill;
                for (; i < paired; i += PerRound)
                {
                    e = slots[contexts[i] << 12 | (int)x0 & 4095]; target[i] = (byte)e; x0 = (e >> 20) * (x0 >> 12) + (e >> 8 & 4095);
                    e = slots[contexts[i + 1] << 12 | (int)x0 & 4095]; target[i + 1] = (byte)e; x0 = (e >> 20) * (x0 >> 12) + (e >> 8 & 4095);
                    refill = (long)(x0 >> 32) - 1 >> 63; x0 = x0 << (int)(refill & 32) | words[next] & (ulong)refill; next -= (int)refill;
                    e = slots[contexts[i + 2] << 12 | (int)x1 & 4095]; target[i + 2] = (byte)e; x1 = (e >> 20) * (x1 >> 12) + (e >> 8 & 4095);
                    e = slots[contexts[i + 3] << 12 | (int)x1 & 4095]; target[i + 3] = (byte)e; x1 = (e >> 20) * (x1 >> 12) + (e >> 8 & 4095);
                    refill = (long)(x1 >> 32) - 1 >> 63; x1 = x1 << (int)(refill & 32) | words[next] & (ulong)refill; next -= (int)refill;
                    e = slots[contexts[i + 4] << 12 | (int)x2 & 4095]; target[i + 4] = (byte)e; x2 = (e >> 20) * (x2 >> 12) + (e >> 8 & 4095);
                    e = slots[contexts[i + 5] << 12 | (int)x2 & 4095]; target[i + 5] = (byte)e; x2 = (e >> 20) * (x2 >> 12) + (e >> 8 & 4095);
                    refill = (long)(x2 >> 32) - 1 >> 63; x2 = x2 << (int)(refill & 32) | words[next] & (ulong)refill; next -= (int)refill;
                    e = slots[contexts[i + 6] << 12 | (int)x3 & 4095]; target[i + 6] = (byte)e; x3 = (e >> 20) * (x3 >> 12) + (e >> 8 & 4095);
                    e = slots[contexts[i + 7] << 12 | (int)x3 & 4095]; target[i + 7] = (byte)e; x3 = (e >> 20) * (x3 >> 12) + (e >> 8 & 4095);
                    refill = (long)(x3 >> 32) - 1 >> 63; x3 = x3 << (int)(refill & 32) | words[next] & (ulong)refill; next -= (int)refill;
                }
                if (next != size || (x0 >> 32 & x1 >> 32 & x2 >> 32 & x3 >> 32) != 1 || (x0 | x1 | x2 | x3) >> 33 != 0) throw Damaged("a tensor does not end where it should");
                for (int j = 0; i < count; i++, j++) target[i] = (byte)((j < 4 ? x0 : j < 8 ? x1 : j < 12 ? x2 : x3) >> 8 * (j & 3));
            }
        }
    }
}
