using System.Globalization;
using CompressOnBuild.Encodings;
using CompressOnBuild.Operators;
using CompressOnBuild.Techniques.Pruning;

namespace CompressOnBuild.Planning;

/// <summary>
/// Raises the share of zeros in rounds: choose, make up for them, measure; the last round that keeps the limit stays. Values are integers of 8 bits.
/// Symbols: s_i share of zeros of weight i, n_i its elements; e_i(s) power of the error it leaves in the outputs, over the power of the outputs; g_i(s) power
/// of the error in the products of the weight itself.
/// 1. e_i(probe) is measured for each weight alone on a few calibration samples; e_i(s) = e_i(probe) g_i(s) / g_i(probe).
/// 2. A round's share S of all elements: s_i minimises e_i(s) - l n_i s, with the smallest l that gives S (as <see cref="WidthSearch"/>, step 2): weights
///    that can spare much give much.
/// 3. The round is measured on the selection split. The first that is not expected to pass the gate ends the search.
/// Nothing here depends on a clock, but for <see cref="Budget"/>.
/// </summary>
internal sealed class PruneSearch(Planner planner, IReadOnlyList<double> rounds, double limit, SearchOracle oracle, ICompressionLog log, CancellationToken cancel)
{
    private const double Probe = 0.5;
    private static readonly double[] s_shares = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

    private readonly List<CandidateResult> candidates = [];
    private readonly ChangeRate rate = new();

    /// <summary>Every round, in order; the chosen one is marked.</summary>
    public IReadOnlyList<CandidateResult> Candidates => candidates;

    /// <summary>How long it may take.</summary>
    public SearchBudget Budget { get; init; } = SearchBudget.None;

    private sealed record Option(WeightDecision Decision, double Zeros, double Error);

    /// <param name="Options">By zeros, the first without.</param>
    /// <param name="Decibels">Of the outputs, with the probe of this weight alone.</param>
    private sealed record Choice(IReadOnlyList<Option> Options, double Decibels);

    public Plan Run()
    {
        log.Stage("pruning");
        Plan dense = planner.Complete([.. planner.Sites.Select(s => planner.DecideRestored(s, "no round of pruning kept the limit"))], join: false);
        var (chosen, at) = (dense, 0);
        if (Measure(dense, "int8 weights, no zeros"))
        {
            List<Choice>? choices = null;
            foreach (var share in rounds.Order())
            {
                if (Budget.IsOver) break;
                cancel.ThrowIfCancellationRequested();
                choices ??= Choices();
                if (Allocate(choices, share) is not { } decisions) break;
                var plan = planner.Complete(decisions, join: false);
                if (!Measure(plan, string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.#} % zeros"))) break;
                (chosen, at) = (plan, candidates.Count - 1);
            }
        }
        candidates[at] = candidates[at] with { Chosen = true };
        return chosen;
    }

    // Step 1.
    private List<Choice> Choices()
    {
        log.Stage("measuring each weight alone");
        var found = new List<Choice>();
        foreach (var site in planner.Sites)
        {
            cancel.ThrowIfCancellationRequested();
            var dense = planner.DecideRestored(site, "");
            var probe = At(site, Probe);
            if (probe.Encoding == EncodingTable.Sparse.Id)
            {
                var decibels = oracle.Fidelity(planner.Complete([.. planner.Sites.Select(s => s == site ? probe : planner.Decide(s, WeightForm.None, ""))], join: false));
                var unit = oracle.ProductError?.Invoke(site, probe) ?? 0;
                double Error(double share, WeightDecision decision) => Math.Pow(10, -decibels / 10) * (unit > 0 ? oracle.ProductError!(site, decision) / unit : share / Probe * (share / Probe));
                var options = s_shares.Select(s => (Share: s, Decision: At(site, s))).Where(o => o.Decision.Pruning is not null);
                found.Add(new Choice([new Option(dense, 0, 0), .. options.Select(o => new Option(o.Decision, o.Share * site.Tensor.Count, Error(o.Share, o.Decision)))], decibels));
            }
            else found.Add(new Choice([new Option(dense with { Because = "too small for a mask: 8 bits, no zeros" }, 0, 0)], double.PositiveInfinity));
            log.Progress((double)found.Count / planner.Sites.Count, $"{found.Count} of {planner.Sites.Count}");
        }
        return found;
    }

    private WeightDecision At(Site site, double share) => planner.DecideRestored(site, "", 8, new PruningTarget(PruningMethod.SparseGpt, share));

    // Step 2. Null where the weights cannot have so many zeros. At equal cost the fewer zeros win.
    private IReadOnlyList<WeightDecision>? Allocate(List<Choice> choices, double share)
    {
        var wanted = share * planner.Sites.Sum(s => (double)s.Tensor.Count);
        Option Best(Choice choice, double lambda) => choice.Options.MinBy(o => o.Error - lambda * o.Zeros)!;
        double Zeros(double lambda) => choices.Sum(c => Best(c, lambda).Zeros);
        double low = 0, high = 1e-12;
        while (Zeros(high) < wanted && high < 1e12) high *= 4;
        if (Zeros(high) < wanted) return null;
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (Zeros(middle) < wanted) low = middle; else high = middle;
        }
        return [.. choices.Select(c =>
        {
            var best = Best(c, high);
            return c.Options.Count == 1 ? best.Decision : best.Decision with { Because = string.Create(CultureInfo.InvariantCulture,
                $"{100 * (best.Decision.Pruning?.Share ?? 0):0} % zeros of {100 * share:0.#} % in all weights: at {100 * Probe:0} % this one alone leaves {c.Decibels:0.0} dB of signal") };
        })];
    }

    // Step 3.
    private bool Measure(Plan plan, string name)
    {
        log.Stage($"measuring: {name}");
        var trial = oracle.Measure(plan);
        candidates.Add(new CandidateResult(name, trial.Bytes, trial.Metric, trial.Drop, null, false));
        if (trial.Changes is not { } changes) return trial.Passes(limit);
        var amplitude = Math.Pow(10, -oracle.Fidelity(plan) / 20);
        rate.Add(amplitude, changes);
        return (trial with { GateHigh = rate.ExpectedHigh(amplitude, changes.GateSamples) }).Passes(limit);
    }
}
