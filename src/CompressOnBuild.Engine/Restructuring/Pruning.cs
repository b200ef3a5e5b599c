using System.Globalization;
using CompressOnBuild.Calibration;
using CompressOnBuild.Numerics;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// Structured pruning: channels that matter least go, with every slice of every constant that belongs to them, and the layers that summed over them are solved anew.
/// 1. Groups of channels (<see cref="ChannelAnalysis"/>).
/// 2. In each group, the order in which channels matter least and what each costs (<see cref="ChannelRemoval"/>).
/// 3. Each group alone loses some, and how far that moves the model's outputs is measured on a few samples: what it loses counts by that. The power that a layer loses
///    says little across layers; on real models it is worth up to a thousand times more in one than in another.
/// 4. Over all groups, the batch of channels goes that moves the outputs least for each multiply-accumulate that it saves, until enough are saved.
/// 5. The cut (<see cref="ChannelCut"/>), with the repair of the layers behind it.
/// 6. All layers behind are brought near to those of the model before the first round (<see cref="Reconstruction"/>).
/// </summary>
internal sealed class Pruning : IGraphTechnique
{
    public StepKind Step => StepKind.PruneStructured;

    /// <summary>Every round sees the activations that the one before it left.</summary>
    public bool Accumulates => true;

    public double RoundAmount => 0.05;

    public StructureNeeds Needs(Model model)
    {
        var grams = WeightInputs.Of(SiteFinder.Find(model).Where(s => s.IsObservable), withOne: true);
        var shapes = model.Graph.Nodes.SelectMany(n => n.Outputs).Concat(model.Graph.Inputs).OfType<Value>().Where(v => v.Constant is null && v.Name.Length > 0).Select(v => v.Name).Distinct(StringComparer.Ordinal);
        return new StructureNeeds([.. grams.Select(g => g.Value).Distinct(StringComparer.Ordinal)], grams) { Shapes = [.. shapes] };
    }

    public IRestructuring Begin(Model model, Statistics statistics, Statistics shapes, RecipeStep step, Sensitivities noise, ParallelOptions parallel) => new Started(model, statistics, shapes, step, noise, parallel);

    private sealed class Started : IRestructuring
    {
        // As in error feedback: inputs that calibration hardly saw have a say, too.
        private const double Damp = 0.01;
        /// <summary>Of the power of a layer's output: less is rounding.</summary>
        private const double Nothing = 1e-7;
        /// <summary>Of a group, in one round.</summary>
        private const double MostOfGroup = 0.5;
        /// <summary>Of a group's channels that are not dead, in the probe of step 3.</summary>
        private const double ProbeShare = 0.125;
        /// <summary>Least that a group's loss counts.</summary>
        private const double Unheard = 1e-6;

        private readonly Model model;
        private readonly RecipeStep step;
        private readonly Statistics shapes;
        private readonly Sensitivities noise;
        private readonly ParallelOptions parallel;
        private readonly ChannelAnalysis analysis;
        private readonly Dictionary<Node, LayerMatrix> layers = [];
        private readonly Dictionary<Node, double[]> damped = [];
        private readonly List<ChannelGroup> groups = [];
        private readonly List<(string, string)> leftAlone = [];

        public Started(Model model, Statistics statistics, Statistics shapes, RecipeStep step, Sensitivities noise, ParallelOptions parallel)
        {
            (this.model, this.step, this.shapes, this.noise, this.parallel) = (model, step, shapes, noise, parallel);
            analysis = ChannelAnalysis.Of(model, v => shapes.TryGet(v.Name, out var seen) ? seen.Shape : null); // step 1
            var sites = SiteFinder.Find(model).GroupBy(s => s.Weight).ToDictionary(s => s.Key, s => s.First());
            foreach (var group in analysis.Groups)
            {
                var maker = group.Slots.First(s => s.Role == SlotRole.Makes);
                if (!step.Matches(maker.Node.OpType, group.Name)) continue;
                var why = group.Because;
                foreach (var slot in group.Slots.Where(s => s.Role == SlotRole.Sums))
                {
                    if (why is not null || layers.ContainsKey(slot.Node)) continue;
                    var weight = slot.Node.Input(slot.Input)!;
                    var (layer, refusal) = sites.TryGetValue(weight, out var site) && slot.Input == 1 ? LayerMatrix.Create(site, statistics, step.By) : (null, "it is no weight that can be observed");
                    if (layer is null) why = $"'{weight}' sums over them, and {refusal}";
                    else layers.Add(slot.Node, layer);
                }
                if (why is not null) leftAlone.Add((group.Name, why));
                else groups.Add(group);
            }
        }

        public IReadOnlyList<(string Name, string Because)> LeftAlone => leftAlone;

        /// <summary>What step 2 found of a group.</summary>
        private sealed record Candidate(ChannelGroup Group, int[] Order, double[] Loss, int Dead)
        {
            public int Gone { get; set; }
        }

