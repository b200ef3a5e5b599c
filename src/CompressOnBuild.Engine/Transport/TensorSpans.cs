using CompressOnBuild.Onnx;
using Google.Protobuf;

namespace CompressOnBuild.Transport;

/// <summary>Where the bytes of a tensor lie in a model file.</summary>
/// <param name="Offset">Of the first byte.</param>
/// <param name="Length">In bytes.</param>
/// <param name="Type">Of an element.</param>
/// <param name="Shape">Dimensions as stored.</param>
internal sealed record TensorSpan(int Offset, int Length, ElementType Type, long[] Shape);

/// <summary>Finds the tensors of a model file, wherever a graph may hold them: what lies as in memory; everything else is text.</summary>
internal static class TensorSpans
{
    // Field numbers of onnx.proto.
    private static readonly Dictionary<int, Message> Model = [], Function = [], Graph = [], Node = [], Attribute = [];

    private sealed record Message(Dictionary<int, Message>? Fields);

    static TensorSpans()
    {
        var tensor = new Message(null);
        Model[7] = new(Graph);
        Model[25] = new(Function);
        Function[7] = Graph[1] = new(Node);
        Graph[5] = tensor;
        Node[5] = new(Attribute);
        Attribute[5] = Attribute[10] = tensor;
        Attribute[6] = Attribute[11] = new(Graph);
    }

    /// <summary>In the order of the file; none where it is no protobuf.</summary>
    public static List<TensorSpan> Of(byte[] file)
    {
        var spans = new List<TensorSpan>();
        try { Walk(file, 0, file.Length, new(Model), spans, 0); }
        catch (InvalidProtocolBufferException) { } // packed as it is, without tensors
        return spans;
    }

    private static void Walk(byte[] file, int from, int to, Message message, List<TensorSpan> spans, int depth)
    {
        if (depth > 100) return;
        var input = new CodedInputStream(file, from, to - from);
        var (raw, type, shape) = ((Start: 0, Length: 0), 0, new List<long>());
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            var field = WireFormat.GetTagFieldNumber(tag);
            var delimited = WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited;
            if (message.Fields is { } fields ? delimited && fields.ContainsKey(field) : delimited && field is 1 or 4 or 9 or 10)
            {
                var length = input.ReadLength();
                var start = (int)input.Position;
                if (length < 0 || length > to - start) return;
                if (message.Fields is not null) Walk(file, start, start + length, message.Fields[field], spans, depth + 1);
                else if (field != 1) raw = (start, length); // raw, or floats, which lie as in memory, too
                else
                {
                    var packed = new CodedInputStream(file, start, length);
                    while (!packed.IsAtEnd) shape.Add(packed.ReadInt64());
                }
                input = new CodedInputStream(file, start + length, to - start - length);
            }
            else if (message.Fields is null && field == 1) shape.Add(input.ReadInt64());
            else if (message.Fields is null && field == 2) type = input.ReadInt32();
            else input.SkipLastField();
        }
        if (raw.Length > 0) spans.Add(new TensorSpan(raw.Start, raw.Length, (ElementType)type, [.. shape]));
    }
}
