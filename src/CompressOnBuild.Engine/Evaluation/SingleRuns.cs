using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// Single runs on a split for whoever runs a model once per sample (calibration, checks, timing): the samples themselves, or steps spread
/// evenly over each sequence, with the states that the original model had come to there. States of real steps are what the compressed model
/// meets; those of the first step are zeros. Each enumeration reads and runs anew, so nothing is kept.
/// </summary>
internal sealed class SingleRuns
{
    private readonly Split split;
    private readonly Session original;
    private readonly List<int[]> steps = [];

    /// <param name="split">Where the samples are.</param>
    /// <param name="original">Makes the states.</param>
    /// <param name="most">Runs that are wanted.</param>
    public SingleRuns(Split split, Session original, int most)
    {
        (this.split, this.original) = (split, original);
        var samples = Math.Min(split.Count, most);
        for (var i = 0; i < samples; i++)
        {
            var length = split.Dataset.RunCount(split.Indices[i]);
            var wanted = Math.Min(length, most / samples + (i < most % samples ? 1 : 0));
            steps.Add([.. Enumerable.Range(0, wanted).Select(k => (int)((2L * k + 1) * length / (2 * wanted)))]);
        }
        Count = steps.Sum(s => s.Length);
    }

    /// <summary>Number of runs.</summary>
    public int Count { get; }

    /// <summary>Inputs by name, states among them.</summary>
    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken cancel)
    {
        for (var i = 0; i < steps.Count; i++)
        {
            var walk = new Walk(original, split.Recurrence);
            int step = 0, found = 0;
            foreach (var run in split.Runs(i))
            {
                if (step++ == steps[i][found])
                {
                    yield return walk.Inputs(run);
                    if (++found == steps[i].Length) break;
                }
                if (split.Recurrence is not null) walk.Run(run, cancel);
            }
        }
    }
}
