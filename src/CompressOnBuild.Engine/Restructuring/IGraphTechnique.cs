using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Restructuring;

/// <summary>What calibration must show of a model before it can be changed.</summary>
internal sealed record StructureNeeds(IReadOnlyCollection<string> Values, IReadOnlyList<GramRequest> Grams)
{
    /// <summary>Values of which the shape in one run is enough.</summary>
    public IReadOnlyCollection<string> Shapes { get; init; } = [];
}

/// <summary>
/// A technique that changes the graph itself: a float model in, a smaller float model out, on which everything that follows works as on any model. A new one is one
/// file and one line in <see cref="GraphTechniques"/>.
/// </summary>
internal interface IGraphTechnique
{
    StepKind Step { get; }

    /// <summary>Whether a round of a search starts from the model that the round before it left; else every round starts from the first.</summary>
    bool Accumulates { get; }

    /// <summary>How much the first round of a search takes, and how much more each further one.</summary>
    double RoundAmount { get; }

    StructureNeeds Needs(Model model);

    /// <summary>Looks at a model, which is not changed.</summary>
    /// <param name="model">The model.</param>
    /// <param name="statistics">What <see cref="Needs"/> asked for.</param>
    /// <param name="shapes">The same of <see cref="StructureNeeds.Shapes"/>, from one sample.</param>
    /// <param name="step">What is asked.</param>
    /// <param name="noise">What changes do to the outputs.</param>
    /// <param name="parallel">Threads to use, and what stops them.</param>
    IRestructuring Begin(Model model, Statistics statistics, Statistics shapes, RecipeStep step, Sensitivities noise, ParallelOptions parallel);
}

/// <summary>What changes do to the outputs of a model, through all the rounds of a step.</summary>
/// <param name="Noise">How far a model's outputs are from the original's; null: nobody can say.</param>
/// <param name="IsOver">Whether there is no more time to ask: then nothing is chosen.</param>
internal sealed record Sensitivities(Func<Model, double>? Noise, Func<bool> IsOver)
{
    /// <summary>By group of channels, noise for each unit of power that the layers behind them lose. It changes little while a model shrinks, and is measured once.</summary>
    public Dictionary<string, double> Known { get; } = new(StringComparer.Ordinal);
}

/// <summary>A model after a round.</summary>
/// <param name="Model">The model.</param>
/// <param name="Ranks">Of the weights that were added, by name.</param>
internal sealed record RestructuredModel(Model Model, IReadOnlyDictionary<string, int> Ranks)
{
    /// <summary>What is left of values that lost channels, by name.</summary>
    public IReadOnlyDictionary<string, KeptIndices> Left { get; init; } = new Dictionary<string, KeptIndices>();
}

/// <summary>A model before a round.</summary>
internal interface IRestructuring
{
    /// <summary>The best round that takes away <paramref name="amount"/> (as <see cref="RecipeStep.Amount"/>), or as much of it as can be taken; without decisions where nothing can.</summary>
    StructureRound Choose(double amount);

    /// <summary>What does not fit the model in a round that somebody else chose; null when it fits.</summary>
    string? Misfit(StructureRound round);

    /// <summary>A copy of the model after <paramref name="round"/>.</summary>
    RestructuredModel Apply(StructureRound round);

    /// <summary>What cannot be changed, and why.</summary>
    IReadOnlyList<(string Name, string Because)> LeftAlone { get; }
}

/// <summary>The techniques that change the graph.</summary>
internal static class GraphTechniques
{
    public static IReadOnlyList<IGraphTechnique> All { get; } = [new Pruning(), new Factoring()];

    public static IGraphTechnique Find(StepKind step) => All.First(t => t.Step == step);
}
