using System.Globalization;
using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// Low rank: every weight that matches becomes a product of thinner ones where that saves elements and multiply-accumulates.
/// 1. Each way to factor each weight has its elements and the share of its output's power that is lost (<see cref="FactoredWeight.Options"/>); doing nothing loses none.
/// 2. The ways are chosen for the least sum of losses within the elements that may stay, by the Lagrangian (Shoham and Gersho 1988).
/// 3. It leaves room where the next way of a weight is a large step away: that goes to whoever gains most by it.
/// </summary>
internal sealed class Factoring : IGraphTechnique
{
    public StepKind Step => StepKind.LowRank;

    /// <summary>Factors of factors would be worse than factors of the weight.</summary>
    public bool Accumulates => false;

    public double RoundAmount => 0.1;

    public StructureNeeds Needs(Model model)
    {
        var sites = SiteFinder.Find(model).Where(s => s.IsObservable && s.SingleNode is not null).ToArray();
        var grams = WeightInputs.Of(sites, withOne: true);
        return new StructureNeeds([.. grams.Select(g => g.Value), .. sites.Select(s => s.SingleNode!.Output(0)?.Name).OfType<string>()], grams);
    }

    public IRestructuring Begin(Model model, Statistics statistics, Statistics shapes, RecipeStep step, ParallelOptions parallel) => new Started(model, statistics, step, parallel);

    private sealed class Started : IRestructuring
    {
        private readonly Model model;
        private readonly StepCriterion by;
        private readonly Dictionary<string, FactoredWeight> weights = new(StringComparer.Ordinal);
        private readonly List<(string, string)> leftAlone = [];

        public Started(Model model, Statistics statistics, RecipeStep step, ParallelOptions parallel)
        {
            (this.model, by) = (model, step.By);
            foreach (var site in SiteFinder.Find(model).Where(s => step.Matches(s.OperatorName, s.Name)))
            {
                var (weight, refusal) = FactoredWeight.Create(site, statistics, by, parallel);
                if (weight is null) leftAlone.Add((site.Name, refusal!));
                else weights.Add(site.Name, weight);
            }
        }

        public IReadOnlyList<(string Name, string Because)> LeftAlone =>
            [.. leftAlone, .. weights.Values.Where(w => w.Options.Count == 0).Select(w => (w.Site.Name, "no rank of 8 or more saves anything"))];

        public StructureRound Choose(double amount)
        {
            var own = weights.Values.Where(w => w.Options.Count > 0).ToArray();
            // What matches and cannot be factored stays, and counts.
            var most = weights.Values.Sum(w => w.Site.Tensor.Count) * (1 - amount) - (weights.Values.Sum(w => w.Site.Tensor.Count) - own.Sum(w => w.Site.Tensor.Count));
            double low = 0, high = 1e-12;
            while (Elements(high) > most && high < 1e3) high *= 4;
            for (var i = 0; i < 60; i++)
            {
                var middle = (low + high) / 2;
                if (Elements(middle) > most) low = middle;
                else high = middle;
            }
            var chosen = own.Select(w => Best(w, high)).ToArray();
            // Step 3.
            for (var room = most - own.Select((w, i) => chosen[i]?.Elements ?? w.Site.Tensor.Count).Sum(); room > 0;)
            {
                var (at, better, gain) = (-1, (FactorOption?)null, 0.0);
                for (var i = 0; i < own.Length; i++)
                {
                    if (chosen[i] is not { } now) continue;
                    var option = own[i].Site.Tensor.Count <= now.Elements + room ? null : own[i].Options.Where(o => o.Elements <= now.Elements + room).MinBy(o => o.Error);
                    if (now.Error - (option?.Error ?? 0) > gain) (at, better, gain) = (i, option, now.Error - (option?.Error ?? 0));
                }
                if (at < 0) break;
                room -= (better?.Elements ?? own[at].Site.Tensor.Count) - chosen[at]!.Elements;
                chosen[at] = better;
            }
            return new StructureRound(0, [.. own.Zip(chosen).Where(c => c.Second is not null).Select(c => Decision(c.First, c.Second!))], []);

            double Elements(double price) => own.Sum(w => Best(w, price)?.Elements ?? w.Site.Tensor.Count);
        }

        /// <summary>Step 2; null: nothing is best.</summary>
        private static FactorOption? Best(FactoredWeight weight, double price)
        {
            var (best, least) = ((FactorOption?)null, price * weight.Site.Tensor.Count);
            foreach (var option in weight.Options)
            {
                var cost = option.Error + price * option.Elements;
                if (cost < least) (best, least) = (option, cost);
            }
            return best;
        }

        private RankDecision Decision(FactoredWeight weight, FactorOption option) => new(weight.Site.Name, option.Form, option.Rank, option.InputRank, string.Create(CultureInfo.InvariantCulture,
            $"{Words(option)}: {(double)option.Elements / weight.Site.Tensor.Count:0 %} of its elements; {(by == StepCriterion.Magnitude ? "of its squares" : "of its output's power on calibration data")} {option.Error:0.0000 %} is lost"));

        private static string Words(FactorOption option) => option.Form switch
        {
            FactorForm.Svd => $"rank {option.Rank}",
            FactorForm.Tucker => $"{option.InputRank} channels before its kernel and {option.Rank} behind it",
            FactorForm.Input => $"{option.Rank} channels before its kernel",
            _ => $"columns and rows of its kernel, {option.Rank} channels between",
        };

        public string? Misfit(StructureRound round)
        {
            if (round.Channels.Count > 0) return "a step 'low-rank' names channels";
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var decision in round.Ranks)
                if (!seen.Add(decision.Weight) || !weights.TryGetValue(decision.Weight, out var weight) || !weight.Has(decision.Form, decision.Rank, decision.InputRank)) return $"the weight '{decision.Weight}' cannot be factored that way";
            return null;
        }

        public (Model Model, IReadOnlyDictionary<string, int> Ranks) Apply(StructureRound round)
        {
            var copy = model.Clone();
            var sites = SiteFinder.Find(copy).ToDictionary(s => s.Name, StringComparer.Ordinal);
            var ranks = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var decision in round.Ranks)
            {
                var factors = weights[decision.Weight].Factor(decision.Form, decision.Rank, decision.InputRank);
                if (factors is null) continue; // a matrix that cannot be solved keeps its weight
                foreach (var name in FactorWriter.Write(sites[decision.Weight], decision.Form, decision.Rank, decision.InputRank, factors)) ranks[name] = decision.Rank;
            }
            copy.Graph.RemoveUnused();
            return (copy, ranks);
        }
    }
}
