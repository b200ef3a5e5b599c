using System.Globalization;
using CompressOnBuild.Calibration;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Encodings;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Planning;

/// <summary>What the selection split says of a candidate: bytes of its file, the primary metric and how much worse it is than the original's.</summary>
public sealed record Trial(long Bytes, double Metric, double Drop);

/// <summary>
/// What a search may ask. <paramref name="Measure"/>: the primary metric on the selection split. <paramref name="Fidelity"/>: signal-to-noise
/// ratio (dB) of the outputs against the original's on a few calibration samples, a finer ruler than any metric.
/// </summary>
public sealed record SearchOracle(Func<Plan, Trial> Measure, Func<Plan, double> Fidelity);

/// <summary>
/// Chooses the forms of <c>auto</c>.
/// 1. Per weight, the form that the cost table says is fastest (Goal=size: int8 weights everywhere, the fewest bytes); islands of integer
///    convolutions that would not pay for their borders stay in floats.
/// 2. The plan is measured on the selection split. While it loses more than its share of the limit, activations are the suspects first:
///    each site with quantized activations is tried alone, and the worst go back to float activations, as few as a bisection finds needed.
/// 3. If int8 weights alone still lose too much, the worst weights go to 16 bits in the same way.
/// Every decision names its figure. Nothing here depends on a clock.
/// </summary>
public sealed class Search(Planner planner, Goal goal, double limit, SearchOracle oracle, ICompressionLog log, CancellationToken cancel)
{
    // The gate looks at other samples: the selection split must leave room for the difference.
    private const double ShareOfLimit = 0.5;

    private readonly List<CandidateResult> candidates = [];

    /// <summary>Everything that was measured, in order; the chosen one is marked.</summary>
    public IReadOnlyList<CandidateResult> Candidates => candidates;

    public Plan Run()
    {
        log.Stage("choosing forms");
        var wanted = planner.Sites.ToDictionary(s => s.Name, FastestForm, StringComparer.Ordinal);
        if (goal != Goal.Size) PoorIslands.Drop(planner, planner.Decide(wanted), wanted);
        var plan = Build(wanted);
        var trial = Measure(plan, "fastest forms");
        if (trial.Drop > Allowed) (plan, trial) = Repair(wanted, plan, trial, "activations", IsActivationQuantized, (site, text) => (WeightForm.Weights, text));
        if (trial.Drop > Allowed) (plan, trial) = Repair(wanted, plan, trial, "weights", d => d.Form != WeightForm.None && d.Form != WeightForm.Fp16, (site, text) => (WeightForm.Fp16, text));
        var chosen = candidates.Count - 1;
        for (var i = candidates.Count - 1; i >= 0; i--) if (candidates[i].Bytes == trial.Bytes && candidates[i].Drop == trial.Drop) { chosen = i; break; }
        candidates[chosen] = candidates[chosen] with { Chosen = true };
        return plan;
    }

    private double Allowed => ShareOfLimit * limit;

    private static bool IsActivationQuantized(WeightDecision d) => d.Form is WeightForm.Static or WeightForm.Dynamic;

    private (WeightForm Form, string Because) FastestForm(Site site)
    {
        if (goal == Goal.Size || planner.Statistics is not { } seen) return (WeightForm.Weights, "int8 weights are the smallest form");
        if (site.SingleNode is { } node && node.Is("Conv") && planner.Decide(site, WeightForm.Static, "").Form == WeightForm.Static)
        {
            // A convolution that loses a little by itself may still pay as the bridge between two others: islands decide.
            var (asFloat, asInteger) = (CostTable.Float(site, node, seen), CostTable.Integer(site, node, seen));
            return (WeightForm.Static, $"static int8, estimated {CostTable.Text(asInteger)} instead of {CostTable.Text(asFloat)}");
        }
        if (site.SingleNode is { } product && planner.Decide(site, WeightForm.Dynamic, "").Encoding == EncodingTable.DynamicMatMul.Id)
        {
            var (asFloat, dynamic, nBits) = (CostTable.Float(site, product, seen), CostTable.Dynamic(site, product, seen), CostTable.NBits(site, product, seen));
            return dynamic < nBits
                ? (WeightForm.Dynamic, $"dynamic int8, estimated {CostTable.Text(dynamic)} instead of {CostTable.Text(asFloat)}")
                : (WeightForm.Weights, $"int8 weights, estimated {CostTable.Text(nBits)} instead of {CostTable.Text(asFloat)}; with dynamic activations {CostTable.Text(dynamic)}");
        }
        return site.Operator is { OpType: "LSTM" } ? (WeightForm.Dynamic, "the integer LSTM") : (WeightForm.Weights, "int8 weights restored at load");
    }

