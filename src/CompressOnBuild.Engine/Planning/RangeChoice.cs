using CompressOnBuild.Calibration;

namespace CompressOnBuild.Planning;

/// <summary>
/// Which ranges of activations <see cref="CalibrationMethod.Auto"/> means for this model: those whose outputs are nearest to the original's on a
/// few calibration samples, with everything static that can be. Where hardly anything is between them, those of the smallest squared error.
/// </summary>
internal static class RangeChoice
{
    private static readonly CalibrationMethod[] s_others = [CalibrationMethod.Percentile, CalibrationMethod.MinMax];
    // Less is chance, and would differ between processors.
    private const double WorthIt = 0.25;

    /// <summary>Sets <see cref="Planner.Ranges"/>.</summary>
    /// <param name="planner">With statistics.</param>
    /// <param name="decibels">Signal-to-noise ratio (dB) of the outputs of a plan.</param>
    public static void Make(Planner planner, Func<Plan, double> decibels)
    {
        Plan Static() => planner.Complete([.. planner.Sites.Select(s => planner.Decide(s, WeightForm.Static, ""))], join: true);
        var best = CalibrationMethod.Mse;
        planner.Ranges = best;
        var plan = Static();
        if (plan.Values.Count == 0) return;
        var most = decibels(plan);
        var seen = new List<IReadOnlyList<ValueDecision>> { plan.Values };
        foreach (var method in s_others)
        {
            planner.Ranges = method;
            plan = Static();
            if (seen.Any(plan.Values.SequenceEqual)) continue;
            seen.Add(plan.Values);
            var reached = decibels(plan);
            if (reached > most + WorthIt) (best, most) = (method, reached);
        }
        planner.Ranges = best;
    }
}
