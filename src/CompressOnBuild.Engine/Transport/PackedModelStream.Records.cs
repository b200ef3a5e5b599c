// A part of PackedModelStream, compiled into accessors too: what stands before the symbols of a tensor.
namespace CompressOnBuild.Transport
{
    internal sealed partial class PackedModelStream
    {
        /// <summary>All that is learnt from record to record.</summary>
        internal sealed class Models
        {
            internal const int TextLength = 0, Elements = 1, WordCount = 2, RowLength = 3, Centre = 4;
            private const int Sets = 30;

            internal readonly TextModel Text;
            private readonly NumberModel numbers = new NumberModel(5), knots = new NumberModel(4);
            private readonly int[] choices = new int[(Sets + 8) * 16], classes = new int[2 * 17 * 16], ranges = new int[4 * 256], strides = new int[256], sizes = new int[17 * 16], heads = new int[16 * 16];
            private readonly int[] plain = new int[Sets * 256];
            private readonly PlaneRecord[] before = new PlaneRecord[8];

            /// <summary>For a model whose text has <paramref name="length"/> bytes.</summary>
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
                for (int p = 0; p < record.Width; p++)
                {
                    record.Planes[p] = Plane(coder, record.Planes[p], record.Set(p), record.Elements);
                    if (given != null || record.Planes[p].Kind != PlaneRecord.Rans) continue;
                    // Only one tensor is read at a time, and new large arrays cost as much as thousands of symbols.
                    record.Planes[p].Prepare(before[p]);
                    before[p] = record.Planes[p];
                }
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
            internal const int Raw = 0, Adaptive = 1, Rans = 2;

            internal int Kind;
            internal long RowLength = 1;
            /// <summary>A class below 16 for each row or column; null: all are 0. The highest context takes all sums above it.</summary>
            internal byte[] RowClasses, ColumnClasses;
            internal SymbolTable[] Tables;
            /// <summary>What the elements of each row of StrideLength are multiples of: only the factor is a symbol. Null: of 1.</summary>
            internal byte[] Strides;
            internal long StrideLength = 1;
            /// <summary>For each context and slot: the symbol in 8 bits, slot - c in 12 and f in 12.</summary>
            internal uint[] Slots;
            private byte[][] rows;

            internal static long MostClasses(long elements) { return global::System.Math.Min(4096 + elements / 8, 1 << 20); }

            /// <summary>Fills <see cref="Slots"/>: the array of <paramref name="used"/>, a plane that is no longer needed, where it is large enough.</summary>
            internal void Prepare(PlaneRecord used)
            {
                unchecked
                {
                    int count = Tables.Length << SymbolTable.Bits, slot = 0;
                    uint[] slots = Slots = used != null && used.Slots.Length >= count ? used.Slots : new uint[count];
                    foreach (SymbolTable table in Tables)
                    {
                        int[] frequencies = table.Frequencies();
                        for (int symbol = 0; symbol < 256; symbol++)
                        {
                            uint entry = (uint)(frequencies[symbol] << 20 | symbol);
                            for (int end = slot + frequencies[symbol]; slot < end; slot++, entry += 1 << 8) slots[slot] = entry;
                        }
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
                int column = (int)(first % RowLength);
                for (int i = 0; i < count; row++, column = 0)
                {
                    int shared = RowClasses == null ? 0 : RowClasses[row], end = (int)global::System.Math.Min(count, i + RowLength - column);
                    if (ColumnClasses == null)
                        for (byte context = Context(shared); i < end; i++) contexts[i] = context;
                    else
                    {
                        global::System.Buffer.BlockCopy(RowOf(shared), column, contexts, i, end - i);
                        i = end;
                    }
                }
            }

            private byte Context(int classes) { return (byte)global::System.Math.Min(classes, Tables.Length - 1); }

            /// <summary>The contexts of a whole row, the same for all rows of one class.</summary>
            private byte[] RowOf(int shared)
            {
                if (rows == null) rows = new byte[16][];
                if (rows[shared] == null)
                {
                    var row = new byte[ColumnClasses.Length];
                    for (int i = 0; i < row.Length; i++) row[i] = Context(shared + ColumnClasses[i]);
                    rows[shared] = row;
                }
                return rows[shared];
            }
        }

        /// <summary>How often the symbols of one context are: of each, or as a curve through knots.</summary>
        internal sealed class SymbolTable
        {
            internal const int Bits = 12, MostLevel = 8 * 20;
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

            /// <summary>Frequencies of the 256 symbols; their sum is M = 2^<see cref="Bits"/>, and none is M: it has 12 bits in a slot. No symbol with a weight is without one.</summary>
            internal int[] Frequencies()
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
                    return Normalized(weights);
                }
            }

            private static int[] Normalized(long[] weights)
            {
                long sum = 0;
                foreach (long weight in weights) sum += weight;
                if (sum == 0) throw Damaged("a table is empty");
                int total = 1 << Bits, left = total;
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
                for (int i = 0; i < 256; i++)
                {
                    if (frequencies[i] < total) continue;
                    frequencies[i]--;
                    frequencies[i ^ 1]++;
                    break;
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
