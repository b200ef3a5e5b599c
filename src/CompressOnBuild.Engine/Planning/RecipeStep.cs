namespace CompressOnBuild.Planning;

/// <summary>What a step does to the graph, before weights are quantized.</summary>
public enum StepKind
{
    /// <summary>Takes out channels, heads and hidden units.</summary>
    PruneStructured,
    /// <summary>Replaces weights by products of thinner ones.</summary>
    LowRank,
}

/// <summary>What tells how much something matters.</summary>
public enum StepCriterion
{
    /// <summary>The error that calibration data show in the outputs of the weights concerned.</summary>
    Calibration,
    /// <summary>The squares of the weights alone: a baseline to compare with.</summary>
    Magnitude,
}

/// <summary>One step of a recipe's pipeline; steps run in their order, each on what the one before it left.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Amount">
/// How much it takes away (0 to 1): of the model's multiply-accumulates (<see cref="StepKind.PruneStructured"/>), or of the elements and the estimated time of the weights that match, half and half
/// (<see cref="StepKind.LowRank"/>). Null: as much as the accuracy limit allows on the selection split, found in rounds.
/// </param>
/// <param name="Operators">Types of the nodes that read the weight; empty matches all.</param>
/// <param name="NamePattern">Regular expression (without backtracking) on the weight's name; null matches all.</param>
/// <param name="By">What tells how much something matters.</param>
public sealed record RecipeStep(StepKind Kind, double? Amount, IReadOnlyList<string> Operators, string? NamePattern, StepCriterion By = StepCriterion.Calibration)
{
    private readonly RecipeRule match = new(Operators, NamePattern, WeightForm.None, 0);

    /// <summary>Whether the step may touch a weight called <paramref name="weight"/> of a node of type <paramref name="operatorType"/>.</summary>
    /// <exception cref="Diagnostics.CompressionException">COB2003: the pattern takes too long on this name.</exception>
    public bool Matches(string operatorType, string weight) => match.Matches(operatorType, weight);

    internal static string Word(StepKind kind) => kind == StepKind.LowRank ? "low-rank" : "prune-structured";
    internal static string Word(StepCriterion by) => by == StepCriterion.Magnitude ? "magnitude" : "calibration";
}
