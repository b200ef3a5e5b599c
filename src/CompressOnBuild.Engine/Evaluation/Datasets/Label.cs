using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>What the labels of a data set are.</summary>
internal enum LabelKind { None, Class, Sequence, Text, Value, Mask, Boxes }

/// <summary>The truth about one sample.</summary>
internal abstract record Label
{
    private protected Label() { }
    public abstract LabelKind Kind { get; }
    /// <summary>One spelling per value, for hashes.</summary>
    public abstract string Canonical { get; }
    /// <summary>Bytes that the label holds, where they are worth counting.</summary>
    public virtual long ByteCount => 0;
}

/// <summary>A class: the index of the score that ought to be the largest.</summary>
internal sealed record ClassLabel(long Id) : Label
{
    public override LabelKind Kind => LabelKind.Class;
    public override string Canonical => "class:" + Id.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A sequence of ids without padding.</summary>
internal sealed record SequenceLabel(IReadOnlyList<long> Ids) : Label
{
    public override LabelKind Kind => LabelKind.Sequence;
    public override string Canonical => "ids:" + string.Join(',', Ids.Select(i => i.ToString(CultureInfo.InvariantCulture)));
}

/// <summary>A text.</summary>
internal sealed record TextLabel(string Text) : Label
{
    public override LabelKind Kind => LabelKind.Text;
    public override string Canonical => "text:" + Text;
}

/// <summary>Numbers to predict, at least one, all finite.</summary>
internal sealed record ValueLabel(IReadOnlyList<double> Values) : Label
{
    public override LabelKind Kind => LabelKind.Value;
    public override string Canonical => "values:" + string.Join(',', Values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)));
}

/// <summary>A class for each element of a picture or volume. <paramref name="Shape"/>: its axes without the sample's, e.g. [height, width];
/// <paramref name="Ids"/>: row-major; one below 0 says nothing about its element, nor does <see cref="Decoding.Ignore"/>.</summary>
internal sealed record MaskLabel(int[] Ids, IReadOnlyList<long> Shape) : Label
{
    public override LabelKind Kind => LabelKind.Mask;
    public override string Canonical => $"mask:{string.Join('x', Shape)}:{Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<int>(Ids)))}";
    public override long ByteCount => 4L * Ids.Length;
}

/// <summary>One object in a picture: its class, and its corners in the unit of the model's boxes. <paramref name="Ignored"/>: a crowd or
/// a difficult object: finding it is neither right nor wrong.</summary>
internal readonly record struct Box(int Class, double X1, double Y1, double X2, double Y2, bool Ignored = false);

/// <summary>All objects in a picture; there may be none.</summary>
internal sealed record BoxesLabel(IReadOnlyList<Box> Boxes) : Label
{
    public override LabelKind Kind => LabelKind.Boxes;
    public override string Canonical => "boxes:" + string.Join(';', Boxes.Select(b => string.Create(CultureInfo.InvariantCulture, $"{b.Class},{b.X1:R},{b.Y1:R},{b.X2:R},{b.Y2:R},{(b.Ignored ? 1 : 0)}")));
}
