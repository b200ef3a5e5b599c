using System.Globalization;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Numerics;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Planning;

/// <summary>
/// What the selection split says of a candidate: bytes of its file, the primary metric, how much worse it is than the original's, and
/// whether the 95 % interval of the drop lies above 0 (<paramref name="ShownWorse"/>), and whether the outputs that no metric scores stayed
/// what they were. <paramref name="GateHigh"/>: the upper end that the interval of the drop is expected to have on the gate split, 0 where
/// it is not known; <paramref name="FromMargins"/>: it follows from how clear the decisions are, and not from the handful that changed. <paramref name="Changes"/>: of metrics that are shares.
/// </summary>
internal sealed record Trial(long Bytes, double Metric, double Drop, bool ShownWorse = true, bool OthersGood = true, double GateHigh = 0, DecisionChanges? Changes = null, bool FromMargins = false)
{
    /// <summary>Whether the gate is expected to show that the limit is kept.</summary>
    public bool Passes(double limit) => OthersGood && Drop <= limit && GateHigh <= limit;
}

/// <summary>
/// What a search may ask. <paramref name="Measure"/>: the primary metric on the selection split. <paramref name="Fidelity"/>: signal-to-noise
/// ratio (dB) of the outputs against the original's on a few calibration samples, a finer ruler than any metric. <paramref name="ProductError"/>:
/// power of what a form changes in the products of its weight, in a unit of that weight; null: not known.
/// </summary>
internal sealed record SearchOracle(Func<Plan, Trial> Measure, Func<Plan, double> Fidelity, Func<Site, WeightDecision, double>? ProductError = null);

/// <summary>
/// Chooses the forms of <c>auto</c>.
/// 1. Per weight, the form that the cost table says is fastest (Goal=size: int8 weights everywhere, the fewest bytes); islands of integer
///    convolutions that would not pay for their borders stay in floats. If the selection split loses at most its share of the limit, done.
/// 2. Are the weights guilty? All activations go to floats. If that still loses too much, each weight is tried alone, and the worst go to
///    16 bits, as few as a bisection finds needed.
/// 3. The others get their fast forms back. If that loses too much, the activations of each site are tried alone, and the worst go to
///    floats, again as few as needed.
/// 4. What is good but loses a little may change so many samples that the gate cannot show it. Activations in floats, and if that is not enough 16 bits for
///    the worst weights of at most 2 % of the file: where that shows it, it is taken, as little of it as needed; where not, or where speed is the goal, nothing is given up.
/// 5. What is larger than the limit of bytes gets narrower weights, those that hurt least (<see cref="WidthSearch"/>); the others keep their forms.
/// Every decision names its figure. Nothing here depends on a clock but the end of a <see cref="SearchBudget"/>: then the safest form stands where a
/// better one was still being looked for.
/// </summary>
internal sealed class Search(Planner planner, Goal goal, SearchLimits limits, SearchOracle oracle, ICompressionLog log, CancellationToken cancel)
{
    // The gate looks at other samples: the selection split must leave room for the difference.
    private const double ShareOfLimit = 0.5;
    // On few samples one more wrong answer is more than that share; what is not shown to be worse may go this far beyond the limit.
    private const double ShareWhenNotShown = 1.5;

    /// <summary>Of the file, for weights in 16 bits that only make the gate sure.</summary>
    private const double ShareOfBytes = 0.02;

    private readonly List<CandidateResult> candidates = [];

    /// <summary>Everything that was measured, in order; the chosen one is marked.</summary>
    public IReadOnlyList<CandidateResult> Candidates => candidates;

    /// <summary>How long it may take.</summary>
    public SearchBudget Budget { get; init; } = SearchBudget.None;

    private bool IsGood(Trial trial) => trial.OthersGood && trial.Drop <= (trial.ShownWorse ? ShareOfLimit : ShareWhenNotShown) * limits.Drop;

    public Plan Run()
    {
        log.Stage("choosing forms");
        var wishes = new Wishes(planner.Sites.ToDictionary(s => s.Name, FastestForm, StringComparer.Ordinal));
        if (goal != Goal.Size) PoorIslands.Drop(planner, planner.Decide(wishes.Forms), wishes.Forms);
        var best = Measure(wishes, "fastest forms");
        if (!IsGood(best.Trial))
        {
            // Step 2.
            var activations = Suspects(best.Plan, d => d.Form is WeightForm.Static or WeightForm.Dynamic);
            var still = wishes.With(activations.SelectMany(g => g), _ => (WeightForm.Weights, "int8 weights"));
            var floats = activations.Count == 0 ? best : Measure(still, "all activations in floats");
            if (!IsGood(floats.Trial))
            {
                var guilty = Find("weights", still, floats, Suspects(floats.Plan, d => d.Encoding is not null && d.Form != WeightForm.Fp16), WeightForm.Fp16, "in 16 bits");
                foreach (var (site, wish) in guilty) { wishes.Forms[site] = wish; still.Forms[site] = wish; }
                best = Measure(wishes, $"fastest forms, {guilty.Count} weights in 16 bits");
            }
            // Step 3.
            if (!IsGood(best.Trial))
            {
                var guilty = Find("activations", wishes, best, Suspects(best.Plan, d => d.Form is WeightForm.Static or WeightForm.Dynamic), WeightForm.Weights, "in floats");
                foreach (var (site, wish) in guilty) wishes.Forms[site] = wish;
                best = Measure(wishes, $"{guilty.Count} activations in floats");
            }
        }
        if (IsGood(best.Trial) && !best.Trial.Passes(limits.Drop) && CanBeSurer(best.Trial) && !Budget.IsOver) best = Surer(wishes, best) ?? best; // step 4
        if (best.Trial.Bytes > limits.Bytes)
        {
            // Step 5.
            var narrower = new WidthSearch(planner, s_narrower, limits, oracle, log, cancel) { Unnarrowed = best.Plan.Weights, Budget = Budget };
            var plan = narrower.Fit(limits.Bytes.Value);
            candidates.AddRange(narrower.Candidates);
            if (plan is not null) return plan;
        }
        candidates[best.Candidate] = candidates[best.Candidate] with { Chosen = true };
        return best.Plan;
    }

