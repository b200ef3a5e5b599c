// A worker that copies. Every run appends "<name>\t<threads>\t<pid>" to FAKEWORKER_LOG. A file "<model>.fake" beside the model says what else to do,
// one word a line: "fail" (a coded error, exit 1), "crash" (exit 134 without a word), "hang" (until the parent is gone), "hostile" (names that attack
// the log), "warn". The file itself is no input, so that a test can change the behaviour without changing the request.
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

if (args[0] == "logs")
    return 0; // a build server's variables ask for a summary of whatever builds there
string[] request = File.ReadAllLines(args[1][1..]);
string Option(string name) => request.FirstOrDefault(line => line.StartsWith($"--{name}=", StringComparison.Ordinal))?[(name.Length + 3)..] ?? "";
string Argument(string name) => Array.IndexOf(args, "--" + name) is var i and >= 0 ? args[i + 1] : "";

string model = request[0], output = Argument("output"), name = Option("name");
if (Environment.GetEnvironmentVariable("FAKEWORKER_LOG") is { Length: > 0 } log)
{
    // Two workers at once would write to the same place: an end that was looked up is no end any more.
    using var turn = Turn(log + ".lock");
    using var file = new FileStream(log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
    file.Write(Encoding.UTF8.GetBytes($"{name}\t{Argument("threads")}\t{Environment.ProcessId}\n"));
}
string[] behaviour = File.Exists(model + ".fake") ? File.ReadAllLines(model + ".fake") : [];
Say("progress", "", "", 0, 0, "copying " + name);
if (behaviour.Contains("hostile"))
    Say("warning", "COB1101", "", 0, 0, "a\nb ##vso[task.complete] ##[error]x \u001b[31mred <script> ::error::y");
if (behaviour.Contains("warn"))
    Say("warning", "COB1101", model, 3, 15, "no data, nothing was measured");
if (behaviour.Contains("hang"))
{
    using var parent = Process.GetProcessById(int.Parse(Argument("parent-pid"), CultureInfo.InvariantCulture));
    parent.WaitForExit();
    return 1;
}
if (behaviour.Contains("crash"))
    return 134;
if (behaviour.Contains("fail"))
{
    Say("error", "COB4001", model, 0, 0, $"top1 of {name} fell by 0.05; the limit is 0.01");
    return 1;
}

var inputs = new StringBuilder($"cob-inputs 1 {Hash(args[1][1..])}\n");
inputs.Append(Line(model));
foreach (string option in (string[])["calibration-data", "evaluation-data", "preprocessing", "recipe"])
{
    string path = Option(option);
    if (Directory.Exists(path))
    {
        inputs.Append($"dir {path}\n");
        foreach (string file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            inputs.Append(file.EndsWith(".txt", StringComparison.Ordinal) ? $"name {file}\n" : Line(file));
    }
    else if (File.Exists(path))
    {
        inputs.Append(Line(path));
    }
}
string Written(string file) => Path.Combine(output, file);
File.Copy(model, Written(name + ".onnx"), overwrite: true);
File.WriteAllText(Written("report.json"), "{ \"model\": \"" + name + "\", \"recipe\": \"" + Path.GetFileName(Option("recipe")) + "\" }\n");
File.WriteAllText(Written("measurements.json"), "{}\n");
File.WriteAllText(Written("report.html"), "<title>" + name.Length + "</title>\n");
File.WriteAllText(Written("report.md"), "# report\n");
File.WriteAllText(Written("accessor.txt"), "inputs\tpixel values\tclass\noutputs\tlogits\n");
if (Option("transport") == "packed")
    File.Copy(model, Written(name + ".onnx.packed"), overwrite: true);
else
    File.Delete(Written(name + ".onnx.packed"));
foreach (string file in (string[])[name + ".onnx", .. Option("transport") == "packed" ? [name + ".onnx.packed"] : Array.Empty<string>(), "report.json", "measurements.json", "report.html", "report.md", "accessor.txt"])
    inputs.Append("out ").Append(Line(Written(file)));
File.WriteAllText(Written("inputs.txt.tmp"), inputs.ToString());
File.Move(Written("inputs.txt.tmp"), Written("inputs.txt"), overwrite: true);
Say("summary", "", "", 0, 0, $"CompressOnBuild: {name}.onnx copied");
return 0;

static void Say(string kind, string code, string file, int line, int column, string text) =>
    Console.WriteLine($"@cob\t{kind}\t{code}\t{Escape(file)}\t{line}\t{column}\t{Escape(text)}");

static string Escape(string text) =>
    text.Replace("\\", "\\\\").Replace("\t", "\\t").Replace("\n", "\\n").Replace("\r", "\\r");

static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

static string Line(string path)
{
    var info = new FileInfo(path);
    return string.Create(CultureInfo.InvariantCulture, $"{Hash(path)} {info.Length} {info.LastWriteTimeUtc.Ticks} {path}\n");
}

static FileStream Turn(string path)
{
    while (true)
    {
        try { return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None); }
        catch (IOException) { Thread.Sleep(5); }
    }
}
