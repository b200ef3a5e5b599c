// A part of PackedModelStream, compiled into accessors too: the bytes of the graph.
namespace CompressOnBuild.Transport
{
    internal sealed partial class PackedModelStream
    {
        /// <summary>A literal (length 0) or a match: one of the recent distances by its index, or (-1) a new one.</summary>
        internal struct TextToken
        {
            internal byte Literal;
            internal int Length, Recent, Distance;
        }

        /// <summary>The graph's bytes: matches in a window of 1 MiB with four recent distances, and literals by mixed contexts. One object reads or writes one text.</summary>
        internal sealed class TextModel
        {
            internal const int LargestWindow = 1 << 20, Recent = 4, LeastMatch = 3, LeastRecent = 2, MostMatch = 1 << 16;
            private const int Orders = 4, Inputs = Orders + 1;

            internal readonly int[] Distances = { 1, 1, 1, 1 };
            private readonly byte[] window;
            private readonly int hashBits = 8;
            private readonly int[] isMatch = new int[27 * 256], isRecent = new int[27], which = new int[27 * 4];
            private readonly NumberModel lengths = new NumberModel(2), distances = new NumberModel(4);
            private readonly int[][] literal = new int[Inputs][];
            private readonly int[] place = new int[Inputs];
            private readonly Mixer mixer = new Mixer(Inputs, 3 * 256);
            private int written, history, matchLeft;

            /// <summary>For <paramref name="length"/> bytes of text: its tables are no larger than they need.</summary>
            internal TextModel(long length)
            {
                int size = 1 << 10;
                while (size < length && size < LargestWindow) size *= 2;
                window = new byte[size];
                while (hashBits < 16 && 1 << hashBits < 4 * size) hashBits++;
                literal[0] = new int[256];
                for (int i = 1; i < Inputs; i++) literal[i] = new int[i == Orders ? 65536 : 1 << hashBits];
            }

            internal bool IsInMatch { get { return matchLeft > 0; } }

            internal byte Next(BinaryCoder coder)
            {
                if (matchLeft == 0)
                {
                    var token = new TextToken();
                    Token(coder, ref token);
                    if (token.Length == 0) return token.Literal;
                }
                return Copy();
            }

            /// <summary>The next byte of the match that was begun.</summary>
            internal byte Copy()
            {
                matchLeft--;
                return Append(window[written - Distances[0] & window.Length - 1]);
            }

            /// <summary>A literal, which is appended, or the begin of a match, which is not.</summary>
            internal void Token(BinaryCoder coder, ref TextToken token)
            {
                int state = history;
                if (coder.Bit(isMatch, state * 256 + Last(1), token.Length > 0 ? 1 : 0) == 0)
                {
                    token.Length = 0;
                    token.Literal = Literal(coder, token.Literal);
                    history = history % 9 * 3;
                    return;
                }
                int from;
                if (coder.Bit(isRecent, state, token.Recent >= 0 ? 1 : 0) == 1)
                {
                    token.Recent = coder.Tree(which, state * 4, 2, token.Recent);
                    token.Length = LeastRecent + (int)global::System.Math.Min(lengths.Code(coder, 0, unchecked((uint)(token.Length - LeastRecent))), MostMatch);
                    token.Distance = Distances[token.Recent];
                    from = token.Recent;
                    history = history % 9 * 3 + 1;
                }
                else
                {
                    token.Recent = -1;
                    token.Length = LeastMatch + (int)global::System.Math.Min(lengths.Code(coder, 1, unchecked((uint)(token.Length - LeastMatch))), MostMatch);
                    token.Distance = 1 + (int)global::System.Math.Min(distances.Code(coder, global::System.Math.Min(token.Length - LeastMatch, 3), unchecked((uint)(token.Distance - 1))), LargestWindow);
                    from = Recent - 1;
                    history = history % 9 * 3 + 2;
                }
                for (int i = from; i > 0; i--) Distances[i] = Distances[i - 1];
                Distances[0] = token.Distance;
                if (token.Distance > written || token.Distance > window.Length || token.Length > MostMatch) throw Damaged("its graph refers to what is not there");
                matchLeft = token.Length;
            }

            [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)]
            private byte Literal(BinaryCoder coder, byte value)
            {
                unchecked
                {
                    uint h = 0;
                    for (int order = 1; order < Orders; order++)
                    {
                        h = (h + (uint)Last(order) + 1) * 0x2F0B4C47u;
                        place[order] = (int)(h >> 32 - hashBits);
                    }
                    // What would follow if the last match had gone on.
                    int expected = written >= Distances[0] ? window[written - Distances[0] & window.Length - 1] : 0;
                    place[Orders] = expected << 8;
                    int bits = value, node = 1, agrees = history % 3 == 0 ? 1 : 2;
                    while (node < 256)
                    {
                        for (int i = 0; i < Inputs; i++) mixer.Input(i, literal[i][Slot(i, node)]);
                        int bit = coder.Code(bits >> 7 & 1, mixer.Mix(agrees * 256 + node));
                        mixer.Update(bit);
                        for (int i = 0; i < Inputs; i++) Probability.Update(ref literal[i][Slot(i, node)], bit);
                        bits <<= 1;
                        if (bit != (expected >> 7 & 1)) agrees = 0;
                        expected <<= 1;
                        node = node << 1 | bit;
                    }
                    return Append((byte)node);
                }
            }

            // Hashed contexts share a table: the nodes of one are spread over it.
            private int Slot(int input, int node)
            {
                return input == 0 ? node : input == Orders ? place[input] | node : (place[input] ^ node * 0x9E35) & (1 << hashBits) - 1;
            }

            private int Last(int back) { return window[written - back & window.Length - 1]; }

            private byte Append(byte value)
            {
                window[written & window.Length - 1] = value;
                if (++written == 2 * window.Length) written = window.Length; // the same place, and the whole window is there
                return value;
            }
        }
    }
}
