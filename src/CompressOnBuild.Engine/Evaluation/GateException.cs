using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation;

/// <summary>The gate said no. All broken limits are in <see cref="Errors"/>; the reports of the attempt are beside <see cref="CompressionResult.OutputModel"/>.</summary>
public sealed class GateException(IReadOnlyList<Diagnostic> errors, CompressionResult result) : CompressionException(errors[0])
{
    public IReadOnlyList<Diagnostic> Errors { get; } = errors;
    public CompressionResult Result { get; } = result;
}
