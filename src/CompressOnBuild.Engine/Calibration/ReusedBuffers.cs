namespace CompressOnBuild.Calibration;

/// <summary>
/// Memory that values leave to those which come after them. Each is megabytes and lives for one layer: left to the garbage collector, they
/// stand in memory many times over, and every new one is cleared and mapped afresh. Any thread may ask.
/// </summary>
internal sealed class ReusedBuffers
{
    private readonly Lock gate = new();
    private readonly List<byte[]> free = [];

    /// <summary>A buffer of at least <paramref name="bytes"/> bytes, the smallest that lies idle; what was in it still is.</summary>
    public byte[] Rent(int bytes)
    {
        lock (gate)
        {
            var best = -1;
            for (var i = 0; i < free.Count; i++)
                if (free[i].Length >= bytes && (best < 0 || free[i].Length < free[best].Length)) best = i;
            if (best >= 0)
            {
                var found = free[best];
                free.RemoveAt(best);
                return found;
            }
            // One that is too small will hardly be asked for again: layers of a network come in a few sizes.
            if (free.Count > 0) free.RemoveAt(Smallest());
        }
        return GC.AllocateUninitializedArray<byte>(bytes);
    }

    /// <summary>Nobody reads <paramref name="buffer"/> any more.</summary>
    public void Return(byte[] buffer)
    {
        lock (gate) free.Add(buffer);
    }

    private int Smallest()
    {
        var at = 0;
        for (var i = 1; i < free.Count; i++) if (free[i].Length < free[at].Length) at = i;
        return at;
    }
}
