namespace CompressOnBuild.Planning;

/// <summary>
/// Wall time that a search may take. A search that asks after its end takes what it has found by then; which plan that is depends on the
/// machine, so <see cref="CutShort"/> is told to the user.
/// </summary>
/// <param name="most">From now on; null: no bound.</param>
/// <param name="clock">The clock.</param>
internal sealed class SearchBudget(TimeSpan? most, TimeProvider clock)
{
    private readonly long start = clock.GetTimestamp();

    /// <summary>Without a bound.</summary>
    public static SearchBudget None => new(null, TimeProvider.System);

    /// <summary>Whether the search gave something up because its time was over.</summary>
    public bool CutShort { get; private set; }

    /// <summary>Whether what comes next has to be left out.</summary>
    public bool IsOver
    {
        get
        {
            if (most is not { } bound || clock.GetElapsedTime(start) < bound) return false;
            return CutShort = true;
        }
    }
}
