// A packed model, read as the bytes of its .onnx file. This file is compiled into the engine, which checks with it what it has just packed,
// and into the accessor of every project that ships a packed model: C# 7 without unsafe code, reflection or packages, and no rule of the project
// (overflow checks, nullability, warnings) changes it. Everything is computed in integers: the same bytes on every machine.
//
// J. Duda: Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of arithmetic coding.
// arXiv:1311.2540, 2013. F. Giesen: Interleaved entropy coders. arXiv:1402.3392, 2014.
// J. Ziv, A. Lempel: A universal algorithm for sequential data compression, 1977. M. Mahoney: Adaptive weighing of context models for lossless
// data compression, 2005 (logistic mixing).
//
// The file: "COB", version 1; varint length of the model; XXH64 of the model; varint length of the adaptive stream; the low half of the XXH64 of
// all that (32 bits); the adaptive stream; the payload. Numbers are little-endian. The model is a sequence of records, each
//     text        bytes of the graph (protobuf without large tensors), coded as Lempel-Ziv tokens
//     tensor      its bytes, split into planes (byte p of each element; floats are first rotated left by 1 bit, which brings the exponent into
//                 one byte), a plane in one of three ways:
//       raw       in the payload
//       adaptive  in the adaptive stream, each byte as 8 binary decisions: what is small
//       rans      in the payload, in chunks of 65536 elements: four interleaved rANS states over 16-bit words, with a table of frequencies
//                 for each context. The context of element i is row class [i / row length] + column class [i % row length]: weights of one
//                 channel are spread alike
// Records, texts, tables and classes are in the adaptive stream: binary decisions with adaptive probabilities, by a range coder.
//   Where all elements of a row are multiples of a number (weights that were quantized before), the symbols are the factors.
//   Symbols of rANS: x state, in [2^16, 2^32) between symbols; M = 2^bits sum of frequencies; f frequency and c sum of the frequencies before.
//   1 slot = x mod M; s = the symbol with c <= slot < c + f
//   2 x = f (x div M) + slot - c
//   3 if x < 2^16: x = 2^16 x + next word
namespace CompressOnBuild.Transport
{
    /// <summary>The bytes of a model, decoded as they are read: the graph, then tensor by tensor. Forward only; the length is known. What is damaged is an InvalidDataException, at the latest with the last bytes.</summary>
    internal sealed class PackedModelStream : global::System.IO.Stream
    {
        /// <summary>Elements of a tensor that are decoded at once.</summary>
        internal const int Chunk = 1 << 16;
        internal const int States = 4;
        private const int WordsOfChunk = Chunk + 2 * States + 1;
        internal const uint Lowest = 1u << 16;
        internal const int MaxContexts = 16;
        internal const int Version = 1;

        private readonly global::System.IO.Stream source;
        private readonly long length;
        private readonly ulong expected;
        private readonly Hash64 hash = new Hash64();
        private readonly BinaryCoder coder;
        private readonly Models models;
        private byte[] ready = new byte[Chunk];
        private int at, end;
        private long made;
        private long textLeft;
        private bool broken;
        private TensorRecord tensor;
        private long elementsLeft, elementsMade;
        private byte[] plane = new byte[Chunk], packed = new byte[2 * WordsOfChunk], contexts = new byte[Chunk];
        private ushort[] words = new ushort[WordsOfChunk];

        /// <summary>Takes over <paramref name="source"/>, which starts with the packed model.</summary>
        internal PackedModelStream(global::System.IO.Stream source)
        {
            unchecked
            {
                this.source = source;
                try
                {
                    var header = new byte[40];
                    int size = 0;
                    for (; size < 4; size++) header[size] = Next();
                    if (header[0] != 'C' || header[1] != 'O' || header[2] != 'B' || header[3] != Version) throw Damaged("it does not begin as one of this version does");
                    length = Varint(header, ref size);
                    for (int i = 0; i < 8; i++) expected |= (ulong)(header[size++] = Next()) << (8 * i);
                    long side = Varint(header, ref size);
                    var check = new Hash64();
                    check.Add(header, 0, size);
                    uint stored = 0;
                    for (int i = 0; i < 4; i++) stored |= (uint)Next() << (8 * i);
                    if (stored != (uint)check.Value) throw Damaged("its header is damaged");
                    if (side > int.MaxValue - 64) throw Damaged("its header is damaged");
                    coder = new RangeDecoder(ReadAll((int)side));
                    models = new Models(length);
                    if (length == 0 && expected != hash.Value) throw Damaged("its checksum differs");
                }
                catch
                {
                    source.Dispose();
                    throw;
                }
            }
        }