        public StructureRound Choose(double amount)
        {
            var cost = new ChannelCost(analysis, model.Graph.Nodes, MultiplyAdds);
            var candidates = new Candidate[groups.Count];
            Parallel.For(0, groups.Count, parallel, i => candidates[i] = Look(groups[i]));
            var most = cost.Total * (1 - amount);
            if (Sensitivities(candidates) is not { } sensitivities) return new StructureRound(0, [], []);
            // Step 4.
            while (cost.Total > most)
            {
                var (best, batch, least) = ((Candidate?)null, 0, double.PositiveInfinity);
                foreach (var candidate in candidates)
                {
                    var next = Batch(candidate);
                    if (next == 0) continue;
                    var saved = cost.Saved(Channels(candidate, next));
                    if (saved <= 0) continue;
                    var price = sensitivities[candidate] * (candidate.Loss[candidate.Gone + next - 1] - (candidate.Gone > 0 ? candidate.Loss[candidate.Gone - 1] : 0)) / saved;
                    if (price < least) (best, batch, least) = (candidate, next, price);
                }
                if (best is null) break;
                cost.Remove(Channels(best, batch));
                best.Gone += batch;
            }
            return new StructureRound(0, [], [.. candidates.Where(c => c.Gone > 0).Select(Decision)]);
        }

        // Step 3: what the power that a group's layers lose does to the model's outputs; null where time is over.
        private Dictionary<Candidate, double>? Sensitivities(Candidate[] candidates)
        {
            var result = new Dictionary<Candidate, double>(ReferenceEqualityComparer.Instance);
            double? before = null;
            foreach (var candidate in candidates)
            {
                var name = candidate.Group.Name;
                if (step.By == StepCriterion.Magnitude || noise.Noise is null) noise.Known.TryAdd(name, 1);
                if (!noise.Known.ContainsKey(name))
                {
                    parallel.CancellationToken.ThrowIfCancellationRequested();
                    if (noise.IsOver()) return null;
                    var enough = candidate.Dead + ProbeShare * (candidate.Group.Channels.Count - candidate.Dead);
                    for (int batch; candidate.Gone < enough && (batch = Batch(candidate)) > 0; ) candidate.Gone += batch;
                    if (candidate.Gone > 0)
                    {
                        before ??= noise.Noise!(model);
                        // What comes nearer by chance is heard all the same; where the outputs hear nothing (labels alone), the layers' own losses stay in their order.
                        var heard = Math.Abs(noise.Noise!(Apply(new StructureRound(0, [], [Decision(candidate)])).Model) - before.Value);
                        noise.Known.Add(name, Math.Max(Unheard, heard / Math.Max(candidate.Loss[candidate.Gone - 1], Nothing)));
                        candidate.Gone = 0;
                    }
                }
                result.Add(candidate, noise.Known.GetValueOrDefault(name, Unheard));
            }
            return result;
        }

        private static IEnumerable<int> Channels(Candidate candidate, int batch) => candidate.Order.Skip(candidate.Gone).Take(batch).Select(i => candidate.Group.Channels[i]);

        // The runtime works on blocks of channels: what stays is a multiple. Groups of few channels lose one after the other.
        private static int Batch(Candidate candidate)
        {
            var (all, left) = (candidate.Group.Channels.Count, candidate.Group.Channels.Count - candidate.Gone);
            var block = all >= 64 ? 8 : all >= 16 ? 4 : 1;
            var batch = left % block == 0 ? block : left % block;
            return candidate.Gone + batch <= candidate.Order.Length && left - batch >= block ? batch : 0;
        }

        private long MultiplyAdds(Node node, int input)
        {
            if (node.OpType is not ("LSTM" or "GRU")) return input == 1 ? CostTable.MultiplyAdds(node, shapes) : 0;
            // Every step multiplies each row of the batch with both matrices.
            return input is 1 or 2 && node.Input(input)?.Constant is { } weight && shapes.TryGet(node.Input(0)!.Name, out var seen) && seen.Shape.Count == 3 ? seen.Shape[0] * seen.Shape[1] * weight.Count : 0;
        }

