namespace CompressOnBuild.Diagnostics;

/// <summary>The canonical form that MSBuild, editors and build servers understand: <c>file(line,column): error COB2003: text</c>.</summary>
public static class DiagnosticFormat
{
    /// <summary>One safe line (see <see cref="ConsoleText"/>). Without a file the origin is <c>CompressOnBuild</c>.</summary>
    public static string Canonical(Diagnostic diagnostic)
    {
        ArgumentNullException.ThrowIfNull(diagnostic);
        var origin = string.IsNullOrEmpty(diagnostic.File) ? "CompressOnBuild" : ConsoleText.Line(diagnostic.File);
        if (!string.IsNullOrEmpty(diagnostic.File) && diagnostic.Line > 0)
            origin += diagnostic.Column > 0 ? FormattableString.Invariant($"({diagnostic.Line},{diagnostic.Column})") : FormattableString.Invariant($"({diagnostic.Line})");
        return $"{origin}: {Word(diagnostic.Severity)} {diagnostic.Code}: {ConsoleText.Line(diagnostic.Message)}";
    }

    /// <summary><c>error</c>, <c>warning</c> or <c>message</c>.</summary>
    public static string Word(Severity severity) => severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "message" };
}