    private static readonly int[] s_narrower = [3, 4, 5, 6, 7, 8];

    // What lost nothing is not slowed down for a proof. Where nothing changed, or where even that would show nothing on so few samples, there is nothing to gain.
    private bool CanBeSurer(Trial trial) => goal != Goal.Speed && !limits.HasLatency && trial.Drop > 0 && (trial.Changes is not { } changes
        || (changes.Worse + changes.Better > 0 && MatchedShares.Difference(0, 0, changes.GateSamples).High <= limits.Drop));

    private Measured? Surer(Wishes wishes, Measured best)
    {
        var activations = Suspects(best.Plan, d => d.Form is WeightForm.Static or WeightForm.Dynamic);
        var still = wishes.With(activations.SelectMany(g => g), _ => (WeightForm.Weights, "int8 weights: with its activations in integers the gate would not show that the limit is kept"));
        var floats = activations.Count == 0 ? best : Measure(still, "all activations in floats");
        var sure = wishes;
        if (!floats.Trial.Passes(limits.Drop))
        {
            var wide = Dearest(Rank("weights", still, Suspects(floats.Plan, d => d.Encoding is not null && d.Form != WeightForm.Fp16), WeightForm.Fp16), (long)(ShareOfBytes * floats.Trial.Bytes));
            Wishes Widened(Wishes before) => before.With(wide, _ => (WeightForm.Fp16, $"its rounding hurts most for its size: 16 bits, with which the gate is expected to show that the limit is kept"));
            if (wide.Count == 0 || !(floats = Measure(Widened(still), $"all activations in floats, {wide.Count} weights in 16 bits")).Trial.Passes(limits.Drop)) return null;
            sure = Widened(wishes);
            activations = [.. activations.Where(g => !g.Any(wide.Contains))];
        }
        if (activations.Count == 0) return floats;
        var guilty = Find("activations", sure, best, activations, WeightForm.Weights, "in floats", t => t.Passes(limits.Drop)).ToDictionary(g => g.Site, g => g.Wish);
        return Measure(sure.With(guilty.Keys, site => guilty[site]), $"{guilty.Count} activations in floats");
    }