        public override bool CanRead { get { return true; } }
        public override bool CanSeek { get { return false; } }
        public override bool CanWrite { get { return false; } }
        /// <summary>Bytes of the model.</summary>
        public override long Length { get { return length; } }

        public override long Position
        {
            get { return made - (end - at); }
            set { throw new global::System.NotSupportedException(); }
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (buffer == null) throw new global::System.ArgumentNullException("buffer");
            if (offset < 0 || count < 0 || count > buffer.Length - offset) throw new global::System.ArgumentOutOfRangeException("count");
            if (count == 0) return 0;
            if (broken) throw Damaged("reading it failed before");
            while (at == end)
            {
                if (made == length) return 0;
                broken = true;
                Advance();
                broken = false;
            }
            int copied = global::System.Math.Min(count, end - at);
            global::System.Buffer.BlockCopy(ready, at, buffer, offset, copied);
            at += copied;
            return copied;
        }

        /// <summary>The rest of the model.</summary>
        internal byte[] ReadToEnd()
        {
            if (length - Position > 0x7fffffc7) throw new global::System.IO.InvalidDataException("The packed model is larger than an array can be. Use OpenRead.");
            // Grows with what is really there, so that a false length costs no memory.
            var bytes = new byte[global::System.Math.Min(length - Position, 1 << 24)];
            int size = 0;
            while (true)
            {
                if (size == bytes.Length)
                {
                    if (Position == length) return bytes;
                    global::System.Array.Resize(ref bytes, (int)global::System.Math.Min(2L * bytes.Length, bytes.Length + (length - Position)));
                }
                size += Read(bytes, size, bytes.Length - size);
            }
        }

        public override void Flush() { }
        public override long Seek(long offset, global::System.IO.SeekOrigin origin) { throw new global::System.NotSupportedException(); }
        public override void SetLength(long value) { throw new global::System.NotSupportedException(); }
        public override void Write(byte[] buffer, int offset, int count) { throw new global::System.NotSupportedException(); }

        protected override void Dispose(bool disposing)
        {
            if (disposing) source.Dispose();
            base.Dispose(disposing);
        }

        internal static global::System.IO.InvalidDataException Damaged(string why)
        {
            return new global::System.IO.InvalidDataException("The packed model is damaged: " + why + ". Build the project again; if it travels as a file, copy it again.");
        }

        private byte Next()
        {
            int value = source.ReadByte();
            if (value < 0) throw Damaged("it ends too early");
            return (byte)value;
        }

        private long Varint(byte[] header, ref int size)
        {
            long value = 0;
            for (int shift = 0; shift < 63; shift += 7)
            {
                byte part = header[size++] = Next();
                value |= (long)(part & 127) << shift;
                if (part < 128) return value;
            }
            throw Damaged("its header is damaged");
        }

        private byte[] ReadAll(int count)
        {
            var bytes = new byte[global::System.Math.Min(count, Chunk)];
            for (int size = 0; ; )
            {
                Fill(bytes, size, bytes.Length);
                size = bytes.Length;
                if (size == count) return bytes;
                global::System.Array.Resize(ref bytes, (int)global::System.Math.Min(count, 2L * size));
            }
        }

        private void Fill(byte[] bytes, int from, int to)
        {
            while (from < to)
            {
                int count = source.Read(bytes, from, to - from);
                if (count <= 0) throw Damaged("it ends too early");
                from += count;
            }
        }

