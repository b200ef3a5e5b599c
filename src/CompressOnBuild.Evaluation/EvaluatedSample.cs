using System.Collections.Generic;

namespace CompressOnBuild.Evaluation;

/// <summary>One sample: what went in, what came out of the model that is measured and of the original, and the label.</summary>
public sealed class EvaluatedSample
{
    /// <summary>Makes a sample; also for tests of your evaluator.</summary>
    public EvaluatedSample(string id, IReadOnlyDictionary<string, EvaluatedTensor> inputs, IReadOnlyDictionary<string, EvaluatedTensor> outputs,
        IReadOnlyDictionary<string, EvaluatedTensor> originalOutputs, EvaluatedTensor? label = null, string? labelText = null)
    {
        Id = id;
        Inputs = inputs;
        Outputs = outputs;
        OriginalOutputs = originalOutputs;
        Label = label;
        LabelText = labelText;
    }

    /// <summary>The row or the file, for messages.</summary>
    public string Id { get; }

    /// <summary>What the data feed, by the names of the model's inputs; states of sequences are not among them.</summary>
    public IReadOnlyDictionary<string, EvaluatedTensor> Inputs { get; }

    /// <summary>All outputs of the model that is measured, by their names.</summary>
    public IReadOnlyDictionary<string, EvaluatedTensor> Outputs { get; }

    /// <summary>All outputs of the original model on the same sample.</summary>
    public IReadOnlyDictionary<string, EvaluatedTensor> OriginalOutputs { get; }

    /// <summary>
    /// The label, null without one: a class as Int64 [1], a sequence of ids as Int64 [n] without padding, values as Double [k], a mask as Int32 of its
    /// own shape, boxes as Double [n,6] (class, x1, y1, x2, y2, 1 for what is ignored).
    /// </summary>
    public EvaluatedTensor? Label { get; }

    /// <summary>The label where it is a text, else null.</summary>
    public string? LabelText { get; }
}
