namespace CompressOnBuild.Evaluation;

/// <summary>Work side by side whose results are taken in order.</summary>
internal static class InOrder
{
    /// <summary>
    /// Runs <paramref name="run"/> for 0 to <paramref name="count"/> - 1 on <paramref name="threads"/> threads and hands each result to
    /// <paramref name="add"/> in the order of the numbers, one at a time. No thread waits for another but to bound the results that wait for
    /// their turn: at most twice the threads exist at once. Nothing runs any more when it returns or throws.
    /// </summary>
    public static void ForEach<T>(int count, int threads, Func<int, T> run, Action<int, T> add, Action<double>? progress, CancellationToken cancel)
    {
        var window = 2 * threads;
        var waiting = new (bool There, T Result)[window];
        var gate = new object();
        int taken = 0, next = 0;
        var stopped = false;
        try { Parallel.For(0, Math.Min(threads, count), new ParallelOptions { MaxDegreeOfParallelism = threads }, _ => Work()); }
        catch (AggregateException e)
        {
            // The others only stopped: one reason is enough, one with a code the best.
            var reasons = e.Flatten().InnerExceptions;
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(reasons.OfType<Diagnostics.CompressionException>().FirstOrDefault() ?? reasons[0]);
        }

        void Work()
        {
            try
            {
                while (Take() is { } index) Give(index, run(index));
            }
            catch
            {
                lock (gate)
                {
                    stopped = true;
                    Monitor.PulseAll(gate);
                }
                throw;
            }
        }

        int? Take()
        {
            lock (gate)
            {
                cancel.ThrowIfCancellationRequested();
                if (taken == count || stopped) return null;
                var index = taken++;
                // Whoever has the next number never waits here, so the others get their turn.
                while (index >= next + window && !stopped) Monitor.Wait(gate);
                return stopped ? null : index;
            }
        }

        void Give(int index, T result)
        {
            lock (gate)
            {
                waiting[index % window] = (true, result);
                for (; waiting[next % window].There && !stopped; next++)
                {
                    (_, var ready) = waiting[next % window];
                    waiting[next % window] = default;
                    add(next, ready);
                    progress?.Invoke((next + 1.0) / count);
                }
                Monitor.PulseAll(gate);
            }
        }
    }
}