        private void Advance()
        {
            unchecked
            {
                at = end = 0;
                if (textLeft == 0 && elementsLeft == 0)
                {
                    textLeft = models.Number(coder, Models.TextLength, 0);
                    tensor = models.Tensor(coder, null, length - made - textLeft);
                    elementsLeft = tensor.Elements;
                    elementsMade = 0;
                    if (textLeft == 0 && elementsLeft == 0 || textLeft > length - made) throw Damaged("its records do not fit");
                }
                if (textLeft > 0)
                {
                    end = (int)global::System.Math.Min(textLeft, Chunk);
                    for (int i = 0; i < end; i++) ready[i] = models.Text.Next(coder);
                    textLeft -= end;
                }
                else
                {
                    int count = (int)global::System.Math.Min(elementsLeft, Chunk);
                    end = count * tensor.Width;
                    if (ready.Length < end) ready = new byte[end];
                    for (int p = 0; p < tensor.Width; p++)
                    {
                        byte[] target = tensor.Width == 1 ? ready : plane;
                        DecodePlane(tensor.Planes[p], p, target, count);
                        if (tensor.Width > 1)
                            for (int i = 0, j = p; i < count; i++, j += tensor.Width) ready[j] = plane[i];
                    }
                    if (tensor.Rotated) RotateRight(ready, end, tensor.Width);
                    elementsLeft -= count;
                    elementsMade += count;
                }
                made += end;
                hash.Add(ready, 0, end);
                if (made == length && hash.Value != expected)
                {
                    end = 0;
                    throw Damaged("its checksum differs");
                }
            }
        }

        private void DecodePlane(PlaneRecord record, int index, byte[] target, int count)
        {
            if (record.Kind == PlaneRecord.Raw) Fill(target, 0, count);
            else if (record.Kind == PlaneRecord.Adaptive)
            {
                for (int i = 0; i < count; i++) target[i] = (byte)models.Symbol(coder, tensor.Set(index), 0);
            }
            else
            {
                int size = (int)models.Number(coder, Models.WordCount, 0);
                if (size < 2 * States || size > count + 2 * States) throw Damaged("a tensor has a wrong length");
                Fill(packed, 0, 2 * size);
                if (global::System.BitConverter.IsLittleEndian) global::System.Buffer.BlockCopy(packed, 0, words, 0, 2 * size);
                else for (int i = 0; i < size; i++) words[i] = (ushort)(packed[2 * i] | packed[2 * i + 1] << 8);
                record.Contexts(contexts, elementsMade, count);
                Decode(record, target, count, contexts, words, size);
                record.Multiply(target, elementsMade, count);
            }
        }

        /// <summary>
        /// Steps 1 to 3 for each element of a chunk; element i belongs to state i mod 4. Step 3 is without a branch, which no processor could
        /// predict. No damage leads out of the arrays: an element takes one word at most.
        /// </summary>
        [global::System.Runtime.CompilerServices.MethodImpl((global::System.Runtime.CompilerServices.MethodImplOptions)512)] // AggressiveOptimization, where there is one: models are mostly read once, by code that was not yet hot
        private static void Decode(PlaneRecord record, byte[] target, int count, byte[] contexts, ushort[] words, int size)
        {
            unchecked
            {
                byte[] slots = record.Slots;
                uint[] symbols = record.Symbols;
                int bits = record.Bits;
                uint mask = (1u << bits) - 1;
                uint x0 = words[0] | (uint)words[1] << 16, x1 = words[2] | (uint)words[3] << 16, x2 = words[4] | (uint)words[5] << 16, x3 = words[6] | (uint)words[7] << 16;
                int next = 2 * States, i = 0, refill;
                uint context, slot, s, e;
                for (; i <= count - States; i += States)
                {
                    context = contexts[i]; slot = x0 & mask; s = slots[(context << bits) + slot]; e = symbols[(context << 8) + s]; target[i] = (byte)s;
                    x0 = (e >> 16) * (x0 >> bits) + slot - (e & 0xffff);
                    refill = (int)(x0 >> 16) - 1 >> 31; x0 = x0 << (refill & 16) | words[next] & (uint)refill; next -= refill;
                    context = contexts[i + 1]; slot = x1 & mask; s = slots[(context << bits) + slot]; e = symbols[(context << 8) + s]; target[i + 1] = (byte)s;
                    x1 = (e >> 16) * (x1 >> bits) + slot - (e & 0xffff);
                    refill = (int)(x1 >> 16) - 1 >> 31; x1 = x1 << (refill & 16) | words[next] & (uint)refill; next -= refill;
                    context = contexts[i + 2]; slot = x2 & mask; s = slots[(context << bits) + slot]; e = symbols[(context << 8) + s]; target[i + 2] = (byte)s;
                    x2 = (e >> 16) * (x2 >> bits) + slot - (e & 0xffff);
                    refill = (int)(x2 >> 16) - 1 >> 31; x2 = x2 << (refill & 16) | words[next] & (uint)refill; next -= refill;
                    context = contexts[i + 3]; slot = x3 & mask; s = slots[(context << bits) + slot]; e = symbols[(context << 8) + s]; target[i + 3] = (byte)s;
                    x3 = (e >> 16) * (x3 >> bits) + slot - (e & 0xffff);
                    refill = (int)(x3 >> 16) - 1 >> 31; x3 = x3 << (refill & 16) | words[next] & (uint)refill; next -= refill;
                }
                for (; i < count; i++)
                {
                    uint x = x0;
                    x0 = x1; x1 = x2; x2 = x3;
                    context = contexts[i]; slot = x & mask; s = slots[(context << bits) + slot]; e = symbols[(context << 8) + s]; target[i] = (byte)s;
                    x = (e >> 16) * (x >> bits) + slot - (e & 0xffff);
                    refill = (int)(x >> 16) - 1 >> 31; x = x << (refill & 16) | words[next] & (uint)refill; next -= refill;
                    x3 = x;
                }
                if (next != size || x0 != Lowest || x1 != Lowest || x2 != Lowest || x3 != Lowest) throw Damaged("a tensor does not end where it should");
            }
        }