        // Step 2.
        private Candidate Look(ChannelGroup group)
        {
            var summing = group.Slots.Where(s => s.Role == SlotRole.Sums).Select(slot =>
            {
                var layer = layers[slot.Node];
                var taps = layer.K / slot.Channels.Length;
                var at = group.Channels.Select((c, i) => (c, i)).ToDictionary(p => p.c, p => p.i);
                var inputs = new List<int>[group.Channels.Count];
                for (var i = 0; i < inputs.Length; i++) inputs[i] = [];
                for (var p = 0; p < slot.Channels.Length; p++)
                    if (at.TryGetValue(slot.Channels[p], out var index)) inputs[index].AddRange(Enumerable.Range(p * taps, taps));
                var gram = Damped(layer);
                var energy = gram is null ? Dense.Inner(layer.W, layer.W) : Dense.Inner(Dense.Multiply(layer.W, gram, layer.N, layer.K, layer.K), layer.W);
                return (Layer: new SummingLayer(layer.W, layer.N, gram, [.. inputs.Select(i => i.ToArray())], energy), layer.Gram);
            }).ToArray();
            var dead = Enumerable.Range(0, group.Channels.Count).Where(c => summing.All(s => s.Layer.Inputs[c].Sum(j => Power(s.Layer, s.Gram, j)) <= Nothing * s.Layer.Energy)).ToArray();
            var rest = Enumerable.Range(0, group.Channels.Count).Except(dead).ToArray();
            var most = Math.Max(0, (int)(group.Channels.Count * MostOfGroup) - dead.Length);
            var (order, loss) = rest.Length > 1 && most > 0
                ? ChannelRemoval.Order([.. summing.Select(s => s.Layer with { Inputs = [.. rest.Select(r => s.Layer.Inputs[r])] })], most, parallel.CancellationToken) : ([], []);
            return new Candidate(group, [.. dead, .. order.Select(o => rest[o])], [.. dead.Select(_ => 0.0), .. loss], dead.Length);
        }

        private static double Power(SummingLayer layer, double[]? gram, int input)
        {
            var k = layer.Weights.Length / layer.Outputs;
            double squares = 0;
            for (var r = 0; r < layer.Outputs; r++) squares += layer.Weights[r * k + input] * layer.Weights[r * k + input];
            return squares * (gram is null ? 1 : Math.Max(0, gram[input * k + input]));
        }

        private double[]? Damped(LayerMatrix layer)
        {
            if (layer.Gram is null) return null;
            lock (damped)
            {
                if (!damped.TryGetValue(layer.Node, out var known)) damped.Add(layer.Node, known = Ridge.Damped(layer.Gram, layer.K, Damp) ?? Identity(layer.K));
                return known;
            }
        }

        private static double[] Identity(int k)
        {
            var identity = new double[k * k];
            for (var i = 0; i < k; i++) identity[i * k + i] = 1;
            return identity;
        }

        private ChannelDecision Decision(Candidate candidate)
        {
            var gone = candidate.Order.Take(candidate.Gone).ToHashSet();
            var of = candidate.Group.Channels.Count;
            var dead = Math.Min(candidate.Dead, candidate.Gone);
            return new ChannelDecision(candidate.Group.Name, of, [.. Enumerable.Range(0, of).Where(i => !gone.Contains(i))], string.Create(CultureInfo.InvariantCulture,
                $"{gone.Count} of {of} channels{(dead > 0 ? $" ({dead} of them dead: nothing hears them)" : "")}, {candidate.Loss[candidate.Gone - 1]:0.00 %} of the power behind them lost"));
        }

        public string? Misfit(StructureRound round)
        {
            if (round.Ranks.Count > 0) return "a step 'prune-structured' names ranks";
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var decision in round.Channels)
                if (!seen.Add(decision.Group) || groups.FirstOrDefault(g => g.Name == decision.Group) is not { } group || group.Channels.Count != decision.Of || decision.Kept.Count == 0)
                    return $"the group '{decision.Group}' is none of {decision.Of} channels that can be cut";
            return null;
        }

        public RestructuredModel Apply(StructureRound round)
        {
            var gone = new HashSet<int>();
            foreach (var decision in round.Channels)
            {
                var channels = groups.First(g => g.Name == decision.Group).Channels;
                gone.UnionWith(Enumerable.Range(0, decision.Of).Except(decision.Kept).Select(i => channels[i]));
            }
            var cut = new ChannelCut(model, analysis, gone);
            foreach (var slot in analysis.Slots.Where(s => s.Role == SlotRole.Sums && s.Channels.Any(gone.Contains)))
            {
                var layer = layers[slot.Node];
                if (Damped(layer) is not { } gram) continue; // by magnitude nothing is repaired
                var taps = layer.K / slot.Channels.Length;
                int[] kept = [.. Enumerable.Range(0, layer.K).Where(k => !gone.Contains(slot.Channels[k / taps]))];
                var solved = LayerRepair.Solve(layer.W, layer.N, gram, kept, parallel);
                cut.Replace(slot.Node, 1, layer.ToTensor(solved));
                if (layer.BiasChange(solved) is { } change && LayerMatrix.BiasOf(layer.Site) is { } bias) cut.AddToBias(bias, change, analysis.Slots.First(s => s.Node == slot.Node && s.Input == 1 && s.Role == SlotRole.Makes));
            }
            return new RestructuredModel(cut.Run(), new Dictionary<string, int>()) { Left = cut.Left() };
        }
    }
}