    /// <summary>Steps 2 and 3.</summary>
    private (Plan, Trial) Repair(Dictionary<string, (WeightForm Form, string Because)> wanted, Plan plan, Trial trial, string what,
        Func<WeightDecision, bool> suspect, Func<Site, string, (WeightForm, string)> instead)
    {
        var suspects = plan.Weights.Where(suspect).ToArray();
        if (suspects.Length == 0) return (plan, trial);
        log.Stage($"looking for the {what} that hurt");
        var ranking = new List<(string Site, double Decibels)>();
        foreach (var group in suspects.GroupBy(d => PairOf(d.Site)))
        {
            cancel.ThrowIfCancellationRequested();
            // Everything but this group at its safest: what remains is its own loss.
            var alone = planner.Complete([.. plan.Weights.Select(d => !suspect(d) || group.Contains(d) ? d : Decision(d.Site, instead(Site(d.Site), "")))], plan.JoinRegions);
            var decibels = oracle.Fidelity(alone);
            foreach (var d in group) ranking.Add((d.Site, decibels));
            log.Progress((double)ranking.Count / suspects.Length, $"{ranking.Count} of {suspects.Length}");
        }
        ranking = [.. ranking.OrderBy(r => r.Decibels).ThenBy(r => r.Site, StringComparer.Ordinal)];

        // The smallest number of reverted sites that is good enough; more reverts are taken to be no worse.
        var (low, high) = (0, ranking.Count);
        (Plan Plan, Trial Trial) best = default;
        var known = new Dictionary<int, (Plan, Trial)>();
        (Plan Plan, Trial Trial) Try(int k)
        {
            if (known.TryGetValue(k, out var seen)) return seen;
            var changed = new Dictionary<string, (WeightForm, string)>(wanted, StringComparer.Ordinal);
            for (var i = 0; i < k; i++)
                changed[ranking[i].Site] = instead(Site(ranking[i].Site), $"quantizing its {what} alone leaves {Db(ranking[i].Decibels)} of signal, among the worst {k} of {ranking.Count}; with all of them the selection split lost {trial.Drop.ToString("0.####", CultureInfo.InvariantCulture)}");
            var candidate = Build(changed);
            return known[k] = (candidate, Measure(candidate, $"{k} of {ranking.Count} {what} in {(what == "weights" ? "16 bits" : "floats")}"));
        }
        best = Try(high);
        if (best.Trial.Drop > Allowed)
        {
            // Even all of them are not enough: keep what lost less and let the next step go on from there.
            if (best.Trial.Drop >= trial.Drop) return (plan, trial);
            Take(high);
            return best;
        }
        while (high - low > 1)
        {
            cancel.ThrowIfCancellationRequested();
            var middle = (low + high) / 2;
            var tried = Try(middle);
            if (tried.Trial.Drop <= Allowed) (high, best) = (middle, tried);
            else low = middle;
        }
        Take(high);
        return best;

        void Take(int k)
        {
            foreach (var d in Try(k).Plan.Weights)
                for (var i = 0; i < k; i++)
                    if (ranking[i].Site == d.Site) wanted[d.Site] = (d.Form, d.Because);
        }
    }

    // Both weights of an LSTM are integers or none.
    private string PairOf(string site) => Site(site).Operator is { OpType: "LSTM" } ? "LSTM " + Site(site).Uses[0].Node.Output(0)?.Name : site;

    private Site Site(string name) => planner.Sites.First(s => s.Name == name);

    private WeightDecision Decision(string site, (WeightForm Form, string Because) wanted) => planner.Decide(Site(site), wanted.Form, wanted.Because);

    private Plan Build(Dictionary<string, (WeightForm Form, string Because)> wanted) => planner.Complete(planner.Decide(wanted), join: true);

    private Trial Measure(Plan plan, string name)
    {
        log.Stage($"measuring: {name}");
        var trial = oracle.Measure(plan);
        candidates.Add(new CandidateResult(name, trial.Bytes, trial.Metric, trial.Drop, null, false));
        return trial;
    }

    private static string Db(double decibels) => decibels.ToString("0.0", CultureInfo.InvariantCulture) + " dB";
}
