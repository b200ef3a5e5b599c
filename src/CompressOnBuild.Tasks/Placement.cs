using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Which folder under <c>obj/compressed</c> holds the result of a request. It is <c>&lt;name&gt;</c>; only where target frameworks ask different
/// things for one name, the others get <c>&lt;name&gt;.&lt;framework&gt;</c>. A folder belongs to the request whose text lies in it, so a no-op
/// build finds its folder by reading, without asking the other frameworks.
/// </summary>
internal static class Placement
{
    internal const string RequestFile = "request.rsp";
    /// <summary>What the last run said of the model: errors and warnings.</summary>
    internal const string DiagnosticsFile = "diagnostics.txt";
    /// <summary>A copy of the request that the folder's result answers. Bytes are compared because the first hash of a process costs 5 to 10 ms.</summary>
    private const string AnsweredFile = "answered.rsp";

    /// <summary>The folder that already holds <paramref name="request"/>, or null.</summary>
    internal static string? Find(string root, string name, byte[] request, IReadOnlyList<string> frameworks)
    {
        string folder = Path.Combine(root, name);
        if (Holds(folder, RequestFile, request))
            return folder;
        if (frameworks.Count > 1)
        {
            foreach (string framework in frameworks)
            {
                if (Holds(folder + "." + framework, RequestFile, request))
                    return folder + "." + framework;
            }
        }
        return null;
    }

    /// <summary>
    /// A folder for a request that has none. <paramref name="wanted"/>: the request's hash and the framework of each that asks for this name,
    /// in the project's order. Every framework that asks gets the same answer, before and after the others have taken their folders:
    /// whoever has a folder keeps it, the others take, in order, the plain one or the one called after their first framework.
    /// </summary>
    internal static string Choose(string root, string name, string requestHash, IReadOnlyList<KeyValuePair<string, string>> wanted, IReadOnlyList<string> frameworks)
    {
        string plain = Path.Combine(root, name);
        var folders = new List<string> { plain };
        foreach (string framework in frameworks)
            folders.Add(plain + "." + framework);
        var requests = new List<string>();
        var ownFolders = new List<string>();
        foreach (KeyValuePair<string, string> request in wanted)
        {
            if (requests.Contains(request.Key))
                continue;
            requests.Add(request.Key);
            ownFolders.Add(plain + "." + request.Value);
        }
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string folder in folders)
        {
            if (HeldHash(folder) is { } held && requests.Contains(held) && !owners.ContainsValue(held))
                owners[folder] = held;
        }
        for (int i = 0; i < requests.Count; i++)
        {
            if (owners.ContainsValue(requests[i]))
                continue;
            string? free = !owners.ContainsKey(plain) ? plain : !owners.ContainsKey(ownFolders[i]) ? ownFolders[i] : folders.Find(f => !owners.ContainsKey(f));
            if (free is not null)
                owners[free] = requests[i];
        }
        foreach (KeyValuePair<string, string> owner in owners)
        {
            if (owner.Value == requestHash)
                return owner.Key;
        }
        return plain;
    }

    /// <summary>Whether the last complete result in <paramref name="folder"/> is the answer to <paramref name="request"/>.</summary>
    internal static bool IsAnswered(string folder, byte[] request) => Holds(folder, AnsweredFile, request);

    /// <summary>
    /// Null when <paramref name="folder"/> holds the complete and current answer to <paramref name="request"/>, else why not.
    /// Asked twice: before a worker is planned, and again once its folder is claimed, because another build may have answered meanwhile.
    /// </summary>
    /// <param name="folder">The folder of <see cref="Find"/>; null: there is none.</param>
    /// <param name="request">The text of the request, encoded.</param>
    /// <param name="states">Of this build.</param>
    internal static string? WhyStale(string? folder, byte[] request, FileStates states)
    {
        if (folder is null)
            return "its options or the package's version changed, or it was never compressed";
        if (!IsAnswered(folder, request))
            return "there is no result yet, or the last run did not succeed";
        return InputsFile.WhyStale(folder, states);
    }

    /// <summary>The result in <paramref name="folder"/> is about to change: it answers nothing until the run ends well.</summary>
    internal static void ForgetAnswered(string folder) => File.Delete(Path.Combine(folder, AnsweredFile));

    /// <summary>Says that the result in <paramref name="folder"/> answers <paramref name="request"/>.</summary>
    internal static void MarkAnswered(string folder, byte[] request) => InputsFile.WriteAtomically(Path.Combine(folder, AnsweredFile), request);

    private static bool Holds(string folder, string fileName, byte[] request)
    {
        byte[]? found = Read(folder, fileName);
        if (found is null || found.Length != request.Length)
            return false;
        for (int i = 0; i < found.Length; i++)
        {
            if (found[i] != request[i])
                return false;
        }
        return true;
    }

    private static string? HeldHash(string folder) => Read(folder, RequestFile) is { } request ? InputsFile.Hash(request) : null;

    private static byte[]? Read(string folder, string fileName)
    {
        string file = Path.Combine(folder, fileName);
        try
        {
            return File.Exists(file) ? File.ReadAllBytes(file) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>UTF-8 without a mark, as the worker reads it.</summary>
    internal static byte[] Encode(string request) => new UTF8Encoding(false).GetBytes(request);
}
