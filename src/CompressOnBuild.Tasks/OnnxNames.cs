using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Names of the inputs and outputs of a model that was not compressed, for the accessor's constants: code that compiles with the compressed
/// model compiles with the original, too. Reads only the names; all else is skipped, so the size of the model does not matter.
/// Fields: onnx.proto of ONNX (ModelProto.graph 7; GraphProto.initializer 5, input 11, output 12; TensorProto.name 8; ValueInfoProto.name 1).
/// </summary>
internal static class OnnxNames
{
    private const int MaxNameBytes = 2048;
    private const int MaxNames = 4096;

    /// <summary>A file that is no model gives no names: whoever uses the model says what is wrong with it.</summary>
    internal static void Read(string file, AccessorModel model)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16);
            var inputs = new List<string>();
            var outputs = new List<string>();
            var initializers = new HashSet<string>(StringComparer.Ordinal);
            while (Next(stream, stream.Length, out int field, out long end))
            {
                if (field == 7)
                    ReadGraph(stream, end, inputs, outputs, initializers);
                stream.Position = end;
            }
            // Models of IR version 3 list their weights as inputs, too.
            inputs.RemoveAll(initializers.Contains);
            model.Inputs = inputs;
            model.Outputs = outputs;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return;
        }
    }

    private static void ReadGraph(Stream stream, long graphEnd, List<string> inputs, List<string> outputs, HashSet<string> initializers)
    {
        while (Next(stream, graphEnd, out int field, out long end))
        {
            string? name = field switch
            {
                5 => NameIn(stream, end, 8),
                11 or 12 => NameIn(stream, end, 1),
                _ => null,
            };
            if (name is { Length: > 0 })
            {
                if (field == 5)
                    initializers.Add(name);
                else if ((field == 11 ? inputs : outputs) is { Count: < MaxNames } names)
                    names.Add(name);
            }
            stream.Position = end;
        }
    }

    private static string? NameIn(Stream stream, long messageEnd, int nameField)
    {
        while (Next(stream, messageEnd, out int field, out long end))
        {
            long length = end - stream.Position;
            if (field == nameField && length <= MaxNameBytes)
            {
                var bytes = new byte[length];
                for (int i = 0; i < bytes.Length; i++)
                    bytes[i] = ReadByte(stream);
                return Encoding.UTF8.GetString(bytes);
            }
            stream.Position = end;
        }
        return null;
    }

    /// <summary>The next field with a length (wire type 2) before <paramref name="messageEnd"/>; numbers are skipped.</summary>
    private static bool Next(Stream stream, long messageEnd, out int field, out long end)
    {
        while (stream.Position < messageEnd)
        {
            ulong tag = ReadNumber(stream);
            field = (int)(tag >> 3 & 0x1fffffff);
            ulong length = (tag & 7) switch
            {
                0 => ReadNumber(stream) & 0,
                1 => 8,
                2 => ReadNumber(stream),
                5 => 4,
                _ => throw new InvalidDataException(),
            };
            if (stream.Position > messageEnd || length > (ulong)(messageEnd - stream.Position))
                throw new InvalidDataException();
            end = stream.Position + (long)length;
            if ((tag & 7) == 2)
                return true;
            stream.Position = end;
        }
        field = 0;
        end = messageEnd;
        return false;
    }

    private static ulong ReadNumber(Stream stream)
    {
        ulong number = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte part = ReadByte(stream);
            number |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                return number;
        }
        throw new InvalidDataException();
    }

    private static byte ReadByte(Stream stream) => stream.ReadByte() is var read and >= 0 ? (byte)read : throw new EndOfStreamException();
}
