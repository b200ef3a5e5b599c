// A packed model, read as the bytes of its .onnx file. This file and those named PackedModelStream.* beside it are compiled into the engine, which
// checks with them what it has just packed, and into the accessor of every project that ships a packed model: C# 7 without unsafe code, reflection or
// packages, and no rule of the project (overflow checks, nullability, warnings) changes it. Everything is computed in integers: the same bytes on every machine.
//
// J. Duda: Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of arithmetic coding.
// arXiv:1311.2540, 2013. F. Giesen: Interleaved entropy coders. arXiv:1402.3392, 2014.
// J. Ziv, A. Lempel: A universal algorithm for sequential data compression, 1977. M. Mahoney: Adaptive weighing of context models for lossless
// data compression, 2005 (logistic mixing).
//
// The file: "COB", version 2; varint length of the model; varint length of all its text; XXH64 of the model; varint length of the adaptive stream; the
// low half of the XXH64 of all that (32 bits); the adaptive stream; the payload. Numbers are little-endian. The model is a sequence of records, each
//     text        bytes of the graph (protobuf without large tensors), coded as Lempel-Ziv tokens
//     tensor      its bytes, split into planes (byte p of each element; floats are first rotated left by 1 bit, which brings the exponent into
//                 one byte), a plane in one of three ways:
//       raw       in the payload
//       adaptive  in the adaptive stream, each byte as 8 binary decisions: what is small
//       rans      in the payload, in chunks of 65536 elements: four interleaved rANS states over 32-bit words (PackedModelStream.Rans.cs has
//                 their steps), with a table of frequencies for each context. The context of element i is row class [i / row length] +
//                 column class [i % row length]: weights of one channel are spread alike
// Records, texts, tables and classes are in the adaptive stream: binary decisions with adaptive probabilities, by a range coder.
// Where all elements of a row are multiples of a number (weights that were quantized before), the symbols are the factors.
namespace CompressOnBuild.Transport
{
    /// <summary>The bytes of a model, decoded as they are read: the graph, then tensor by tensor. Forward only; the length is known. What is damaged is an InvalidDataException, at the latest with the last bytes.</summary>
    internal sealed partial class PackedModelStream : global::System.IO.Stream
    {
        /// <summary>Elements of a tensor that are decoded at once.</summary>
        internal const int Chunk = 1 << 16;
        private const int WordsOfChunk = Chunk / 2 + 2 * States; // one more than are ever taken
        internal const int MaxContexts = 16;
        internal const int Version = 2;

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
        private byte[] packed = new byte[4 * WordsOfChunk], contexts = new byte[Chunk], plane;
        private uint[] words = new uint[WordsOfChunk];

        /// <summary>Takes over <paramref name="source"/>, which starts with the packed model.</summary>
        internal PackedModelStream(global::System.IO.Stream source)
        {
            unchecked
            {
                this.source = source;
                try
                {
                    var header = new byte[48];
                    int size = 0;
                    for (; size < 4; size++) header[size] = Next();
                    if (header[0] != 'C' || header[1] != 'O' || header[2] != 'B' || header[3] != Version) throw Damaged("it does not begin as one of this version does");
                    length = Varint(header, ref size);
                    long text = Varint(header, ref size);
                    for (int i = 0; i < 8; i++) expected |= (ulong)(header[size++] = Next()) << (8 * i);
                    long side = Varint(header, ref size);
                    var check = new Hash64();
                    check.Add(header, 0, size);
                    uint stored = 0;
                    for (int i = 0; i < 4; i++) stored |= (uint)Next() << (8 * i);
                    if (stored != (uint)check.Value) throw Damaged("its header is damaged");
                    if (side > int.MaxValue - 64) throw Damaged("its header is damaged");
                    coder = new RangeDecoder(ReadAll((int)side));
                    models = new Models(text);
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
                    if (plane == null && tensor.Width > 1) plane = new byte[Chunk];
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
                unchecked
                {
                    int size = (int)models.Number(coder, Models.WordCount, 0);
                    if (size < 2 * States || size > 2 * States + Paired(count) / 2) throw Damaged("a tensor has a wrong length");
                    Fill(packed, 0, 4 * size);
                    if (global::System.BitConverter.IsLittleEndian) global::System.Buffer.BlockCopy(packed, 0, words, 0, 4 * size);
                    else for (int i = 0; i < size; i++) words[i] = (uint)(packed[4 * i] | packed[4 * i + 1] << 8 | packed[4 * i + 2] << 16 | packed[4 * i + 3] << 24);
                    record.Contexts(contexts, elementsMade, count);
                    Decode(record, target, count, contexts, words, size);
                    record.Multiply(target, elementsMade, count);
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
    }
}
