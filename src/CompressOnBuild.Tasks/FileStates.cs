using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Sizes and times of many files as one text. A no-op build compares the text of now with the text of the last check (<c>seen.txt</c>) instead of
/// looking at each line of <c>inputs.txt</c>: that costs one question to the system per file, and a folder that several models share is asked once.
/// <code>
/// cob-seen 1
/// dir &lt;path&gt;       a folder that was listed
/// file &lt;path&gt;      a file outside of these folders
///                        an empty line, then the states: of each folder its entries, then of each file its own
/// </code>
/// An equal text proves that nothing changed; a different one proves nothing, and <see cref="InputsFile"/> decides.
/// </summary>
internal sealed class FileStates
{
    private const string FileName = "seen.txt";
    private const string Header = "cob-seen 1\n";
    /// <summary>A folder tree deeper than this is a loop of links.</summary>
    private const int MaxDepth = 32;
    /// <summary>Ends a field: no path has it.</summary>
    private const char End = '\0';

    private readonly Dictionary<string, Listing> _listings = new(StringComparer.Ordinal);

    private sealed class Listing
    {
        internal string Text = "";
        internal readonly List<string> Files = [];
        internal bool Known = true;
    }

    /// <summary>Whether everything that the last check of the result in <paramref name="folder"/> looked at is as it was then.</summary>
    internal bool AreAsSeen(string folder)
    {
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file))
            return false;
        string seen = File.ReadAllText(file);
        if (!seen.StartsWith(Header, StringComparison.Ordinal))
            return false;
        var folders = new List<string>();
        var files = new List<string>();
        int start = Header.Length;
        while (true)
        {
            int end = start < seen.Length ? seen.IndexOf('\n', start) : -1;
            if (end < 0)
                return false;
            if (end == start)
                break;
            int word = seen.IndexOf(' ', start);
            (seen[start] == 'd' ? folders : files).Add(seen.Substring(word + 1, end - word - 1));
            start = end + 1;
        }
        // In place: copies of long lists would cost more than comparing them.
        start++;
        foreach (string listed in folders)
        {
            Listing listing = List(listed);
            if (!listing.Known || !Follows(seen, ref start, listing.Text))
                return false;
        }
        var states = new StringBuilder();
        return Append(states, files) && Follows(seen, ref start, states.ToString()) && start == seen.Length;
    }

    /// <summary>
    /// The states of now. Taken before a check and kept after it: what changes in between is a difference for the next build.
    /// Null where the state of a file cannot be told.
    /// </summary>
    /// <param name="folders">Folders whose whole listing matters.</param>
    /// <param name="files">Files that matter, in these folders or not, there or not.</param>
    internal string? Take(List<string> folders, List<string> files)
    {
        var inside = new HashSet<string>(StringComparer.Ordinal);
        foreach (string folder in folders)
            inside.UnionWith(FilesIn(folder));
        files = files.FindAll(file => !inside.Contains(file));
        return folders.Exists(HasLineBreak) || files.Exists(HasLineBreak) ? null : Text(folders, files);
    }

    /// <summary>Makes <paramref name="states"/> what the next build compares with. Best effort: without it the next build is right too, only slower.</summary>
    internal static void Keep(string folder, string? states)
    {
        if (states is null)
            return;
        try
        {
            InputsFile.WriteAtomically(Path.Combine(folder, FileName), Encoding.UTF8.GetBytes(states));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private static bool HasLineBreak(string path) => path.IndexOf('\n') >= 0;

    private string? Text(List<string> folders, List<string> files)
    {
        var text = new StringBuilder(Header);
        foreach (string folder in folders)
            text.Append("dir ").Append(folder).Append('\n');
        foreach (string file in files)
            text.Append("file ").Append(file).Append('\n');
        text.Append('\n');
        foreach (string folder in folders)
        {
            Listing listing = List(folder);
            if (!listing.Known)
                return null;
            text.Append(listing.Text);
        }
        return Append(text, files) ? text.ToString() : null;
    }

    private static bool Follows(string text, ref int start, string part)
    {
        bool follows = string.CompareOrdinal(text, start, part, 0, part.Length) == 0;
        start += part.Length;
        return follows;
    }

    private Listing List(string folder)
    {
        if (!_listings.TryGetValue(folder, out Listing? listing))
        {
            listing = new Listing();
            var states = new StringBuilder();
            Walk(new DirectoryInfo(folder), listing, states, 0);
            listing.Text = states.Append(End).ToString();
            _listings.Add(folder, listing);
        }
        return listing;
    }

    private static void Walk(DirectoryInfo folder, Listing listing, StringBuilder states, int depth)
    {
        if (depth > MaxDepth)
            return;
        foreach (FileSystemInfo entry in folder.EnumerateFileSystemInfos())
        {
            string name = entry.Name;
            if (IsIgnored(name))
                continue;
            states.Append(name).Append(End);
            if (entry is DirectoryInfo inner)
            {
                Walk(inner, listing, states, depth + 1);
                states.Append(End);
                continue;
            }
            listing.Files.Add(entry.FullName);
            listing.Known &= Append(states, (FileInfo)entry);
        }
    }

    private static bool Append(StringBuilder text, List<string> files)
    {
        foreach (string file in files)
        {
            if (!Append(text, new FileInfo(file)))
                return false;
        }
        return true;
    }

    private static bool Append(StringBuilder text, FileInfo file)
    {
        if (BehindLink(file) is not { } real)
            return false;
        if (real.Exists)
            text.Append(real.Length).Append(' ').Append(real.LastWriteTimeUtc.Ticks);
        text.Append(End);
        return true;
    }

    /// <summary>Entries that no reader of a data folder looks at.</summary>
    internal static bool IsIgnored(string name) => name[0] == '.' || name is "Thumbs.db" or "desktop.ini";

    /// <summary>The files below <paramref name="folder"/> that count.</summary>
    internal IEnumerable<string> FilesIn(string folder) => List(folder).Files;

    /// <summary>
    /// The file that a link leads to: size and time of the link itself say nothing about what is read. Only newer frameworks than the one this
    /// is compiled for can ask; null where the build runs on an older one.
    /// </summary>
    internal static FileInfo? BehindLink(FileInfo file)
    {
        if (!file.Exists || (file.Attributes & FileAttributes.ReparsePoint) == 0)
            return file;
        try
        {
            // Not in a static field: a build without links does not pay for it.
            System.Reflection.MethodInfo? resolve = typeof(FileSystemInfo).GetMethod("ResolveLinkTarget", [typeof(bool)]);
            // A file of a cloud folder has the mark of a link and leads nowhere else.
            return resolve is null ? null : resolve.Invoke(file, [true]) as FileInfo ?? file;
        }
        catch (System.Reflection.TargetInvocationException)
        {
            return null; // links in a circle: reading says what is wrong
        }
    }
}
