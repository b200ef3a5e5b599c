using System.Globalization;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>What the labels of a data set are.</summary>
internal enum LabelKind { None, Class, Sequence, Text }

/// <summary>The truth about one sample.</summary>
internal abstract record Label
{
    private protected Label() { }
    public abstract LabelKind Kind { get; }
    /// <summary>One spelling per value, for hashes.</summary>
    public abstract string Canonical { get; }
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
