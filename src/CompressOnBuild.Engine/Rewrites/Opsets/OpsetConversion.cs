using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites.Opsets;

/// <summary>
/// The outcome of a conversion: <paramref name="Model"/> at the wanted operator set, or null and the reason why not, as a sentence without its full stop.
/// <paramref name="Changed"/> counts the nodes that had to be written differently.
/// </summary>
internal sealed record RaisedModel(Model? Model, int Changed, string? Refusal);

/// <summary>
/// Raises a model's default operator set for real: every operator whose meaning or signature changed in between is written the new way (see
/// <see cref="OpsetAdapters"/>), in nested bodies too. An operator that is neither listed as unchanged nor has an adapter stops the conversion: the caller then keeps
/// to what the model's operator set allows. The highest target is 13, the first with per-channel QuantizeLinear and DequantizeLinear.
/// The IR version rises to 7, the one of that operator set; from IR version 3 the graph inputs that only repeat weights go (<see cref="InitializerInputs"/>).
/// The given model is never changed. Source: ONNX operator changelog, versions 7 to 13.
/// </summary>
internal static class OpsetConversion
{
    public const int HighestTarget = 13;
    private const int IrVersionOfTarget = 7;

    public static RaisedModel Raise(Model model, int target)
    {
        var from = model.Opset();
        if (from >= target) return new(model, 0, null);
        if (from == 0) return Refuse("the model imports no operators of the default domain");
        if (target > HighestTarget) return Refuse($"operator sets above {HighestTarget} are not converted to");
        if (model.Shell.Functions.FirstOrDefault(f => f.OpsetImport.Any(o => Model.Normalize(o.Domain).Length == 0 && o.Version < target)) is { } function)
            return Refuse($"the model's function '{function.Name}' is written in operator set {from}");

        var raised = model.Clone();
        new InitializerInputs().Apply(raised);
        raised.IrVersion = Math.Max(raised.IrVersion, IrVersionOfTarget);
        var context = new OpsetAdapters(ShapeFacts.Of(raised), from);
        var changed = 0;
        foreach (var node in raised.AllNodes().Where(n => n.Domain.Length == 0).ToList())
        {
            var (touched, refusal) = context.Adapt(node, from, target);
            if (refusal is not null) return Refuse($"{node.OpType} '{node.Name}' {refusal}");
            if (touched) changed++;
        }
        raised.ImportOpset("", target);
        return new(raised, changed, null);

        RaisedModel Refuse(string reason) => new(null, 0, $"operator set {from} cannot be raised to {target}: {reason}");
    }
}
