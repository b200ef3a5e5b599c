using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>
/// <c>inputs.txt</c>, the last file the worker writes: everything the result depends on.
/// <code>
/// cob-inputs 1 &lt;sha256 of request.rsp&gt;
/// &lt;sha256&gt; &lt;size&gt; &lt;mtime, UTC ticks&gt; &lt;path&gt;      a file that was read
/// dir &lt;path&gt;                                          a folder whose recursive listing matters
/// name &lt;path&gt;                                         a file in such a folder that was seen but not read
/// absent &lt;path&gt;                                       a file that was looked for and was not there
/// lock &lt;sha256&gt; &lt;size&gt; &lt;mtime, UTC ticks&gt; &lt;path&gt; TAB &lt;line&gt;   the entry of a lock file that begins with this line; the hash is of its lines alone
/// out &lt;sha256&gt; &lt;size&gt; &lt;mtime, UTC ticks&gt; &lt;path&gt;  a file that was written
/// </code>
/// Paths are absolute and escaped like the fields of <see cref="WorkerLine"/>. Entries of a folder whose name starts with a dot, <c>Thumbs.db</c> and
/// <c>desktop.ini</c> do not count. Size and time decide that nothing changed; where the time differs, content decides.
/// </summary>
internal static class InputsFile
{
    internal const string FileName = "inputs.txt";
    private const string Header = "cob-inputs 1 ";

    /// <summary>
    /// Null when nothing changed that the result in <paramref name="folder"/> depends on, the request aside; else why not. New times of unchanged files are written back, so that the next check need not read them.
    /// </summary>
    /// <param name="folder">The result's folder.</param>
    /// <param name="states">Of this build: folders that several models share are listed once.</param>
    internal static string? WhyStale(string folder, FileStates states)
    {
        try
        {
            string file = Path.Combine(folder, FileName);
            if (!File.Exists(file))
                return "there is no result yet";
            if (states.AreAsSeen(folder))
                return null;
            return WhyStale(file, File.ReadAllText(file), states);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or ArgumentException or NotSupportedException)
        {
            return "its inputs cannot be read: " + LogText.Clean(e.Message);
        }
    }

