using System.Globalization;
using CompressOnBuild.Calibration;
using CompressOnBuild.Onnx;
using CompressOnBuild.Operators;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Restructuring;

/// <summary>
/// Low rank: every weight that matches becomes a product of thinner ones where that saves elements and multiply-accumulates.
/// 1. Each way to factor each weight has its elements and the share of its output's power that is lost (<see cref="FactoredWeight.Options"/>); doing nothing loses none.
/// 2. What such a loss does to the outputs of the model is measured, for a small and a large one of each weight alone, on samples that calibration did not see. In between it
/// is taken to grow evenly: small independent losses add up, and grow with the square of the change as the power that is lost does.
/// 3. The ways are chosen for the least sum of what the outputs hear within what may stay, by the Lagrangian (Shoham and Gersho 1988). What stays is counted in shares of
/// the elements and of the estimated time of the weights that match, half and half: a file is to be smaller and a run faster.
/// 4. It leaves room where the next way of a weight is a large step away: that goes to whoever gains most by it.
/// </summary>
internal sealed class Factoring : IGraphTechnique
{
    public StepKind Step => StepKind.LowRank;

    /// <summary>Factors of factors would be worse than factors of the weight.</summary>
    public bool Accumulates => false;

    public double RoundAmount => 0.1;

    // Losses of a weight's own output that are tried; below the last one nothing is lost but digits.
    private static readonly double[] s_probes = [0.01, 0.1];
    private const double Exact = 1e-6;

    public StructureNeeds Needs(Model model)
    {
        var sites = SiteFinder.Find(model).Where(s => s.IsObservable && s.SingleNode is not null).ToArray();
        var grams = WeightInputs.Of(sites, withOne: true);
        return new StructureNeeds([.. grams.Select(g => g.Value), .. sites.Select(s => s.SingleNode!.Output(0)?.Name).OfType<string>()], grams);
    }

    public IRestructuring Begin(Model model, Statistics statistics, Statistics shapes, RecipeStep step, Sensitivities noise, ParallelOptions parallel) => new Started(model, statistics, step, noise, parallel);

    private sealed class Started : IRestructuring
    {
        private readonly Model model;
        private readonly StepCriterion by;
        private readonly Dictionary<string, FactoredWeight> weights = new(StringComparer.Ordinal);
        private readonly List<(string, string)> leftAlone = [];
        private readonly Func<Model, double>? noise;
        private readonly Func<bool> isOver;
        private readonly ParallelOptions parallel;
        private IReadOnlyList<Choice>? choices;

        public Started(Model model, Statistics statistics, RecipeStep step, Sensitivities noise, ParallelOptions parallel)
        {
            // The baseline looks at weights alone.
            (this.model, by, this.noise, isOver, this.parallel) = (model, step.By, step.By == StepCriterion.Magnitude ? null : noise.Noise, noise.IsOver, parallel);
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
            if ((this.choices ??= Listen()) is not { } choices) return new StructureRound(0, [], []);
            double elements = weights.Values.Sum(w => w.Site.Tensor.Count), time = weights.Values.Sum(w => w.Time);
            double Of(Choice choice, FactorOption? option) => ((option?.Elements ?? choice.Weight.Site.Tensor.Count) / elements + (option?.Time ?? choice.Weight.Time) / time) / 2;
            // What matches and cannot be factored stays, and counts.
            var most = choices.Sum(c => Of(c, null)) - amount;
            double low = 0, high = 1e-12;
            while (Size(high) > most && high < 1e3) high *= 4;
            for (var i = 0; i < 60; i++)
            {
                var middle = (low + high) / 2;
                if (Size(middle) > most) low = middle;
                else high = middle;
            }
            var chosen = choices.Select(c => Best(c, high)).ToArray();
            // Step 4.
            for (var room = most - choices.Select((c, i) => Of(c, chosen[i])).Sum(); room > 0;)
            {
                var (at, better, gain) = (-1, (FactorOption?)null, 0.0);
                for (var i = 0; i < choices.Count; i++)
                {
                    if (chosen[i] is not { } now) continue;
                    var (choice, bound) = (choices[i], Of(choices[i], now) + room);
                    var option = Of(choice, null) <= bound ? null : choice.Weight.Options.Where(o => Of(choice, o) <= bound).MinBy(o => o.Error);
                    if (choice.Loss(now) - choice.Loss(option) is var saved && saved > gain) (at, better, gain) = (i, option, saved);
                }
                if (at < 0) break;
                room -= Of(choices[at], better) - Of(choices[at], chosen[at]);
                chosen[at] = better;
            }
            return new StructureRound(0, [.. choices.Zip(chosen).Where(c => c.Second is not null).Select(c => Decision(c.First.Weight, c.Second!))], []);

            double Size(double price) => choices.Sum(c => Of(c, Best(c, price)));

            // Step 3; null: nothing is best.
            FactorOption? Best(Choice choice, double price)
            {
                var (best, least) = ((FactorOption?)null, price * Of(choice, null));
                foreach (var option in choice.Weight.Options)
                {
                    var cost = choice.Loss(option) + price * Of(choice, option);
                    if (cost < least) (best, least) = (option, cost);
                }
                return best;
            }
        }

        // Step 2; null where time is over.
        private List<Choice>? Listen()
        {
            var all = new List<Choice>();
            foreach (var weight in weights.Values.Where(w => w.Options.Count > 0))
            {
                parallel.CancellationToken.ThrowIfCancellationRequested();
                if (isOver()) return null;
                all.Add(new Choice(weight, Heard(weight)));
            }
            return all;
        }

        /// <summary>Step 2: noise of the outputs over what the weight's own output loses, from two ways to factor it.</summary>
        private List<(double Error, double Noise)> Heard(FactoredWeight weight)
        {
            var points = new List<(double Error, double Noise)> { (0, 0) };
            if (noise is null) return points;
            // Where the outputs hear nothing, the weight's own errors stay in their order.
            foreach (var probe in s_probes.Select(e => weight.Options.Where(o => o.Error > Exact).MinBy(o => Math.Abs(Math.Log(o.Error / e)))).OfType<FactorOption>().Distinct())
                points.Add((probe.Error, Math.Max(points[^1].Noise, Math.Max(Exact * probe.Error, noise(Apply(new StructureRound(0, [Decision(weight, probe)], [])).Model)))));
            return points;
        }

        /// <summary>A weight that can be factored, and what the outputs hear when it loses something.</summary>
        /// <param name="Weight">The weight.</param>
        /// <param name="Heard">Noise over error, from (0, 0); nothing more where nobody listens: then each weight's own output counts alike.</param>
        private sealed record Choice(FactoredWeight Weight, IReadOnlyList<(double Error, double Noise)> Heard)
        {
            /// <summary>Straight from point to point, and on as the last piece or the whole, whichever is steeper.</summary>
            public double Loss(FactorOption? option)
            {
                if (option is null) return 0;
                if (Heard.Count == 1) return option.Error;
                var next = 1;
                while (next < Heard.Count - 1 && Heard[next].Error < option.Error) next++;
                var (from, to) = (Heard[next - 1], Heard[next]);
                var slope = (to.Noise - from.Noise) / (to.Error - from.Error);
                return option.Error <= to.Error ? from.Noise + slope * (option.Error - from.Error) : to.Noise + Math.Max(slope, to.Noise / to.Error) * (option.Error - to.Error);
            }
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

        public RestructuredModel Apply(StructureRound round)
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
            return new RestructuredModel(copy, ranks);
        }
    }
}