    /// <summary>The weights that are worth the most in 16 bits, within <paramref name="room"/> more bytes.</summary>
    private HashSet<string> Dearest(List<(string[] Sites, double Decibels)> ranking, long room)
    {
        var sizes = planner.Sites.ToDictionary(s => s.Name, s => (long)s.Tensor.Count, StringComparer.Ordinal);
        var chosen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (sites, _) in ranking.OrderByDescending(r => Math.Pow(10, -r.Decibels / 10) / r.Sites.Sum(s => sizes[s])).ThenBy(r => r.Sites[0], StringComparer.Ordinal))
        {
            var more = sites.Sum(s => sizes[s]);
            if (more > room) continue;
            room -= more;
            chosen.UnionWith(sites);
        }
        return chosen;
    }

    /// <summary>What is wanted for each site, and why.</summary>
    private sealed record Wishes(Dictionary<string, (WeightForm Form, string Because)> Forms)
    {
        public Wishes With(IEnumerable<string> sites, Func<string, (WeightForm, string)> wish)
        {
            var copy = new Dictionary<string, (WeightForm, string)>(Forms, StringComparer.Ordinal);
            foreach (var site in sites) copy[site] = wish(site);
            return new Wishes(copy);
        }
    }

    private sealed record Measured(Plan Plan, Trial Trial, int Candidate);

    private (WeightForm Form, string Because) FastestForm(Site site)
    {
        if (goal == Goal.Size || planner.Statistics is not { } seen) return (WeightForm.Weights, "int8 weights are the smallest form");
        if (site.Operator is { OpType: "Conv" } && planner.Decide(site, WeightForm.Static, "").Form == WeightForm.Static)
        {
            // A convolution that loses a little by itself may still pay as the bridge between two others: islands decide.
            return (WeightForm.Static, $"static int8, estimated {CostTable.Text(CostTable.Integer(site, seen))} instead of {CostTable.Text(CostTable.Float(site, seen))}");
        }
        if (planner.Decide(site, WeightForm.Dynamic, "").Encoding == EncodingTable.DynamicMatMul.Id)
        {
            var asFloat = CostTable.Float(site, seen);
            var dynamic = CostTable.Dynamic(site, seen);
            var fused = planner.Decide(site, WeightForm.Weights, "").Encoding == EncodingTable.MatMulDequantize.Id;
            var weights = fused ? CostTable.NBits(site, seen) : asFloat;
            return dynamic < weights
                ? (WeightForm.Dynamic, $"dynamic int8, estimated {CostTable.Text(dynamic)} instead of {CostTable.Text(asFloat)}")
                : (WeightForm.Weights, $"int8 weights{(fused ? $", estimated {CostTable.Text(weights)} instead of {CostTable.Text(asFloat)}" : " restored at load")}; quantizing the activations would take {CostTable.Text(dynamic)}");
        }
        return site.Operator is { OpType: "LSTM" } ? (WeightForm.Dynamic, "the integer LSTM") : (WeightForm.Weights, "int8 weights restored at load");
    }

    /// <summary>Sites that are to be tried alone; both weights of an LSTM go together.</summary>
    private List<string[]> Suspects(Plan plan, Func<WeightDecision, bool> suspect) =>
        [.. plan.Weights.Where(suspect).Select(d => d.Site).GroupBy(GroupOf).Select(g => g.ToArray())];

    private string GroupOf(string name)
    {
        var site = planner.Sites.First(s => s.Name == name);
        if (site.Operator is not { OpType: "LSTM" }) return name;
        // An output may be left out, the input matrix W never is.
        var first = site.Uses[0].Node.Input(1);
        return planner.Sites.FirstOrDefault(s => s.Weight == first)?.Name ?? name;
    }

    /// <summary>The fewest suspects that must take the safe form, worst first, with what they are to become.</summary>
    private IReadOnlyList<(string Site, (WeightForm, string) Wish)> Find(string what, Wishes wishes, Measured failed, List<string[]> suspects, WeightForm safe, string where, Func<Trial, bool>? enough = null)
    {
        var ranking = Rank(what, wishes, suspects, safe);
        var (low, high) = (0, ranking.Count);
        // More reverts are taken to be no worse: a bisection between none, which failed, and all.
        while (high - low > 1 && !Budget.IsOver)
        {
            cancel.ThrowIfCancellationRequested();
            var middle = (low + high) / 2;
            if ((enough ?? IsGood)(Measure(wishes.With(ranking.Take(middle).SelectMany(r => r.Sites), _ => (safe, "")), $"{middle} of {ranking.Count} {what} {where}").Trial)) high = middle;
            else low = middle;
        }
        return [.. ranking.Take(high).SelectMany(r => r.Sites.Select(s => (s, (safe,
            double.IsNegativeInfinity(r.Decibels) ? $"the time of the search was over before its {what} were tried alone, and in integers the selection split lost {failed.Trial.Drop.ToString("0.####", CultureInfo.InvariantCulture)}"
            : $"quantizing its {what} alone leaves {r.Decibels.ToString("0.0", CultureInfo.InvariantCulture)} dB of signal, among the worst {high} of {ranking.Count}; before, the selection split lost {failed.Trial.Drop.ToString("0.####", CultureInfo.InvariantCulture)}"))))];
    }

    /// <summary>Suspects with the signal that they leave when all the others take the safe form (dB), worst first.</summary>
    private List<(string[] Sites, double Decibels)> Rank(string what, Wishes wishes, List<string[]> suspects, WeightForm safe)
    {
        log.Stage($"looking for the {what} that hurt");
        var ranking = new List<(string[] Sites, double Decibels)>();
        foreach (var group in suspects)
        {
            cancel.ThrowIfCancellationRequested();
            if (Budget.IsOver)
            {
                // Never tried: among the first to take the safe form.
                ranking.Add((group, double.NegativeInfinity));
                continue;
            }
            // Everything but this group at its safest: what is lost then is its own loss.
            var alone = wishes.With(suspects.Where(g => g != group).SelectMany(g => g), _ => (safe, ""));
            ranking.Add((group, oracle.Fidelity(planner.Complete(planner.Decide(alone.Forms), join: true))));
            log.Progress((double)ranking.Count / suspects.Count, $"{ranking.Count} of {suspects.Count}");
        }
        return [.. ranking.OrderBy(r => r.Decibels).ThenBy(r => r.Sites[0], StringComparer.Ordinal)];
    }

    private Measured Measure(Wishes wishes, string name)
    {
        log.Stage($"measuring: {name}");
        var plan = planner.Complete(planner.Decide(wishes.Forms), join: true);
        var trial = oracle.Measure(plan);
        candidates.Add(new CandidateResult(name, trial.Bytes, trial.Metric, trial.Drop, null, false));
        return new Measured(plan, trial, candidates.Count - 1);
    }
}