    /// <summary>Whether the folder's last complete result answers this request, whatever happened to its inputs meanwhile.</summary>
    internal static bool IsFor(string folder, string requestHash)
    {
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file))
            return false;
        using var reader = new StreamReader(file);
        return reader.ReadLine() == Header + requestHash;
    }

    private static string? WhyStale(string file, string text, FileStates states)
    {
        bool isRenewed = false;
        if (!text.StartsWith(Header, StringComparison.Ordinal))
            return "the list of its inputs is not one of this version";
        if (text[text.Length - 1] != '\n')
            return "the list of its inputs is cut off";
        string[] lines = text.Substring(0, text.Length - 1).Split('\n');
        var folders = new List<string>();
        var files = new List<string> { file };
        var listed = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 1; i < lines.Length; i++)
        {
            if (After("dir ", lines[i]) is { } folder)
                folders.Add(folder);
            else if (After("absent ", lines[i]) is { } absent)
                files.Add(absent);
            else if (After("name ", lines[i]) is { } name)
                listed.Add(name);
            else
                files.Add(FileLine.Read(lines[i]).Path);
        }
        string? seen = states.Take(folders, files);
        for (int i = 1; i < lines.Length; i++)
        {
            if (After("absent ", lines[i]) is { } absent)
            {
                if (File.Exists(absent))
                    return $"'{LogText.Clean(absent)}' is new";
            }
            else if (After("dir ", lines[i]) is null && After("name ", lines[i]) is null)
            {
                FileLine line = FileLine.Read(lines[i]);
                if (line.WhyStale(out string? renewed) is { } reason)
                    return reason;
                listed.Add(line.Path);
                isRenewed |= renewed is not null;
                lines[i] = renewed ?? lines[i];
            }
        }
        foreach (string folder in folders)
        {
            foreach (string found in states.FilesIn(folder))
            {
                if (!listed.Contains(found))
                    return $"'{LogText.Clean(found)}' is new";
            }
        }
        // A list that changes is seen whole by the next check.
        if (isRenewed)
            WriteBack(file, string.Join("\n", lines) + "\n");
        else
            FileStates.Keep(Path.GetDirectoryName(file)!, seen);
        return null;
    }

    private static string? After(string word, string line) => line.StartsWith(word, StringComparison.Ordinal) ? WorkerLine.Unescape(line.Substring(word.Length)) : null;

    /// <summary>A line of a file that was read or written.</summary>
    private sealed class FileLine
    {
        private string _line = "", _word = "", _hash = "", _entry = "";
        private long _size, _time;
        /// <summary>Where the path begins.</summary>
        private int _rest;

        internal string Path { get; private set; } = "";

        /// <exception cref="FormatException">It is none.</exception>
        internal static FileLine Read(string line)
        {
            string word = line.StartsWith("out ", StringComparison.Ordinal) ? "out " : line.StartsWith("lock ", StringComparison.Ordinal) ? "lock " : "";
            int hashEnd = line.IndexOf(' ', word.Length);
            int sizeEnd = line.IndexOf(' ', hashEnd + 1);
            int timeEnd = line.IndexOf(' ', sizeEnd + 1);
            if (hashEnd != word.Length + 64 || sizeEnd < 0 || timeEnd < 0)
                throw new FormatException("not the form of an input: " + line);
            int pathEnd = line.IndexOf('\t', timeEnd);
            return new FileLine
            {
                _line = line,
                _word = word,
                _hash = line.Substring(word.Length, 64),
                _size = long.Parse(line.Substring(hashEnd + 1, sizeEnd - hashEnd - 1), NumberStyles.None, CultureInfo.InvariantCulture),
                _time = long.Parse(line.Substring(sizeEnd + 1, timeEnd - sizeEnd - 1), NumberStyles.None, CultureInfo.InvariantCulture),
                _rest = timeEnd,
                _entry = pathEnd < 0 ? "" : WorkerLine.Unescape(line.Substring(pathEnd + 1)),
                Path = WorkerLine.Unescape(pathEnd < 0 ? line.Substring(timeEnd + 1) : line.Substring(timeEnd + 1, pathEnd - timeEnd - 1)),
            };
        }

        /// <summary>Why the file is not what it was, or null.</summary>
        /// <param name="renewed">The line with the file's size and time of now, where its content is the same but they are not.</param>
        internal string? WhyStale(out string? renewed)
        {
            renewed = null;
            if (FileStates.BehindLink(new FileInfo(Path)) is not { } info)
                return HasSameContent() ? null : $"'{LogText.Clean(Path)}' changed";
            if (!info.Exists)
                return $"'{LogText.Clean(Path)}' is gone";
            long modified = info.LastWriteTimeUtc.Ticks;
            if (info.Length == _size && modified == _time)
                return null;
            // Other entries make a lock file longer.
            if ((info.Length != _size && _word != "lock ") || !HasSameContent())
                return _word == "out " ? $"its output '{LogText.Clean(Path)}' was changed by someone else" : $"'{LogText.Clean(Path)}' changed";
            renewed = string.Concat(_word + _hash, " ", info.Length.ToString(CultureInfo.InvariantCulture), " ") + modified.ToString(CultureInfo.InvariantCulture) + _line.Substring(_rest);
            return null;
        }

        private bool HasSameContent() => string.Equals(_word == "lock " ? HashEntry(Path, _entry) : HashFile(Path), _hash, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Best effort: without it the next build is right too, only slower.</summary>
    private static void WriteBack(string file, string text)
    {
        try
        {
            WriteAtomically(file, Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>Whoever reads <paramref name="file"/> sees the old or the new content, never half of one.</summary>
    internal static void WriteAtomically(string file, byte[] content)
    {
        string temporary = file + "." + Guid.NewGuid().ToString("N") + ".tmp";
        File.WriteAllBytes(temporary, content);
        try
        {
            if (!File.Exists(file))
            {
                try
                {
                    File.Move(temporary, file);
                    return;
                }
                catch (IOException) when (File.Exists(file))
                {
                    // Another build of the same project was faster.
                }
            }
            File.Replace(temporary, file, null);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    internal static string Hash(byte[] content)
    {
        using var sha = SHA256.Create();
        return Hex(sha.ComputeHash(content));
    }

    /// <summary>As the engine's <c>LockFile.EntrySha256</c>: the lines of one entry, whatever their ends; of a file without it, all of it.</summary>
    internal static string HashEntry(string path, string firstLine)
    {
        string text = Encoding.UTF8.GetString(File.ReadAllBytes(path)).Replace("\r\n", "\n");
        int start = text.IndexOf("\n" + firstLine + "\n", StringComparison.Ordinal);
        int end = start < 0 ? -1 : text.IndexOf("\n    }", start, StringComparison.Ordinal);
        return Hash(Encoding.UTF8.GetBytes(end < 0 ? text : text.Substring(start, end - start)));
    }

    internal static string HashFile(string path)
    {
        using var sha = SHA256.Create();
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 16);
        return Hex(sha.ComputeHash(stream));
    }

    private static string Hex(byte[] hash)
    {
        var hex = new char[hash.Length * 2];
        for (int i = 0; i < hash.Length; i++)
        {
            hex[2 * i] = "0123456789abcdef"[hash[i] >> 4];
            hex[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
        }
        return new string(hex);
    }
}
