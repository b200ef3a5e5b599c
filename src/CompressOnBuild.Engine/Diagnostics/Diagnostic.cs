namespace CompressOnBuild.Diagnostics;

/// <summary>How a diagnostic ends: an error fails the request, a warning does not.</summary>
public enum Severity
{
    /// <summary>For information.</summary>
    Message,
    /// <summary>Something to look at; the request goes on.</summary>
    Warning,
    /// <summary>The request failed.</summary>
    Error,
}

/// <summary>
/// One thing to tell the user: what was found, what is valid, what to do. <paramref name="File"/> is the path the user gave,
/// <paramref name="Line"/> and <paramref name="Column"/> count from 1 (0: no position). Names inside <paramref name="Message"/>
/// come from hostile models: each sink (console, HTML, Markdown) escapes for itself.
/// </summary>
public sealed record Diagnostic(Severity Severity, string Code, string Message, string? File = null, int Line = 0, int Column = 0);

/// <summary>The only exception for expected failures: carries the coded error the user sees. Anything else is a bug (COB9001).</summary>
public class CompressionException(Diagnostic diagnostic, Exception? inner = null) : Exception(diagnostic.Message, inner)
{
    /// <summary>The error to print.</summary>
    public Diagnostic Diagnostic { get; } = diagnostic;

    /// <summary>An error with the code <paramref name="code"/> (from <see cref="Codes"/>).</summary>
    public CompressionException(string code, string message, string? file = null, int line = 0, int column = 0, Exception? inner = null)
        : this(new Diagnostic(Severity.Error, code, message, file, line, column), inner) { }
}
