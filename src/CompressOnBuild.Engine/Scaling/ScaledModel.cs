using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Planning;
using CompressOnBuild.Rewrites;
using CompressOnBuild.Techniques.Scaling;

namespace CompressOnBuild.Scaling;

/// <summary>An equal model with factors between its layers.</summary>
internal static class ScaledModel
{
    /// <summary>Places of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="shapes">Shapes of its values in one run; null: what is certain without.</param>
    public static IReadOnlyList<ScalePlace> Places(Model model, Statistics? shapes)
    {
        var facts = ShapeFacts.Of(model);
        return ChannelFlow.Of(model, v => v.Fixed() is { } t ? t.Shape.ToArray() : shapes is not null && shapes.TryGet(v.Name, out var seen) ? seen.Shape : facts.StaticOf(v));
    }

    /// <summary>A copy of <paramref name="prepared"/> with the factors of <paramref name="decisions"/>, or why there is none: a place that the model does not have.</summary>
    public static (Model? Model, string? Misfit) Apply(Model prepared, Statistics? shapes, IReadOnlyList<ScaleDecision> decisions)
    {
        var model = prepared.Clone();
        var places = Places(model, shapes);
        var wanted = new Dictionary<string, IReadOnlyList<int>>(StringComparer.Ordinal);
        foreach (var (name, steps) in decisions)
        {
            if (places.FirstOrDefault(p => p.Name == name) is not { } place) return (null, $"no channels that can be scaled are made by '{name}'");
            if (place.Count != steps.Count) return (null, $"'{name}' makes {place.Count} channels that can be scaled, not {steps.Count}");
            wanted[name] = steps;
        }
        // In the order of the graph, whatever that of the decisions is: it says who keeps the name of a constant that two of them share.
        var constants = new ScaledConstants();
        foreach (var place in places)
            if (wanted.TryGetValue(place.Name, out var steps)) constants.Scale(place, [.. steps.Select(ScaleSteps.Factor)]);
        constants.Write();
        return (model, null);
    }
}
