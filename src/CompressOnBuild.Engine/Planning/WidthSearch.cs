using System.Globalization;
using CompressOnBuild.Encodings;
using CompressOnBuild.Operators;

namespace CompressOnBuild.Planning;

/// <summary>
/// Chooses the form of each weight, integers of some bits or a palette, for the smallest file; arithmetic stays float.
/// Symbols: e_i(f) power of the error that weight i in form f leaves in the outputs, over the power of the outputs; c_i(f) its bytes; g_i(f) power
/// of the error in the products of the weight itself.
/// 1. e_i(probe) is measured for each weight alone on a few calibration samples. Other forms leave as much more or less as their products say:
///    e_i(f) = e_i(probe) g_i(f) / g_i(probe). Where that is not known, every bit takes three quarters of the power, the law of uniform
///    rounding: e_i(b) = e_i(probe) 4^(probe - b).
/// 2. Errors of weights add up, so that a budget E gives forms by the Lagrangian: f_i minimises c_i(f) + l e_i(f), with the smallest l
///    that keeps the sum of e_i within E (Shoham and Gersho 1988, "Efficient Bit Allocation for an Arbitrary Set of Quantizers").
/// 3. A bisection over E, in steps of 1 dB, finds the largest with which the gate is expected to pass: by margins (expected changes of the room Evaluation), of other
///    shares by <see cref="ChangeRate"/>, of other metrics by the interval that the gate split would give.
/// 4. With a limit of bytes that this does not keep, a bisection finds the smallest E that does, whatever the accuracy: the gate tells which limit broke.
/// Every width names its figure. Nothing here depends on a clock.
/// </summary>
internal sealed class WidthSearch(Planner planner, IReadOnlyList<int> widths, SearchLimits limits, SearchOracle oracle, ICompressionLog log, CancellationToken cancel)
{
    // Below, outputs are noise; above, the finest widths are reached long before.
    private const int LeastDecibels = 4, MostDecibels = 80;
    private const int Probe = 4;
    /// <summary>Noise (dB) with which enough samples change to tell a rate.</summary>
    private const int Anchor = 20;

    private readonly int[] widths = [.. widths.Distinct().Order()];
    private readonly List<CandidateResult> candidates = [];
    private readonly ChangeRate rate = new();
    private readonly Dictionary<string, Measured> tried = new(StringComparer.Ordinal);
    private List<Choice>? choices;

    /// <summary>Everything that was measured, in order; the chosen one is marked.</summary>
    public IReadOnlyList<CandidateResult> Candidates => candidates;

    /// <summary>How long it may take.</summary>
    public SearchBudget Budget { get; init; } = SearchBudget.None;

    /// <summary>What a weight takes that is not narrowed; null: integers of the widest width, arithmetic in floats.</summary>
    public IReadOnlyList<WeightDecision>? Unnarrowed { get; init; }

    /// <summary>Bits in which a weight may have a palette instead of integers.</summary>
    public IReadOnlyList<int> Palettes { get; init; } = [];

    private sealed record Option(WeightDecision Decision, long Bytes, double Error);

    /// <param name="Options">By bytes.</param>
    /// <param name="Decibels">Of the outputs, with the probe of this weight alone.</param>
    private sealed record Choice(IReadOnlyList<Option> Options, double Decibels);

    /// <param name="Plan">The widths.</param>
    /// <param name="Trial">What the selection split says.</param>
    /// <param name="Amplitude">Noise over signal in the outputs.</param>
    /// <param name="Candidate">Its place in the list of candidates.</param>
    private sealed record Measured(Plan Plan, Trial Trial, double Amplitude, int Candidate);

    public Plan Run()
    {
        log.Stage("choosing widths");
        var best = Measure(Widest(), Unnarrowed is null ? $"{widths[^1]}-bit weights" : "no weight narrowed");
        if (best.Trial.OthersGood && best.Trial.Drop <= limits.Drop)
        {
            var seen = new SortedDictionary<int, Measured> { [Anchor] = Try(Anchor) };
            // Fewer decibels are taken to be no better: a bisection between none, which is noise, and the widest, which stay if nothing passes. Every
            // measurement says more of the rate of changes, so that who passes is asked anew.
            while (!Budget.IsOver)
            {
                var high = seen.Where(s => Passes(s.Value)).Select(s => s.Key).FirstOrDefault(MostDecibels);
                var low = seen.Keys.Where(d => d < high).LastOrDefault(LeastDecibels - 1);
                if (high - low <= 1) break;
                var middle = (low + high) / 2;
                seen[middle] = Try(middle);
            }
            best = tried.Values.Where(Passes).OrderBy(m => m.Trial.Bytes).FirstOrDefault(m => m.Trial.Bytes < best.Trial.Bytes) ?? best;
        }
        if (best.Trial.Bytes > limits.Bytes && Within(limits.Bytes.Value) is { } fits) best = fits;
        candidates[best.Candidate] = candidates[best.Candidate] with { Chosen = true };
        return best.Plan;
    }

    /// <summary>Step 4 alone: the plan of at most <paramref name="most"/> bytes that leaves the least error, null when the narrowest widths take more.</summary>
    public Plan? Fit(long most)
    {
        if (Within(most) is not { } best) return null;
        candidates[best.Candidate] = candidates[best.Candidate] with { Chosen = true };
        return best.Plan;
    }

