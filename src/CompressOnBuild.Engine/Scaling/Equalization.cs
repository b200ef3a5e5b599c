using CompressOnBuild.Techniques.Scaling;

namespace CompressOnBuild.Scaling;

/// <summary>Cross-layer equalization over all places of a model: <see cref="CrossLayerEqualization"/>, step 2.</summary>
internal static class Equalization
{
    private const int MostRounds = 40;
    /// <summary>Octaves: less would not move a step.</summary>
    private const double Settled = 1e-3;

    /// <summary>Steps of each place; the constants stay as they are. A place that no weight makes, but a normalization's factor, has none.</summary>
    public static IReadOnlyList<int[]> Steps(IReadOnlyList<ScalePlace> places)
    {
        var constants = new ScaledConstants();
        double[][] factors = [.. places.Select(p => Enumerable.Repeat(1.0, p.Count).ToArray())];
        var moved = double.PositiveInfinity;
        for (var round = 0; round < MostRounds && moved > Settled; round++)
        {
            moved = 0;
            foreach (var (place, all) in places.Zip(factors))
            {
                var more = CrossLayerEqualization.Factors(Largest(place, place.Producers.Where(s => s.IsWeight)), Largest(place, place.Consumers));
                constants.Scale(place, more);
                for (var c = 0; c < more.Length; c++)
                {
                    all[c] *= more[c];
                    moved = Math.Max(moved, Math.Abs(Math.Log2(more[c])));
                }
            }
        }
        return [.. factors.Select(f => ScaleSteps.Of(f))];

        double[] Largest(ScalePlace place, IEnumerable<ScaleSlot> slots)
        {
            var largest = new double[place.Count];
            foreach (var slot in slots)
                foreach (var (c, most) in slot.Largest(constants.Of(slot), place.Count).Index()) largest[c] = Math.Max(largest[c], most);
            return largest;
        }
    }
}
