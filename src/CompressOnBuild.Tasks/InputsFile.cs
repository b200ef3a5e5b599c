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
    /// <summary>A folder tree deeper than this is a loop of links.</summary>
    private const int MaxDepth = 32;
    private static readonly System.Reflection.MethodInfo? s_resolveLink = typeof(FileSystemInfo).GetMethod("ResolveLinkTarget", [typeof(bool)]);

    /// <summary>
    /// Null when nothing changed that the result in <paramref name="folder"/> depends on, the request aside; else why not. New times of unchanged files are written back, so that the next check need not read them.
    /// </summary>
    internal static string? WhyStale(string folder)
    {
        string file = Path.Combine(folder, FileName);
        string text;
        try
        {
            text = File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "there is no result yet";
        }
        try
        {
            return WhyStale(file, text);
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

    private static string? WhyStale(string file, string text)
    {
        var folders = new List<string>();
        var listed = new HashSet<string>(StringComparer.Ordinal);
        StringBuilder? renewed = null;
        int start = 0;
        bool first = true;
        while (start < text.Length)
        {
            int end = text.IndexOf('\n', start);
            if (end < 0)
                return "the list of its inputs is cut off";
            if (first)
            {
                first = false;
                if (!Starts(text, start, Header))
                    return "the list of its inputs is not one of this version";
            }
            else if (Starts(text, start, "dir "))
            {
                folders.Add(WorkerLine.Unescape(text.Substring(start + 4, end - start - 4)));
            }
            else if (Starts(text, start, "name "))
            {
                listed.Add(WorkerLine.Unescape(text.Substring(start + 5, end - start - 5)));
            }
            else if (Starts(text, start, "absent "))
            {
                string path = WorkerLine.Unescape(text.Substring(start + 7, end - start - 7));
                if (File.Exists(path))
                    return $"'{LogText.Clean(path)}' is new";
            }
            else
            {
                string word = Starts(text, start, "out ") ? "out " : Starts(text, start, "lock ") ? "lock " : "";
                string line = text.Substring(start + word.Length, end - start - word.Length);
                string? reason = CheckFile(line, word, out string path, out string? newLine);
                if (reason is not null)
                    return reason;
                listed.Add(path);
                if (newLine is not null)
                {
                    renewed ??= new StringBuilder(text, 0, start, text.Length + 64);
                    renewed.Append(word).Append(newLine).Append('\n');
                    start = end + 1;
                    continue;
                }
            }
            renewed?.Append(text, start, end + 1 - start);
            start = end + 1;
        }
        if (first)
            return "the list of its inputs is empty";
        foreach (string folder in folders)
        {
            if (NewFileIn(new DirectoryInfo(folder), listed, 0) is { } added)
                return $"'{LogText.Clean(added)}' is new";
        }
        if (renewed is not null)
            WriteBack(file, renewed.ToString());
        return null;
    }

    /// <summary>By hand: a no-op build pays for compiling what it calls, and the framework's comparison of ranges is not compiled ahead.</summary>
    private static bool Starts(string text, int start, string word)
    {
        if (text.Length - start < word.Length)
            return false;
        for (int i = 0; i < word.Length; i++)
        {
            if (text[start + i] != word[i])
                return false;
        }
        return true;
    }

    private static string? CheckFile(string line, string word, out string path, out string? newLine)
    {
        int hashEnd = line.IndexOf(' ');
        int sizeEnd = line.IndexOf(' ', hashEnd + 1);
        int timeEnd = line.IndexOf(' ', sizeEnd + 1);
        if (hashEnd != 64 || sizeEnd < 0 || timeEnd < 0)
            throw new FormatException("not the form of an input: " + line);
        long size = long.Parse(line.Substring(hashEnd + 1, sizeEnd - hashEnd - 1), NumberStyles.None, CultureInfo.InvariantCulture);
        long time = long.Parse(line.Substring(sizeEnd + 1, timeEnd - sizeEnd - 1), NumberStyles.None, CultureInfo.InvariantCulture);
        int pathEnd = line.IndexOf('\t', timeEnd);
        string found = WorkerLine.Unescape(pathEnd < 0 ? line.Substring(timeEnd + 1) : line.Substring(timeEnd + 1, pathEnd - timeEnd - 1));
        newLine = null;
        string hash = line.Substring(0, hashEnd);
        path = found;
        string HashNow() => word != "lock " ? HashFile(found) : HashEntry(found, WorkerLine.Unescape(line.Substring(pathEnd + 1)));
        if (BehindLink(new FileInfo(path)) is not { } info)
            return string.Equals(HashNow(), hash, StringComparison.OrdinalIgnoreCase) ? null : $"'{LogText.Clean(path)}' changed";
        if (!info.Exists)
            return $"'{LogText.Clean(path)}' is gone";
        long modified = info.LastWriteTimeUtc.Ticks;
        if (info.Length == size && modified == time)
            return null;
        // Other entries make a lock file longer.
        if ((info.Length != size && word != "lock ") || !string.Equals(HashNow(), hash, StringComparison.OrdinalIgnoreCase))
            return word == "out " ? $"its output '{LogText.Clean(path)}' was changed by someone else" : $"'{LogText.Clean(path)}' changed";
        newLine = string.Concat(hash, " ", info.Length.ToString(CultureInfo.InvariantCulture), " ") + modified.ToString(CultureInfo.InvariantCulture) + line.Substring(timeEnd);
        return null;
    }

    /// <summary>
    /// The file that a link leads to: size and time of the link itself say nothing about what is read. Only newer frameworks than the one this
    /// is compiled for can ask; null where the build runs on an older one.
    /// </summary>
    private static FileInfo? BehindLink(FileInfo file)
    {
        if (!file.Exists || (file.Attributes & FileAttributes.ReparsePoint) == 0)
            return file;
        try
        {
            return s_resolveLink?.Invoke(file, [true]) as FileInfo;
        }
        catch (System.Reflection.TargetInvocationException)
        {
            return null; // links in a circle: reading says what is wrong
        }
    }

    private static string? NewFileIn(DirectoryInfo folder, HashSet<string> listed, int depth)
    {
        if (depth > MaxDepth)
            return null;
        foreach (FileSystemInfo entry in folder.EnumerateFileSystemInfos())
        {
            if (entry.Name[0] == '.' || entry.Name is "Thumbs.db" or "desktop.ini")
                continue;
            if ((entry.Attributes & FileAttributes.Directory) != 0)
            {
                if (NewFileIn((DirectoryInfo)entry, listed, depth + 1) is { } added)
                    return added;
            }
            else if (!listed.Contains(entry.FullName))
            {
                return entry.FullName;
            }
        }
        return null;
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