    private Measured? Within(long most)
    {
        for (int low = LeastDecibels - 1, high = MostDecibels; high - low > 1 && !(Budget.IsOver && tried.Values.Any(m => m.Trial.Bytes <= most));)
        {
            var middle = (low + high) / 2;
            if (Try(middle).Trial.Bytes <= most) low = middle;
            else high = middle;
        }
        return tried.Values.Where(m => m.Trial.Bytes <= most).MinBy(m => m.Amplitude);
    }

    private Measured Try(int decibels)
    {
        cancel.ThrowIfCancellationRequested();
        choices ??= Choices();
        var allocated = Allocate(choices, decibels);
        // Neighbouring budgets may ask for the same widths.
        var key = string.Join(' ', allocated.Select(d => $"{d.Form}{d.Bits}"));
        if (!tried.TryGetValue(key, out var measured)) tried.Add(key, measured = Measure(allocated, $"widths for {decibels} dB"));
        return measured;
    }

    private bool Passes(Measured plan) => (plan.Trial is { FromMargins: false, Changes: { } changes }
        ? plan.Trial with { GateHigh = rate.ExpectedHigh(plan.Amplitude, changes.GateSamples) } : plan.Trial).Passes(limits.Drop);

    private IReadOnlyList<WeightDecision> Widest() => Unnarrowed ?? [.. planner.Sites.Select(s => planner.DecideRestored(s, "the widest form of the recipe", widths[^1]))];

    // Step 1.
    private List<Choice> Choices()
    {
        log.Stage("measuring each weight alone");
        var found = new List<Choice>();
        for (var i = 0; i < planner.Sites.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var site = planner.Sites[i];
            var probe = planner.Decide(site, WeightForm.Weights, "", Probe);
            if (probe.Encoding == EncodingTable.PackedMul.Id && !Budget.IsOver)
            {
                var decibels = oracle.Fidelity(planner.Complete([.. planner.Sites.Select(s => s == site ? probe : planner.Decide(s, WeightForm.None, ""))], join: false));
                found.Add(new Choice([.. Options(i, probe, Math.Pow(10, -decibels / 10)).OrderBy(o => o.Bytes)], decibels));
            }
            else
            {
                var whole = Unnarrowed?[i] ?? planner.DecideRestored(site, probe.Encoding == EncodingTable.PackedMul.Id ? "the time of the search was over before it was tried alone: 8 bits" : "too small to be packed: 8 bits");
                found.Add(new Choice([new Option(whole, FormTable.Bytes(site, whole), 0)], double.PositiveInfinity));
            }
            log.Progress((double)found.Count / planner.Sites.Count, $"{found.Count} of {planner.Sites.Count}");
        }
        return found;
    }

    private IEnumerable<Option> Options(int site, WeightDecision probe, double probeError)
    {
        var weight = planner.Sites[site];
        var decisions = widths.Where(b => b != widths[^1] || Unnarrowed is null).Select(b => planner.DecideRestored(weight, "", b)).Concat(Palettes.Select(b => planner.Decide(weight, WeightForm.Palette, "", b)));
        var unit = oracle.ProductError?.Invoke(weight, probe) ?? 0;
        foreach (var decision in decisions.DistinctBy(d => (d.Encoding, d.Bits)))
        {
            var share = unit > 0 ? oracle.ProductError!(weight, decision) / unit : Math.ScaleB(1, 2 * (Probe - decision.Bits));
            yield return new Option(decision, FormTable.Bytes(weight, decision), probeError * share);
        }
        // A form that is kept costs nothing: few weights are narrowed by much, rather than all of them by a little.
        if (Unnarrowed is not null) yield return new Option(Unnarrowed[site], FormTable.Bytes(weight, Unnarrowed[site]), 0);
    }

    // Step 2. At equal cost the fewer bytes win.
    private static Option Best(Choice choice, double lambda) => choice.Options.MinBy(o => o.Bytes + lambda * o.Error)!;

    private IReadOnlyList<WeightDecision> Allocate(List<Choice> choices, int decibels)
    {
        var budget = Math.Pow(10, -decibels / 10.0);
        double low = 0, high = 1;
        double Sum(double lambda) => choices.Sum(c => Best(c, lambda).Error);
        while (Sum(high) > budget && high < 1e18) high *= 4;
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (Sum(middle) > budget) low = middle; else high = middle;
        }
        return [.. choices.Select(c =>
        {
            var decision = Best(c, high).Decision;
            return decision with { Because = c.Options.Count == 1 ? decision.Because : string.Create(CultureInfo.InvariantCulture,
                $"{(decision.Form == WeightForm.Palette ? $"a palette of {decision.Bits} bits" : $"{decision.Bits} bits")} of a budget of {decibels} dB for all weights: at {Probe} bits this one alone leaves {c.Decibels:0.0} dB of signal{(decision.Because.Length > 0 ? $" ({decision.Because.Trim(' ', '(', ')')})" : "")}") };
        })];
    }

    private Measured Measure(IReadOnlyList<WeightDecision> decisions, string name)
    {
        log.Stage($"measuring: {name}");
        var plan = planner.Complete(decisions, join: Unnarrowed is not null);
        var trial = oracle.Measure(plan);
        candidates.Add(new CandidateResult(name, trial.Bytes, trial.Metric, trial.Drop, null, false));
        var amplitude = Math.Pow(10, -oracle.Fidelity(plan) / 20);
        if (trial.Changes is { } changes) rate.Add(amplitude, changes);
        return new Measured(plan, trial, amplitude, candidates.Count - 1);
    }
}
