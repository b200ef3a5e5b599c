// A part of PackedModelStream, compiled into accessors too: binary decisions with adaptive probabilities, and numbers made of them.
namespace CompressOnBuild.Transport
{
    internal sealed partial class PackedModelStream
    {
        /// <summary>Codes binary decisions. Reading and writing share all that predicts them: who reads ignores the decision it is given.</summary>
        internal abstract class BinaryCoder
        {
            /// <summary>The decision; <paramref name="zero"/> is the probability that it is 0, in 1/65536, within 1 to 65535.</summary>
            internal abstract int Code(int bit, int zero);

            /// <summary>The lowest <paramref name="count"/> bits of a number, 0 and 1 alike.</summary>
            internal uint Plain(uint value, int count)
            {
                uint read = 0;
                for (int i = count - 1; i >= 0; i--) read = read << 1 | (uint)Code((int)(value >> i & 1), 1 << 15);
                return read;
            }

            /// <summary>A decision by an adaptive probability.</summary>
            [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)]
            internal int Bit(int[] probabilities, int index, int bit)
            {
                bit = Code(bit, Probability.OfZero(probabilities[index]));
                Probability.Update(ref probabilities[index], bit);
                return bit;
            }

            /// <summary>A number of <paramref name="count"/> bits, the highest first, each by the probability of its place in a tree.</summary>
            [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)]
            internal int Tree(int[] probabilities, int offset, int count, int value)
            {
                int node = 1;
                for (int i = count - 1; i >= 0; i--) node = node << 1 | Bit(probabilities, offset + node, value >> i & 1);
                return node - (1 << count);
            }
        }

        /// <summary>Reads decisions (G. N. N. Martin: Range encoding, 1979).</summary>
        private sealed class RangeDecoder : BinaryCoder
        {
            private readonly byte[] bytes;
            private int next;
            private uint code, range = uint.MaxValue;

            internal RangeDecoder(byte[] bytes)
            {
                this.bytes = bytes;
                for (int i = 0; i < 4; i++) Shift();
            }

            [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)]
            internal override int Code(int bit, int zero)
            {
                unchecked
                {
                    uint bound = (range >> 16) * (uint)zero;
                    if (code < bound)
                    {
                        range = bound;
                        bit = 0;
                    }
                    else
                    {
                        code -= bound;
                        range -= bound;
                        bit = 1;
                    }
                    while (range < 1u << 24)
                    {
                        range <<= 8;
                        Shift();
                    }
                    return bit;
                }
            }

            private void Shift()
            {
                // Zeros at the end are not stored.
                if (next > bytes.Length + 8) throw Damaged("it ends too early");
                code = code << 8 | (uint)(next < bytes.Length ? bytes[next] : 0);
                next++;
            }
        }

        /// <summary>An adaptive probability in one int: (probability of zero - 1/2) in 1/65536 above 8 bits that count. 0 is the start.</summary>
        internal static class Probability
        {
            private const int Limit = 60;
            private static readonly int[] Rates = MakeRates();

            internal static int OfZero(int probability) { return (probability >> 8) + 32768; }

            internal static void Update(ref int probability, int bit)
            {
                int count = probability & 255, zero = OfZero(probability);
                zero = bit == 0 ? zero + ((65536 - zero) * Rates[count] >> 15) : zero - (zero * Rates[count] >> 15);
                zero = zero < 24 ? 24 : zero > 65512 ? 65512 : zero;
                probability = (zero - 32768) * 256 + (count < Limit ? count + 1 : count);
            }

            // At first the mean of what was seen, later an exponential one.
            private static int[] MakeRates()
            {
                var rates = new int[Limit + 1];
                for (int i = 0; i <= Limit; i++) rates[i] = 32768 * 2 / (2 * i + 3);
                return rates;
            }
        }

        /// <summary>Weighs predictions by how good they were, in the logistic domain (Mahoney 2005).</summary>
        internal sealed class Mixer
        {
            private static readonly int[] Squashed = MakeSquashed(), Stretched = MakeStretched();

            private readonly int inputs;
            private readonly int[] weights, stretched;
            private int set, one;

            internal Mixer(int inputs, int sets)
            {
                this.inputs = inputs;
                weights = new int[inputs * sets];
                for (int i = 0; i < weights.Length; i++) weights[i] = 65536 * 3 / (2 * inputs + 2);
                stretched = new int[inputs];
            }

            internal void Input(int index, int probability) { stretched[index] = -Stretched[Probability.OfZero(probability) >> 4]; }

            /// <summary>Probability of zero, in 1/65536.</summary>
            internal int Mix(int chosen)
            {
                set = chosen * inputs;
                long sum = 0;
                for (int i = 0; i < inputs; i++) sum += (long)weights[set + i] * stretched[i];
                sum >>= 16;
                one = Squash(sum < -2047 ? -2047 : sum > 2047 ? 2047 : (int)sum);
                int zero = 65536 - one * 16;
                return zero < 32 ? 32 : zero > 65504 ? 65504 : zero;
            }

            internal void Update(int bit)
            {
                unchecked
                {
                    int error = ((bit << 12) - one) * 10;
                    for (int i = 0; i < inputs; i++) weights[set + i] += stretched[i] * error + 0x8000 >> 16;
                }
            }

            /// <summary>4096 / (1 + e^(-x / 256)).</summary>
            private static int Squash(int x) { return Squashed[x + 2047]; }

            // Lines between the 33 points where a float function is computed and rounded: no library's last bit is seen.
            private static int[] MakeSquashed()
            {
                var points = new int[33];
                for (int i = 0; i < 33; i++) points[i] = (int)global::System.Math.Round(4096 / (1 + global::System.Math.Exp((16 - i) / 2.0)));
                var table = new int[4095];
                for (int x = -2047; x <= 2047; x++)
                {
                    int place = x + 2048, left = points[place >> 7], right = points[(place >> 7) + 1];
                    table[x + 2047] = left * (128 - (place & 127)) + right * (place & 127) + 64 >> 7;
                }
                return table;
            }

            private static int[] MakeStretched()
            {
                var table = new int[4096];
                int p = 0;
                for (int x = -2047; x <= 2047; x++)
                    for (; p < 4096 && p <= Squash(x); p++) table[p] = x;
                for (; p < 4096; p++) table[p] = 2047;
                return table;
            }
        }

        /// <summary>Numbers below 2^32 - 1: how many bits, the first three of them, and the rest as it is.</summary>
        internal sealed class NumberModel
        {
            private readonly int[] sizes, heads;

            internal NumberModel(int contexts)
            {
                sizes = new int[contexts * 32];
                heads = new int[contexts * 32 * 8];
            }

            internal uint Code(BinaryCoder coder, int context, uint value)
            {
                unchecked
                {
                    value++;
                    int size = 0;
                    while (size < 31 && value >> size + 1 != 0) size++;
                    size = coder.Tree(sizes, context * 32, 5, size);
                    int head = global::System.Math.Min(size, 3), tail = size - head;
                    uint read = 1u << head | (uint)coder.Tree(heads, (context * 32 + size) * 8, head, (int)(value >> tail) & (1 << head) - 1);
                    return (read << tail | coder.Plain(value, tail)) - 1;
                }
            }

            /// <summary>Small numbers of either sign.</summary>
            internal int Signed(BinaryCoder coder, int context, int value)
            {
                unchecked
                {
                    uint read = Code(coder, context, (uint)(value << 1 ^ value >> 31));
                    return (int)(read >> 1) ^ -(int)(read & 1);
                }
            }
        }
    }
}
