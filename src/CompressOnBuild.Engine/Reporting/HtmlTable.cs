namespace CompressOnBuild.Reporting;

/// <summary>A column of a table. Numbers stand at the right, with digits of one width.</summary>
internal readonly record struct Column(string Title, bool IsNumber = false);

/// <summary>The frame of every table of the report: a region that scrolls by itself, for a mouse, a finger and a keyboard.</summary>
internal static class HtmlTable
{
    /// <param name="html">The page.</param>
    /// <param name="label">The region's accessible name.</param>
    /// <param name="sortable">The script makes its heads buttons.</param>
    /// <param name="columns">The heads.</param>
    public static void Open(HtmlWriter html, string label, bool sortable, params ReadOnlySpan<Column> columns)
    {
        html.Add($"<div class=\"scroll{(sortable ? " tall" : "")}\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\"><table class=\"{(sortable ? "sortable" : "plain")}\">\n<thead><tr>");
        foreach (var column in columns)
        {
            if (column.IsNumber) html.Add($"<th scope=\"col\" class=\"n\">{column.Title}</th>");
            else html.Add($"<th scope=\"col\">{column.Title}</th>");
        }
        html.Add("</tr></thead>\n<tbody>");
    }

    public static void Close(HtmlWriter html) => html.Add("</tbody></table></div>");
}
