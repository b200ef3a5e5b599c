namespace CompressOnBuild.Planning;

/// <summary>Limits that a search keeps in mind; the gate judges by them afterwards.</summary>
/// <param name="Drop">Largest worsening of the primary metric, in its unit.</param>
/// <param name="Bytes">Largest file; null: no limit.</param>
/// <param name="HasLatency">Whether a latency is asked for: then no speed is given up for a proof.</param>
/// <param name="ArePacked">Whether bytes are those of the packed file.</param>
internal sealed record SearchLimits(double Drop, long? Bytes = null, bool HasLatency = false, bool ArePacked = false);