        private static void RotateRight(byte[] bytes, int count, int width)
        {
            unchecked
            {
                // By one bit: the bit that was the sign comes back from the lowest place.
                for (int i = 0; i < count; i += width)
                {
                    int carry = bytes[i] & 1;
                    for (int j = i + width - 1; j >= i; j--)
                    {
                        int value = bytes[j];
                        bytes[j] = (byte)(value >> 1 | carry << 7);
                        carry = value & 1;
                    }
                }
            }
        }

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
                unchecked
                {
                    return (uint)(b[i] | b[i + 1] << 8 | b[i + 2] << 16 | b[i + 3] << 24) | (ulong)(uint)(b[i + 4] | b[i + 5] << 8 | b[i + 6] << 16 | b[i + 7] << 24) << 32;
                }
            }
        }

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

            internal TextModel(long length)
            {
                int size = 1 << 10;
                while (size < length && size < LargestWindow) size *= 2;
                window = new byte[size];
                while (hashBits < 16 && 1 << hashBits < size) hashBits++;
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

        /// <summary>All that is learnt from record to record.</summary>
        internal sealed class Models
        {
            internal const int TextLength = 0, Elements = 1, WordCount = 2, RowLength = 3, Centre = 4;
            private const int Sets = 30;

            internal readonly TextModel Text;
            private readonly NumberModel numbers = new NumberModel(5), knots = new NumberModel(4);
            private readonly int[] choices = new int[(Sets + 8) * 16], classes = new int[2 * 17 * 16], ranges = new int[4 * 256], strides = new int[256], sizes = new int[17 * 16], heads = new int[16 * 16];
            private readonly int[] plain = new int[Sets * 256];

            /// <summary>For a model of <paramref name="length"/> bytes.</summary>
            internal Models(long length) { Text = new TextModel(length); }

            internal long Number(BinaryCoder coder, int context, long value) { return numbers.Code(coder, context, unchecked((uint)value)); }

            private int Choice(BinaryCoder coder, int context, int bits, int value) { return coder.Tree(choices, context * 16, bits, value); }

            /// <summary>A byte of an adaptive plane.</summary>
            internal int Symbol(BinaryCoder coder, int set, int value)
            {
                return coder.Tree(plain, set * 256, 8, value);
            }

            /// <summary>What describes a tensor, without its planes' bytes.</summary>
            internal TensorRecord Tensor(BinaryCoder coder, TensorRecord given, long most)
            {
                var record = given ?? new TensorRecord();
                record.Elements = Number(coder, Elements, record.Elements);
                if (record.Elements == 0) return record;
                int kind = Choice(coder, Sets, 3, (record.Rotated ? 3 : 0) + (record.Width == 8 ? 3 : record.Width >> 1));
                if (kind == 7) throw Damaged("a tensor is of no known kind");
                record.Rotated = kind > 3;
                record.Width = record.Rotated ? 1 << kind - 3 : 1 << kind;
                if (record.Elements * record.Width > most) throw Damaged("its records do not fit");
                if (given == null) record.Planes = new PlaneRecord[record.Width];
                for (int p = 0; p < record.Width; p++) record.Planes[p] = Plane(coder, record.Planes[p], record.Set(p), record.Elements);
                return record;
            }

            private PlaneRecord Plane(BinaryCoder coder, PlaneRecord given, int set, long elements)
            {
                var record = given ?? new PlaneRecord();
                record.Kind = Choice(coder, set, 2, record.Kind);
                if (record.Kind > PlaneRecord.Rans) throw Damaged("a tensor is of no known kind");
                if (record.Kind != PlaneRecord.Rans) return record;
                if (Choice(coder, Sets + 6, 1, record.Strides == null ? 0 : 1) == 1)
                {
                    record.StrideLength = 1 + Number(coder, RowLength, record.StrideLength - 1);
                    if (record.StrideLength > elements) throw Damaged("a tensor has a wrong length");
                    if (given == null) record.Strides = new byte[Checked((elements - 1) / record.StrideLength + 1, elements)];
                    for (int i = 0; i < record.Strides.Length; i++) record.Strides[i] = (byte)coder.Tree(strides, 0, 8, record.Strides[i]);
                }
                record.Bits = PlaneRecord.LeastBits + Choice(coder, Sets + 1, 2, record.Bits - PlaneRecord.LeastBits);
                int count = 1 + Choice(coder, Sets + 2, 4, given == null ? 0 : record.Tables.Length - 1);
                if (count > 1)
                {
                    record.RowLength = 1 + Number(coder, RowLength, record.RowLength - 1);
                    if (record.RowLength > elements) throw Damaged("a tensor has a wrong length");
                    int which = Choice(coder, Sets + 3, 2, (record.RowClasses != null ? 1 : 0) + (record.ColumnClasses != null ? 2 : 0));
                    if (given == null)
                    {
                        if ((which & 1) != 0) record.RowClasses = new byte[Checked((elements - 1) / record.RowLength + 1, elements)];
                        if ((which & 2) != 0) record.ColumnClasses = new byte[Checked(record.RowLength, elements)];
                    }
                    Classes(coder, record.RowClasses, 0);
                    Classes(coder, record.ColumnClasses, 1);
                }
                if (given == null) record.Tables = new SymbolTable[count];
                for (int i = 0; i < count; i++) record.Tables[i] = Table(coder, record.Tables[i], i > 0);
                if (given == null) record.Prepare();
                return record;
            }

            // Few elements never have a class of their own, and a false number would cost memory.
            private static long Checked(long classes, long elements)
            {
                if (classes > PlaneRecord.MostClasses(elements)) throw Damaged("a tensor has a wrong length");
                return classes;
            }

            private void Classes(BinaryCoder coder, byte[] given, int context)
            {
                if (given == null) return;
                for (int i = 0, last = 16; i < given.Length; i++) last = given[i] = (byte)coder.Tree(classes, (context * 17 + last) * 16, 4, given[i]);
            }

            private SymbolTable Table(BinaryCoder coder, SymbolTable given, bool follows)
            {
                var table = given ?? new SymbolTable();
                table.IsSmooth = Choice(coder, Sets + 4, 1, table.IsSmooth ? 1 : 0) == 1;
                table.First = coder.Tree(ranges, follows ? 256 : 0, 8, table.First);
                table.Count = 1 + coder.Tree(ranges, follows ? 768 : 512, 8, table.Count - 1);
                if (table.IsSmooth)
                {
                    table.Centre = unchecked((int)Number(coder, Centre, table.Centre));
                    if (table.Centre < 0 || table.Centre >= table.Count) throw Damaged("a table is wrong");
                    int[] places = table.Knots();
                    if (given == null) table.Levels = new int[places.Length];
                    for (int i = 0, last = 0; i < places.Length; i++)
                    {
                        bool isEnd = i == 0 || i == places.Length - 1;
                        last = table.Levels[i] = last + knots.Signed(coder, i == 0 ? 0 : isEnd ? 1 : places[i] <= table.Centre ? 2 : 3, table.Levels[i] - last);
                        if (last < 0 || last > SymbolTable.MostLevel) throw Damaged("a table is wrong");
                    }
                }
                else
                {
                    table.Detail = 1 + Choice(coder, Sets + 5, 2, table.Detail - 1);
                    if (given == null) table.Levels = new int[table.Count];
                    for (int i = 0, last = 16; i < table.Count; i++)
                    {
                        int level = table.Levels[i], size = 0;
                        while (level >> size != 0) size++;
                        last = size = coder.Tree(sizes, last * 16, 4, size);
                        int head = global::System.Math.Min(table.Detail, size - 1), tail = size - 1 - head;
                        table.Levels[i] = size == 0 ? 0 : (1 << head | coder.Tree(heads, size * 16, head, level >> tail & (1 << head) - 1)) << tail;
                    }
                }
                return table;
            }
        }

        /// <summary>A tensor: elements of <see cref="Width"/> bytes, each byte in a plane of its own.</summary>
        internal sealed class TensorRecord
        {
            internal long Elements;
            /// <summary>1, 2, 4 or 8.</summary>
            internal int Width = 1;
            internal bool Rotated;
            internal PlaneRecord[] Planes;

            /// <summary>Which planes learn from each other: those at one place of elements of one kind.</summary>
            internal int Set(int plane) { return (Rotated ? 14 : 0) + Width - 1 + plane; }
        }

        /// <summary>One byte of each element of a tensor.</summary>
        internal sealed class PlaneRecord
        {
            internal const int Raw = 0, Adaptive = 1, Rans = 2, LeastBits = 11;

            internal int Kind;
            /// <summary>M = 2^Bits.</summary>
            internal int Bits = LeastBits;
            internal long RowLength = 1;
            /// <summary>A class below 16 for each row or column; null: all are 0. The highest context takes all sums above it.</summary>
            internal byte[] RowClasses, ColumnClasses;
            internal SymbolTable[] Tables;
            /// <summary>What the elements of each row of StrideLength are multiples of: only the factor is a symbol. Null: of 1.</summary>
            internal byte[] Strides;
            internal long StrideLength = 1;
            /// <summary>For each context the symbol of each slot; for each context and symbol its frequency above the sum of those before.</summary>
            internal byte[] Slots;
            internal uint[] Symbols;

            internal static long MostClasses(long elements) { return global::System.Math.Min(4096 + elements / 8, 1 << 20); }

            internal void Prepare()
            {
                Slots = new byte[Tables.Length << Bits];
                Symbols = new uint[Tables.Length << 8];
                for (int context = 0, slot = 0; context < Tables.Length; context++)
                {
                    int[] frequencies = Tables[context].Frequencies(Bits);
                    uint before = 0;
                    for (int symbol = 0; symbol < 256; symbol++)
                    {
                        int frequency = frequencies[symbol];
                        Symbols[context << 8 | symbol] = (uint)frequency << 16 | before & 0xffff;
                        before += (uint)frequency;
                        for (int end = slot + frequency; slot < end; slot++) Slots[slot] = (byte)symbol;
                    }
                }
            }

            /// <summary>Symbols to elements.</summary>
            internal void Multiply(byte[] symbols, long first, int count)
            {
                unchecked
                {
                    if (Strides == null) return;
                    long row = first / StrideLength, column = first % StrideLength;
                    for (int i = 0; i < count; row++, column = 0)
                    {
                        int stride = Strides[row], end = (int)global::System.Math.Min(count, i + StrideLength - column);
                        if (stride == 1) i = end;
                        else for (; i < end; i++) symbols[i] = (byte)(symbols[i] * stride);
                    }
                }
            }

            /// <summary>The contexts of <paramref name="count"/> elements from <paramref name="first"/> on.</summary>
            internal void Contexts(byte[] contexts, long first, int count)
            {
                if (Tables.Length == 1)
                {
                    global::System.Array.Clear(contexts, 0, count);
                    return;
                }
                long row = first / RowLength;
                int column = (int)(first % RowLength), highest = Tables.Length - 1;
                for (int i = 0; i < count; row++, column = 0)
                {
                    int shared = RowClasses == null ? 0 : RowClasses[row], end = (int)global::System.Math.Min(count, i + RowLength - column);
                    if (ColumnClasses == null)
                        for (byte context = (byte)global::System.Math.Min(shared, highest); i < end; i++) contexts[i] = context;
                    else
                        for (; i < end; i++, column++) contexts[i] = (byte)global::System.Math.Min(shared + ColumnClasses[column], highest);
                }
            }
        }

        /// <summary>How often the symbols of one context are: of each, or as a curve through knots.</summary>
        internal sealed class SymbolTable
        {
            internal const int MostLevel = 8 * 20;
            private static readonly int[] Distances = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192 };
            private static readonly int[] Powers = MakePowers();

            internal bool IsSmooth;
            /// <summary>The symbols are First, First + 1, ... modulo 256.</summary>
            internal int First, Count = 1;
            /// <summary>Of a curve: the symbol around which the knots are dense, from First on.</summary>
            internal int Centre;
            /// <summary>Bits of a weight below its highest.</summary>
            internal int Detail = 1;
            /// <summary>The weight of each symbol, below 2^15; or of each knot 8 times its logarithm to base 2.</summary>
            internal int[] Levels;

            /// <summary>Places of the knots, from First on: around the centre, and two at each end, where what was clipped gathers.</summary>
            internal int[] Knots()
            {
                var isKnot = new bool[Count];
                isKnot[0] = isKnot[Count - 1] = isKnot[global::System.Math.Min(1, Count - 1)] = isKnot[global::System.Math.Max(0, Count - 2)] = true;
                foreach (int distance in Distances)
                {
                    if (Centre - distance >= 0) isKnot[Centre - distance] = true;
                    if (Centre + distance < Count) isKnot[Centre + distance] = true;
                }
                int count = 0;
                foreach (bool one in isKnot) if (one) count++;
                var places = new int[count];
                for (int i = 0, k = 0; i < Count; i++) if (isKnot[i]) places[k++] = i;
                return places;
            }

            /// <summary>Frequencies of the 256 symbols; their sum is 2^<paramref name="bits"/>. Only symbols without weight have none.</summary>
            internal int[] Frequencies(int bits)
            {
                unchecked
                {
                    var weights = new long[256];
                    if (IsSmooth)
                    {
                        int[] places = Knots();
                        for (int k = 0; k < places.Length; k++)
                        {
                            int from = places[k], to = k + 1 < places.Length ? places[k + 1] : from + 1, next = k + 1 < places.Length ? Levels[k + 1] : Levels[k];
                            for (int i = from; i < to; i++)
                            {
                                int level = (Levels[k] * (to - i) + next * (i - from)) * 8 / (to - from);
                                weights[First + i & 255] = (long)Powers[level & 63] << (level >> 6);
                            }
                        }
                    }
                    else
                        for (int i = 0; i < Count; i++) weights[First + i & 255] = Levels[i];
                    return Normalized(weights, bits);
                }
            }

            private static int[] Normalized(long[] weights, int bits)
            {
                long sum = 0;
                foreach (long weight in weights) sum += weight;
                if (sum == 0) throw Damaged("a table is empty");
                int total = 1 << bits, left = total;
                var frequencies = new int[256];
                for (int i = 0; i < 256; i++)
                {
                    if (weights[i] == 0) continue;
                    left -= frequencies[i] = (int)global::System.Math.Max(1, (weights[i] * total + sum / 2) / sum);
                }
                // What rounding left is spread over those that feel it least.
                for (int least = total / 64; left != 0; least /= 2)
                    for (int i = 0; i < 256 && left != 0; i++)
                    {
                        if (frequencies[i] <= global::System.Math.Max(least, 1) && (left < 0 || frequencies[i] == 0 || least > 0)) continue;
                        int step = left > 0 ? 1 : -1;
                        frequencies[i] += step;
                        left -= step;
                    }
                return frequencies;
            }

            // 2^(16 + i / 64), rounded: no library's last bit is seen.
            private static int[] MakePowers()
            {
                var powers = new int[64];
                for (int i = 0; i < 64; i++) powers[i] = (int)global::System.Math.Round(65536 * global::System.Math.Pow(2, i / 64.0));
                return powers;
            }
        }
    }
}
