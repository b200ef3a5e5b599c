using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CompressOnBuild.Planning;

/// <summary>
/// What a search has measured, line by line in a file, so that one that was stopped (Ctrl+C, a time budget, a crash of the machine) goes on where it was.
/// Equal plans of equal inputs give equal figures, so that going on gives the plan that one run would have found. Only this program reads the
/// file; what does not fit or was cut off in the middle is measured again.
/// </summary>
internal sealed class SearchJournal : IDisposable
{
    private static readonly JsonSerializerOptions Exact = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly string? path;
    private readonly Dictionary<string, string> known = new(StringComparer.Ordinal);
    private StreamWriter? file;

    private SearchJournal(string? path) => this.path = path;

    /// <summary>Figures that were read instead of measured.</summary>
    public int Reused { get; private set; }

    /// <summary>The journal of a search; one of other inputs is begun anew. Without a place to write there is none, and everything is measured.</summary>
    /// <param name="path">Its file; null: it is kept in memory only.</param>
    /// <param name="inputs">Everything that figures follow from besides the plan.</param>
    public static SearchJournal Open(string? path, string inputs)
    {
        var journal = new SearchJournal(path);
        if (path is null) return journal;
        var first = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(inputs)));
        try
        {
            var lines = File.Exists(path) ? File.ReadAllLines(path) : [];
            // The last line of a stopped run may be half a line: it has no end.
            var whole = lines.Length > 0 && File.ReadAllBytes(path)[^1] == '\n' ? lines.Length : lines.Length - 1;
            if (whole > 0 && lines[0] == first)
                foreach (var line in lines.AsSpan(1, whole - 1))
                    if (line.Split(' ', 2) is [var key, var figure]) journal.known[key] = figure;
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            journal.file = new StreamWriter(path, append: false) { NewLine = "\n", AutoFlush = true };
            journal.file.WriteLine(first);
            foreach (var (key, figure) in journal.known) journal.file.WriteLine($"{key} {figure}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            journal.file?.Dispose();
            journal.file = null;
        }
        return journal;
    }

    /// <summary>What <paramref name="oracle"/> says, or said when it was asked the same before.</summary>
    public SearchOracle Around(SearchOracle oracle) => oracle with { Measure = plan => Figure("measure", plan, oracle.Measure), Fidelity = plan => Figure("fidelity", plan, oracle.Fidelity) };

    /// <summary>The search is complete, and the plan is what remains of it.</summary>
    public void Forget()
    {
        Dispose();
        if (path is null) return;
        try { File.Delete(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the next run begins it anew or reads what is true
    }

    public void Dispose()
    {
        file?.Dispose();
        file = null;
    }

    private T Figure<T>(string question, Plan plan, Func<Plan, T> ask)
    {
        var key = $"{question}:{Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(plan, Exact)))}";
        if (known.TryGetValue(key, out var text))
            try
            {
                if (JsonSerializer.Deserialize<T>(text, Exact) is { } figure)
                {
                    Reused++;
                    return figure;
                }
            }
            catch (JsonException) { } // of another version of this program
        var asked = ask(plan);
        known[key] = JsonSerializer.Serialize(asked, Exact);
        try { file?.WriteLine($"{key} {known[key]}"); }
        catch (IOException) { Dispose(); } // a full disk: the search goes on without
        return asked;
    }
}
