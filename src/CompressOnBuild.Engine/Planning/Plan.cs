using CompressOnBuild.Calibration;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Planning;

/// <summary>
/// What happens to one weight. <paramref name="Form"/> is never Auto. <paramref name="Encoding"/> names how it is spelled (null: left alone).
/// <paramref name="Because"/> is the figure or rule that chose it; <paramref name="Code"/> the rule's page when the weight is left alone.
/// <paramref name="SaturationSafe"/>: products with it are exact on processors without VNNI too. <paramref name="Block"/>: inputs that share a scale; 0: all of an output's.
/// </summary>
internal sealed record WeightDecision(string Site, WeightForm Form, string? Encoding, int Bits, string Because, string? Code = null, bool SaturationSafe = false, int Block = 0)
{
    /// <summary>Which of its elements become zero; null: none on purpose.</summary>
    public PruningTarget? Pruning { get; init; }
}

/// <summary>Parameters of one quantized activation.</summary>
internal sealed record ValueDecision(string Value, QuantizationParameters Parameters);

/// <summary>What is added to the bias of the layer that reads the weight <paramref name="Site"/>, one figure an output channel, as <see cref="Techniques.Quantization.BiasCorrection.Steps"/> counts.</summary>
internal sealed record BiasDecision(string Site, IReadOnlyList<int> Steps);

/// <summary>What the scales of the weight <paramref name="Site"/> are multiplied with, one figure an output channel, as <see cref="Techniques.Quantization.StatisticsMatching.Gain"/> counts.</summary>
internal sealed record GainDecision(string Site, IReadOnlyList<int> Steps);

/// <summary>What the channels that the constant <paramref name="Constant"/> makes are divided by, and multiplied by again where they are summed, one figure a channel, as <see cref="Techniques.Scaling.ScaleSteps"/> counts.</summary>
internal sealed record ScaleDecision(string Constant, IReadOnlyList<int> Steps);

/// <summary>The whole plan: plain data, names only. What is executed, reported and locked.</summary>
/// <param name="Weights">One decision for every site, in the model's order.</param>
/// <param name="Values">Activations to quantize.</param>
/// <param name="JoinRegions">Whether operators between integer nodes run on integers too.</param>
/// <param name="Biases">Biases to correct; null: not worked out yet, which <see cref="Transformer"/> does.</param>
/// <param name="Structure">What changed the graph before: all other names are those of the model that it left. Null: nothing.</param>
/// <param name="Gains">Scales to correct; null: none.</param>
/// <param name="Scales">Factors between layers, which stand in the model before anything is quantized. Null: none.</param>
internal sealed record Plan(IReadOnlyList<WeightDecision> Weights, IReadOnlyList<ValueDecision> Values, bool JoinRegions, IReadOnlyList<BiasDecision>? Biases = null, IReadOnlyList<StructureRound>? Structure = null, IReadOnlyList<GainDecision>? Gains = null, IReadOnlyList<ScaleDecision>? Scales = null);
