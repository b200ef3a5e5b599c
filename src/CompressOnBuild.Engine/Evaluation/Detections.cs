using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// How a detector's outputs are read, the key <c>detections</c> of evaluation.json:
/// <code>{ "boxes": "dets", "scores": "scores", "classes": "labels", "count": "num", "layout": "y1 x1 y2 x2" }</code>
/// <paramref name="Layout"/>: what the columns of the boxes' last axis are. <paramref name="Scores"/> and <paramref name="Classes"/>: null where they are columns;
/// without classes at all, the column of the largest score is the class. <paramref name="Count"/>: the output that says how many rows hold
/// something.
/// </summary>
internal sealed record Detections(string Boxes, string? Scores, string? Classes, string? Count, IReadOnlyList<string> Layout)
{
    private static readonly string[] Keys = ["boxes", "scores", "classes", "count", "layout"];
    private static readonly string[] Columns = ["x1", "y1", "x2", "y2", "cx", "cy", "w", "h", "score", "class", "-"];
    private static readonly string[][] Corners = [["x1", "y1", "x2", "y2"], ["x1", "y1", "w", "h"], ["cx", "cy", "w", "h"]];

    /// <summary>The outputs that are read.</summary>
    public IEnumerable<string> Outputs => new[] { Boxes, Scores, Classes, Count }.OfType<string>();

    /// <exception cref="CompressionException">COB1118 with line and column.</exception>
    public static Detections Read(PositionedJson value)
    {
        string? boxes = null, scores = null, classes = null, count = null;
        string[] layout = Corners[0];
        PositionedJson? layoutAt = null;
        foreach (var (key, member) in value.AsObject("detections"))
            switch (key.Text)
            {
                case "boxes": boxes = member.AsString(key.Text); break;
                case "scores": scores = member.AsString(key.Text); break;
                case "classes": classes = member.AsString(key.Text); break;
                case "count": count = member.AsString(key.Text); break;
                case "layout":
                    layout = member.AsString(key.Text).Split(' ', StringSplitOptions.RemoveEmptyEntries);
                    layoutAt = member;
                    break;
                default: throw key.Error($"the key '{key.Text}' of 'detections' is unknown. Valid keys are {string.Join(", ", Keys)}. Correct or remove it.");
            }
        if (boxes is null) throw value.Error("'detections' names no output as 'boxes'. Valid is at least { \"boxes\": \"<output>\", \"scores\": \"<output>\" }. Add it.");
        if (!Array.TrueForAll(layout, Columns.Contains) || layout.Where(c => c != "-").Distinct().Count() != layout.Count(c => c != "-") || !Array.Exists(Corners, c => c.All(layout.Contains)))
            throw (layoutAt ?? value).Error($"'layout' is '{string.Join(' ', layout)}'. Valid are the columns {string.Join(", ", Columns)} (what is not read), separated by spaces, with {string.Join(" or ", Corners.Select(c => string.Join(' ', c)))} among them. Correct it.");
        if (scores is null && !layout.Contains("score")) throw value.Error("'detections' says nothing about scores. Valid is 'scores' with the name of an output, or a column 'score' in 'layout'. Add one.");
        return new(boxes, scores, classes, count, layout);
    }

    /// <summary>The corners that one row of the boxes gives.</summary>
    public (double X1, double Y1, double X2, double Y2) Box(ReadOnlySpan<float> row)
    {
        double? x1 = Column(row, "x1"), y1 = Column(row, "y1"), x2 = Column(row, "x2"), y2 = Column(row, "y2"), w = Column(row, "w"), h = Column(row, "h");
        if (Column(row, "cx") is { } cx && Column(row, "cy") is { } cy && w is not null && h is not null) (x1, y1) = (cx - w / 2, cy - h / 2);
        return (x1!.Value, y1!.Value, x2 ?? x1.Value + w!.Value, y2 ?? y1.Value + h!.Value);
    }

    /// <summary>The number in a column; null where there is none of this name.</summary>
    public double? Column(ReadOnlySpan<float> row, string name)
    {
        for (var i = 0; i < Layout.Count; i++) if (Layout[i] == name) return row[i];
        return null;
    }
}
