using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;

namespace CompressOnBuild.Evaluation;

/// <summary>Some samples of a data set, in its order. <paramref name="Sha256"/>: over the content of inputs, labels and the files that say how
/// they are read; it does not depend on names or order.</summary>
internal sealed record Split(IDataset Dataset, IReadOnlyList<int> Indices, string Sha256)
{
    public int Count => Indices.Count;

    /// <summary>How the runs of a sequence hang together; null where each sample is one run.</summary>
    public Recurrence? Recurrence => Dataset.Recurrence;

    private static long ticksReading;

    /// <summary>Time that threads of this process spent reading samples of any split, all together.</summary>
    public static TimeSpan TimeReading => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref ticksReading));

    /// <summary>The runs of sample number <paramref name="i"/> of the split, each read when it is asked for.</summary>
    public IEnumerable<Sample> Runs(int i) => Timed(() => Dataset.Runs(Indices[i]));

    /// <inheritdoc cref="IDataset.PassingRuns"/>
    public IEnumerable<Sample> PassingRuns(int i) => Timed(() => Dataset.PassingRuns(Indices[i]));

    private static IEnumerable<Sample> Timed(Func<IEnumerable<Sample>> samples)
    {
        var start = Stopwatch.GetTimestamp();
        using var runs = samples().GetEnumerator();
        while (runs.MoveNext())
        {
            Interlocked.Add(ref ticksReading, Stopwatch.GetTimestamp() - start);
            yield return runs.Current;
            start = Stopwatch.GetTimestamp();
        }
    }
}

/// <summary>
/// The three splits. What the gate measures is in no other split; the only exception is a single sample, which serves for everything
/// (<see cref="Independent"/> is false then).
/// <para>Given evaluation data, the selection split gets a quarter of it, at most 256 samples, and the gate the rest. Given calibration data
/// too, all of it calibrates, less what repeats evaluation data. Given only one of the two, calibration gets a fifth of it, at most 100
/// samples, before that. With fewer than 10 samples calibration and selection share one sample (a fifth or a quarter would be nothing), and
/// a warning says so. Equal samples count once and stay together.</para>
/// <para>Who goes where is decided by a hash of the seed and the sample's content, so neither names nor order matter.
/// Where labels are classes, each class is divided in the same proportion.</para>
/// </summary>
internal sealed record Splits(Split Calibration, Split Selection, Split Gate, bool Independent, IReadOnlyList<Diagnostic> Warnings)
{
    private const int MostCalibration = 100, MostSelection = 256, Few = 10;

    /// <summary>Divides what is given; one of both has to be.</summary>
    public static Splits Create(IDataset? calibration, IDataset? evaluation, int seed)
    {
        var pool = Members(evaluation ?? calibration ?? throw new ArgumentNullException(nameof(evaluation)));
        var warnings = new List<Diagnostic>();
        List<Member>? given = null;
        if (calibration is not null && evaluation is not null)
        {
            var measured = pool.Samples.Select(m => m.Content).ToHashSet(StringComparer.Ordinal);
            var all = Members(calibration).Samples;
            given = [.. all.Where(m => !measured.Contains(m.Content))];
            if (given.Count < all.Count)
                warnings.Add(new(Severity.Warning, Codes.SplitsOverlap, $"{all.Count - given.Count} of {all.Count} calibration samples are in the evaluation data too. What is measured must not have been seen before, so they do not calibrate{(given.Count == 0 ? "; calibration is split off from the evaluation data" : "")}. Use other samples, or leave out CalibrationData.", calibration.Path));
            if (given.Count == 0) given = null;
        }

        var order = Ordered(pool, seed);
        var distinct = order.Count;
        var few = distinct < Few;
        var toCalibrate = given is not null || distinct < 2 ? 0 : Math.Max(1, Math.Min(MostCalibration, distinct / 5));
        var toSelect = distinct < 2 || few && given is null ? 0 : Math.Max(1, Math.Min(MostSelection, distinct / 4));
        var gate = Dealt(toCalibrate + toSelect, distinct);
        var calibrates = given ?? (toCalibrate > 0 ? Dealt(0, toCalibrate) : gate);
        var selects = toSelect > 0 ? Dealt(toCalibrate, toCalibrate + toSelect) : calibrates;
        var independent = given is not null || distinct > 1;
        if (few)
            warnings.Add(new(Severity.Warning, Codes.FewSamples, $"there {(distinct == 1 ? "is 1 distinct sample" : $"are {distinct} distinct samples")}, so what is measured on them says little{(independent ? "" : ", and the gate looks at what calibrated")}. At least {Few} are needed for splits of their own; some hundred are sensible. Add samples.", pool.Dataset.Path));

        var calibrationSet = given is null ? pool.Dataset : calibration!;
        return new(Make(calibrationSet, calibrates), Make(ReferenceEquals(selects, calibrates) ? calibrationSet : pool.Dataset, selects), Make(pool.Dataset, gate), independent, warnings);

        List<Member> Dealt(int from, int to) => [.. order.Take(from..to).SelectMany(g => g)];
    }

    // A class of -1 stands for any other label; of the label the hash is kept, because a mask is too large.
    private sealed record Member(int Index, string Content, long Class, string Label);
    private sealed record Pool(IDataset Dataset, List<Member> Samples);

    private static Pool Members(IDataset dataset) =>
        new(dataset, [.. Enumerable.Range(0, dataset.Count).Select(i =>
        {
            var label = dataset.Label(i);
            return new Member(i, Convert.ToHexStringLower(dataset.ContentHash(i)), label is ClassLabel known ? known.Id : -1, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(label?.Canonical ?? ""))));
        })]);

    /// <summary>
    /// Groups of equal samples in the order in which they are dealt out. A class of m groups puts its r-th one at (r + u) / m, u drawn once
    /// per class: any beginning of the order then holds each class in its proportion, and rare classes are not always dealt at the same place.
    /// </summary>
    private static List<List<Member>> Ordered(Pool pool, int seed)
    {
        var groups = pool.Samples.GroupBy(m => m.Content, StringComparer.Ordinal).Select(g => (Members: g.ToList(), Key: Key(seed, g.Key)));
        return [.. groups.GroupBy(g => g.Members[0].Class)
            .SelectMany(@class =>
            {
                var start = Fraction(Key(seed, "class:" + @class.Key.ToString(CultureInfo.InvariantCulture)));
                var members = @class.OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
                return members.Select((g, r) => (g.Members, g.Key, Place: (r + start) / members.Count));
            })
            .OrderBy(g => g.Place).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => g.Members)];
    }

    private static string Key(int seed, string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed.ToString(CultureInfo.InvariantCulture)}:{text}")));

    private static double Fraction(string key) => (Convert.ToUInt64(key[..16], 16) >> 11) * (1.0 / (1UL << 53));

    private static Split Make(IDataset dataset, List<Member> members)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(dataset.ConfigurationHash);
        foreach (var line in members.Select(m => $"{m.Content} {m.Label}").Order(StringComparer.Ordinal))
            hash.AppendData(Encoding.UTF8.GetBytes(line));
        return new(dataset, [.. members.Select(m => m.Index).Order()], Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
