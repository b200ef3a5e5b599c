using System.Diagnostics;
using System.Globalization;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public sealed class InputsFileTests : IDisposable
{
    private static readonly string s_hash = new('a', 64);
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Line(string path) => string.Create(CultureInfo.InvariantCulture, $"{InputsFile.HashFile(path)} {new FileInfo(path).Length} {File.GetLastWriteTimeUtc(path).Ticks} {path}\n");

    private string? Check(string content)
    {
        _folder.Write("out/inputs.txt", $"cob-inputs 1 {s_hash}\n" + content);
        return InputsFile.WhyStale(_folder["out"], new FileStates());
    }

    [TestMethod]
    public void NoListAndAListOfAnotherVersionAreStale()
    {
        Assert.AreEqual("there is no result yet", InputsFile.WhyStale(_folder["nowhere"], new FileStates()));
        _folder.Write("out/inputs.txt", "cob-inputs 2\n");
        Assert.IsNotNull(InputsFile.WhyStale(_folder["out"], new FileStates()));
        Assert.IsNull(Check(""));
        Assert.IsTrue(InputsFile.IsFor(_folder["out"], s_hash));
        Assert.IsFalse(InputsFile.IsFor(_folder["out"], new string('b', 64)));
    }

    [TestMethod]
    [DataRow("nonsense\n")]
    [DataRow("abc 1 2 /x\n")]
    [DataRow("cut off")]
    [DataRow("\n")]
    public void ADamagedListIsStale(string content) => Assert.IsNotNull(Check(content));

    [TestMethod]
    public void ContentDecidesWhereTheTimeDiffers()
    {
        var a = _folder.Write("a.npz", "content");
        var b = _folder.Write("b.npz", "content");
        var list = Line(a) + "out " + Line(b);
        Assert.IsNull(Check(list));
        File.SetLastWriteTimeUtc(a, DateTime.UtcNow.AddDays(1));
        File.SetLastWriteTimeUtc(b, DateTime.UtcNow.AddDays(-1));
        Assert.IsNull(Check(list));
        Assert.AreEqual($"cob-inputs 1 {s_hash}\n" + Line(a) + "out " + Line(b), File.ReadAllText(_folder["out/inputs.txt"]), "the new times are remembered");
        File.WriteAllText(a, "CONTENT");
        Assert.AreEqual($"'{a}' changed", Check(list));
        File.Delete(a);
        Assert.AreEqual($"'{a}' is gone", Check(list));
    }

    [TestMethod]
    public void OfALockFileTheEntryCounts()
    {
        const string First = "    \"auto balanced cpu\": {";
        string Text(string value, string other) => $"{{\n  \"entries\": {{\n    \"a\": {{\n      \"x\": {other}\n    }},\n{First}\n      \"x\": {value}\n    }}\n  }}\n}}\n";
        var path = _folder.Write("m.onnx.lock.json", Text("1", "1"));
        string List() => string.Create(CultureInfo.InvariantCulture, $"lock {InputsFile.HashEntry(path, First)} {new FileInfo(path).Length} {File.GetLastWriteTimeUtc(path).Ticks} {path}\t{First}\n");
        var list = List();
        Assert.IsNull(Check(list));
        File.WriteAllText(path, Text("1", "12345").ReplaceLineEndings("\r\n"));
        Assert.IsNull(Check(list));
        Assert.AreEqual($"cob-inputs 1 {s_hash}\n" + List(), File.ReadAllText(_folder["out/inputs.txt"]), "size and time are remembered");
        File.WriteAllText(path, Text("2", "1"));
        Assert.AreEqual($"'{path}' changed", Check(list));
        File.WriteAllText(path, "{}");
        Assert.AreEqual($"'{path}' changed", Check(list), "the entry is gone");
        File.Delete(path);
        Assert.AreEqual($"'{path}' is gone", Check(list));
    }

    [TestMethod]
    public void AFolderMayGetNoNewFile()
    {
        var a = _folder.Write("data/x/a.png", "a");
        var list = Line(a) + $"dir {_folder["data"]}\nname {_folder["data/readme.txt"]}\n";
        Assert.IsNull(Check(list));
        _folder.Write("data/.git/x", "");
        _folder.Write("data/x/Thumbs.db", "");
        _folder.Write("data/readme.txt", "");
        Assert.IsNull(Check(list));
        var b = _folder.Write("data/y/b.png", "");
        Assert.AreEqual($"'{b}' is new", Check(list));
    }

    [TestMethod]
    public void AFileThatWasLookedForMayNotAppear()
    {
        Assert.IsNull(Check($"absent {_folder["pre.json"]}\n"));
        _folder.Write("pre.json", "{}");
        Assert.AreEqual($"'{_folder["pre.json"]}' is new", Check($"absent {_folder["pre.json"]}\n"));
    }

    [TestMethod]
    public void ALinkCountsAsTheFileBehindIt()
    {
        var real = _folder.Write("store/m.onnx", "a model");
        var link = _folder["m.onnx"];
        try { File.CreateSymbolicLink(link, real); }
        catch (IOException) when (OperatingSystem.IsWindows()) { Assert.Inconclusive("Links need a privilege on Windows."); }
        var line = Line(real).Replace(real, link, StringComparison.Ordinal);
        Assert.IsNull(Check(line));
        File.WriteAllText(real, "b model");
        File.SetLastWriteTimeUtc(real, new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.AreEqual($"'{link}' changed", Check(line));
        File.Delete(real);
        Assert.AreEqual($"'{link}' is gone", Check(line));
    }

    [TestMethod]
    public void PathsWithBackslashesAndLineBreaksAreOneField()
    {
        if (OperatingSystem.IsWindows()) Assert.Inconclusive("Windows forbids such names.");
        var odd = _folder.Write("data/a\\b\nc.png", "x");
        var list = Line(odd).Replace(odd, odd.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal), StringComparison.Ordinal) + $"dir {_folder["data"]}\n";
        Assert.IsNull(Check(list));
    }

    [TestMethod]
    public void WhatTheLastCheckSawIsComparedAsOneText()
    {
        var model = _folder.Write("m.onnx", "a model");
        var picture = _folder.Write("data/x/a.png", "a");
        var list = Line(model) + Line(picture) + $"dir {_folder["data"]}\nabsent {_folder["pre.json"]}\n";
        var states = () => new FileStates().AreAsSeen(_folder["out"]);
        Assert.IsFalse(states());
        Assert.IsNull(Check(list));
        Assert.IsTrue(states());
        _folder.Write("data/x/.hidden", "");
        Assert.IsTrue(states(), "what no reader looks at does not count");
        Changes("a new file", () => _folder.Write("data/b.png", ""), () => File.Delete(_folder["data/b.png"]));
        Changes("a new folder", () => Directory.CreateDirectory(_folder["data/y"]), () => Directory.Delete(_folder["data/y"]));
        Changes("a file that was looked for", () => _folder.Write("pre.json", ""), () => File.Delete(_folder["pre.json"]));
        var time = File.GetLastWriteTimeUtc(picture);
        Changes("a time", () => File.SetLastWriteTimeUtc(picture, time.AddSeconds(1)), () => File.SetLastWriteTimeUtc(picture, time));
        var inputs = File.GetLastWriteTimeUtc(_folder["out/inputs.txt"]);
        Changes("a new list", () => File.SetLastWriteTimeUtc(_folder["out/inputs.txt"], inputs.AddSeconds(1)), () => File.SetLastWriteTimeUtc(_folder["out/inputs.txt"], inputs));
        File.WriteAllText(_folder["out/seen.txt"], "cob-seen 1\nfile");
        Assert.IsFalse(states(), "cut off");
        Assert.IsNull(InputsFile.WhyStale(_folder["out"], new FileStates()));
        Assert.IsTrue(states(), "written anew");
        File.Delete(model);
        Assert.IsFalse(states());
        Assert.AreEqual($"'{model}' is gone", InputsFile.WhyStale(_folder["out"], new FileStates()));

        void Changes(string what, Action make, Action undo)
        {
            make();
            Assert.IsFalse(states(), what);
            undo();
            Assert.IsTrue(states(), what + ", undone");
        }
    }

    [TestMethod]
    public void ThousandFilesAreCheap()
    {
        var list = "";
        for (int i = 0; i < 1000; i++) list += Line(_folder.Write($"data/{i}.png", "x"));
        list += $"dir {_folder["data"]}\n";
        Assert.IsNull(Check(list));
        // Compared with what cannot be left out, asking the system for each file: reading one of them would cost several times that.
        var files = Directory.GetFiles(_folder["data"]);
        var check = Best(() => Assert.IsNull(InputsFile.WhyStale(_folder["out"], new FileStates())));
        var ask = Best(() => { foreach (string file in files) Assert.IsTrue(new FileInfo(file).LastWriteTimeUtc.Ticks > 0 && new FileInfo(file).Length == 1); });
        Assert.IsLessThan(4.0, check / ask, $"{check.TotalMilliseconds:0.0} ms instead of {ask.TotalMilliseconds:0.0} ms");

        static TimeSpan Best(Action work)
        {
            var best = TimeSpan.MaxValue;
            for (int i = 0; i < 20; i++)
            {
                var watch = Stopwatch.StartNew();
                work();
                best = watch.Elapsed < best ? watch.Elapsed : best;
            }
            return best;
        }
    }
}
