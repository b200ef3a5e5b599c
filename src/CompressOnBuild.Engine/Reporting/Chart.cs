using System.Globalization;
using System.Xml.Linq;
using CompressOnBuild.Diagnostics;
using OxyPlot;
using OxyPlot.Axes;

namespace CompressOnBuild.Reporting;

/// <summary>
/// A chart drawn by OxyPlot, as SVG that stands in the page: it takes fonts and colours from the page's style sheet, so it is light or dark as
/// the page is, and it holds no id that two charts would share.
/// </summary>
internal sealed class Chart
{
    // Drawn for a phone; a wider column shows it larger.
    private const double Width = 420, Height = 260;

    // A colour stands for its role: the style sheet has the custom property, light and dark.
    public static readonly OxyColor Ink = OxyColor.FromRgb(1, 0, 0), Soft = OxyColor.FromRgb(2, 0, 0), Line = OxyColor.FromRgb(3, 0, 0),
        Was = OxyColor.FromRgb(4, 0, 0), Now = OxyColor.FromRgb(5, 0, 0), Kept = OxyColor.FromRgb(6, 0, 0), Bad = OxyColor.FromRgb(7, 0, 0);
    private static readonly string[] Roles = ["ink", "soft", "line", "was", "now", "kept", "bad"];

    private readonly string counted;

    /// <param name="bottom">The axis to the right, with its title.</param>
    /// <param name="left">The axis upwards.</param>
    /// <param name="counted">What the left axis counts: stands above it, because text on its side is hard to read.</param>
    public Chart(Axis bottom, Axis left, string counted)
    {
        this.counted = counted;
        Model = new PlotModel
        {
            Culture = CultureInfo.InvariantCulture, PlotAreaBorderThickness = new OxyThickness(0), Padding = new OxyThickness(14, 26, 12, 4), DefaultFontSize = 12, TextColor = Soft,
        };
        (bottom.Position, left.Position) = (AxisPosition.Bottom, AxisPosition.Left);
        (bottom.AxislineStyle, bottom.AxislineColor) = (LineStyle.Solid, Soft);
        (left.MajorGridlineStyle, left.MajorGridlineColor) = (LineStyle.Solid, Line);
        foreach (var axis in (Axis[])[bottom, left])
        {
            (axis.TickStyle, axis.TextColor, axis.TitleColor) = (TickStyle.None, Soft, Soft);
            Model.Axes.Add(axis);
        }
    }

    /// <summary>What is drawn: add series and annotations.</summary>
    public PlotModel Model { get; }

    /// <summary>An axis of numbers, with a little room on the ends that are not given.</summary>
    public static LinearAxis Axis(Func<double, string> label, string? title = null, double least = double.NaN, double most = double.NaN) =>
        new() { Title = title, LabelFormatter = label, Minimum = least, Maximum = most, MinimumPadding = 0.06, MaximumPadding = 0.08, AxisTitleDistance = 8 };

    /// <summary>Adds the chart to a page.</summary>
    /// <param name="html">The page.</param>
    /// <param name="label">What a reader who does not see it is told.</param>
    /// <param name="pointTitles">A title for each round mark in the order in which they are drawn: shown where the mouse rests.</param>
    public void Add(HtmlWriter html, string label, IReadOnlyList<string>? pointTitles = null)
    {
        var exported = XElement.Parse(new SvgExporter { Width = Width, Height = Height, UseVerticalTextAlignmentWorkaround = true }.ExportToString(Model));
        var svg = new XElement("svg", new XAttribute("class", "chart"), new XAttribute("role", "img"), new XAttribute("aria-label", ConsoleText.Visible(label)),
            new XAttribute("viewBox", FormattableString.Invariant($"0 0 {Width} {Height}")),
            new XElement("text", new XAttribute("y", 14), new XAttribute("style", "fill:var(--soft)"), ConsoleText.Visible(counted)));
        // Groups only clip, and what is clipped are marks at an edge.
        foreach (var shape in exported.Descendants().Where(e => !e.HasElements && e.Name.LocalName is not ("g" or "defs") && e.Parent!.Name.LocalName != "clipPath" && !IsInvisible(e))) svg.Add(Styled(shape));
        foreach (var (mark, title) in svg.Elements("ellipse").Zip(pointTitles ?? [])) mark.Add(new XElement("title", ConsoleText.Visible(title)));
        html.AddAsset(svg.ToString(SaveOptions.DisableFormatting) + "\n");
    }

    private static bool IsInvisible(XElement shape) => shape.Attribute("style")?.Value is { } style && style.Contains("fill:none", StringComparison.Ordinal)
        && (style.Contains("stroke:none", StringComparison.Ordinal) || style.Contains("stroke-width:0", StringComparison.Ordinal));

    private static XElement Styled(XElement shape)
    {
        var styled = new XElement(shape.Name.LocalName, shape.Nodes());
        foreach (var attribute in shape.Attributes())
        {
            if (attribute.IsNamespaceDeclaration || attribute.Name.LocalName is "font-family" or "font-size" or "font-weight" or "shape-rendering") continue;
            var value = attribute.Value;
            for (var role = 0; role < Roles.Length; role++) value = value.Replace($"rgb({role + 1},0,0)", $"var(--{Roles[role]})", StringComparison.Ordinal);
            // A custom property is sure to work in a style, not in an attribute.
            if (attribute.Name.LocalName == "fill") styled.SetAttributeValue("style", $"fill:{value}");
            else styled.SetAttributeValue(attribute.Name.LocalName, value);
        }
        return styled;
    }
}
