using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>The gate said no. All broken limits are in <see cref="Errors"/>; the reports of the attempt are in <see cref="CompressionResult.Folder"/>.</summary>
public sealed class GateException(IReadOnlyList<Diagnostic> errors, CompressionResult result) : CompressionException(errors[0])
{
    /// <summary>Every broken limit, at least one; the first is <see cref="CompressionException.Diagnostic"/>.</summary>
    public IReadOnlyList<Diagnostic> Errors { get; } = errors;
    /// <summary>The refused attempt.</summary>
    public CompressionResult Result { get; } = result;
}
