using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>The gate said no. All broken limits are in <see cref="Errors"/>; the reports of the attempt are in <see cref="CompressionResult.Folder"/>.</summary>
public sealed class GateException : CompressionException
{
    /// <summary>Each of the result's errors with the place of its reports.</summary>
    public GateException(CompressionResult result) : this(Located(result), result) { }

    private GateException(IReadOnlyList<Diagnostic> errors, CompressionResult result) : base(errors[0]) => (Errors, Result) = (errors, result);

    /// <summary>Every broken limit, at least one; the first is <see cref="CompressionException.Diagnostic"/>.</summary>
    public IReadOnlyList<Diagnostic> Errors { get; }
    /// <summary>The refused attempt.</summary>
    public CompressionResult Result { get; }

    private static Diagnostic[] Located(CompressionResult result)
    {
        var where = result.Request.Candidate is null ? $"The reports of this attempt are in '{result.Folder}'; the last good output was left in place." : $"The reports are in '{result.Folder}'.";
        return [.. result.Errors.Select(e => e with { Message = $"{e.Message} {where}" })];
    }
}
