using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets;
using CompressOnBuild.Evaluation.Datasets.Sounds;

namespace CompressOnBuild.Evaluation;

/// <summary>How an output becomes a decision that can be compared with a label.</summary>
internal enum Decode
{
    /// <summary>By the kind of the labels: a class by the largest score, a sequence by argmax.</summary>
    Default,
    /// <summary>One class: the index of the largest score.</summary>
    Classes,
    /// <summary>Greedy CTC: argmax per step, repeats collapsed, blank dropped.</summary>
    Ctc,
    /// <summary>Ids: argmax per step, cut before the first end id.</summary>
    ArgmaxSequence,
    /// <summary>One class, 0 or 1: the only score is greater than the threshold.</summary>
    Threshold,
}

/// <summary>
/// How outputs are decoded. <paramref name="Alphabet"/>: text of each id where ids spell a text; null where they stay ids.
/// <paramref name="Blank"/>: the CTC blank's id. <paramref name="IgnoreSpaces"/>: spaces are removed from both texts before they are compared.
/// <paramref name="End"/>: a sequence is cut before the first id of this value. <paramref name="Padding"/>: ids of this value at the end of
/// a label are no part of it. <paramref name="PositiveClass"/>: the class whose score <c>auc</c> ranks. <paramref name="Ignore"/>: elements
/// of a mask with this id do not count. <paramref name="Detections"/>: how a detector's outputs are read, null where nothing says it.
/// </summary>
internal sealed record Decoding(Decode Decode = Decode.Default, IReadOnlyList<string>? Alphabet = null, int Blank = 0, bool IgnoreSpaces = false,
    int? End = null, int Padding = -1, double Threshold = 0.5, int PositiveClass = 1, int Ignore = 255, Detections? Detections = null);

/// <summary>
/// <c>evaluation.json</c>: what the data cannot say for itself. It names no code, and its only path (the alphabet) stays in its own folder.
/// <code>
/// { "inputs": { "x": "image" }, "fixed": { "sr": 16000 }, "output": "softmax_0", "labels": "labels",
///   "decode": "ctc", "alphabet": "keys.txt", "blank": 0, "appendSpace": true, "ignoreSpaces": true }
/// </code>
/// Other keys: <c>labelKind</c>, <c>end</c>, <c>padding</c>, <c>threshold</c>, <c>positiveClass</c>, <c>ignore</c>, <c>detections</c>, <c>audio</c> (<see cref="SoundSettings"/>),
/// <c>states</c> (<see cref="StateLink"/>).
/// All are optional.
/// </summary>
internal sealed record EvaluationConfiguration
{
    /// <summary>Model input to the data's names for it: one array, or the columns of a table.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Inputs { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    /// <summary>Inputs that have the same value in every sample.</summary>
    internal IReadOnlyDictionary<string, FixedInput> Fixed { get; init; } = new Dictionary<string, FixedInput>();
    /// <summary>The output that is scored; null: the first.</summary>
    public string? Output { get; init; }
    /// <summary>The data's name for the labels.</summary>
    public string Labels { get; init; } = "labels";
    /// <summary>Whether the file says what the labels are called.</summary>
    public bool AreLabelsNamed { get; init; }
    /// <summary>What the labels are; null: their type and shape say it.</summary>
    public LabelKind? LabelKind { get; init; }
    public Decoding Decoding { get; init; } = new();
    /// <summary>Inputs that are states: what a run leaves to the next one of the same sequence.</summary>
    public IReadOnlyDictionary<string, StateLink> States { get; init; } = new Dictionary<string, StateLink>();
    /// <summary>How recordings are read.</summary>
    public SoundSettings Audio { get; init; } = new();
    /// <summary>Absolute paths of the files this came from.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];
    /// <summary>Absolute paths that were looked at first and did not exist.</summary>
    public IReadOnlyList<string> Absent { get; init; } = [];

    private static readonly JsonKind Kind = new("the file", 16 << 20, Codes.EvaluationConfigurationInvalid, Lenient: true);
    private static readonly string[] Keys = ["inputs", "fixed", "output", "labels", "decode", "alphabet", "blank", "appendSpace", "ignoreSpaces", "end", "padding", "threshold", "positiveClass", "labelKind", "ignore", "detections", "audio", "states"];
    private static readonly Dictionary<string, Decode> Decodes = new(StringComparer.Ordinal)
    {
        ["classes"] = Decode.Classes, ["ctc"] = Decode.Ctc, ["argmax-sequence"] = Decode.ArgmaxSequence, ["threshold"] = Decode.Threshold,
    };

    private static readonly Dictionary<string, LabelKind> LabelKinds = new(StringComparer.Ordinal)
    {
        ["classes"] = Datasets.LabelKind.Class, ["sequences"] = Datasets.LabelKind.Sequence, ["texts"] = Datasets.LabelKind.Text,
        ["values"] = Datasets.LabelKind.Value, ["masks"] = Datasets.LabelKind.Mask, ["boxes"] = Datasets.LabelKind.Boxes,
    };

    /// <summary>The first file of <paramref name="candidates"/> that exists, parsed; defaults if none exists.</summary>
    public static EvaluationConfiguration Find(params ReadOnlySpan<string> candidates)
    {
        for (var i = 0; i < candidates.Length; i++)
            if (File.Exists(candidates[i])) return Load(candidates[i]) with { Absent = candidates[..i].ToArray() };
        return new() { Absent = candidates.ToArray() };
    }

    /// <exception cref="CompressionException">Not JSON, an unknown key, or a value out of range: with line and column.</exception>
    public static EvaluationConfiguration Load(string path)
    {
        var root = PositionedJson.Load(path, Kind);
        foreach (var (key, _) in root.AsObject("the file"))
            if (!Keys.Contains(key.Text)) throw key.Error($"the key '{key.Text}' is unknown. Valid keys are {string.Join(", ", Keys)}. Correct or remove it.");
        var inputs = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        var constants = new Dictionary<string, FixedInput>(StringComparer.Ordinal);
        var decoding = new Decoding();
        var audio = new SoundSettings();
        var states = new Dictionary<string, StateLink>();
        string? output = null, labels = null;
        LabelKind? labelKind = null;
        PositionedJson? alphabet = null;
        var appendSpace = false;
        foreach (var (name, value) in root.Members)
        {
            var key = name.Text;
            switch (key)
            {
                case "inputs": foreach (var (input, names) in value.AsObject(key)) inputs[input.Text] = Names(input.Text, names); break;
                case "fixed": foreach (var (input, constant) in value.AsObject(key)) constants[input.Text] = new FixedInput(input.Text, constant); break;
                case "output": output = value.AsString(key); break;
                case "labels": labels = value.AsString(key); break;
                case "labelKind": labelKind = LabelKinds.TryGetValue(value.AsString(key), out var kind) ? kind : throw value.Invalid(key, "one of " + string.Join(", ", LabelKinds.Keys)); break;
                case "decode":
                    if (!Decodes.TryGetValue(value.AsString(key), out var decode)) throw value.Invalid(key, "one of " + string.Join(", ", Decodes.Keys));
                    decoding = decoding with { Decode = decode };
                    break;
                case "states": states = StateLink.Read(value, key); break;
                case "audio": audio = SoundSettings.Read(value, key); break;
                case "alphabet": alphabet = value; break;
                case "blank": decoding = decoding with { Blank = value.AsInt(key, 0, int.MaxValue) }; break;
                case "appendSpace": appendSpace = value.AsBool(key); break;
                case "ignoreSpaces": decoding = decoding with { IgnoreSpaces = value.AsBool(key) }; break;
                case "end": decoding = decoding with { End = value.AsInt(key, int.MinValue, int.MaxValue) }; break;
                case "padding": decoding = decoding with { Padding = value.AsInt(key, int.MinValue, int.MaxValue) }; break;
                case "threshold": decoding = decoding with { Threshold = value.AsNumber(key) }; break;
                case "detections": decoding = decoding with { Detections = Detections.Read(value) }; break;
                case "ignore": decoding = decoding with { Ignore = value.AsInt(key, int.MinValue, int.MaxValue) }; break;
                case "positiveClass": decoding = decoding with { PositiveClass = value.AsInt(key, 0, int.MaxValue) }; break;
            }
        }
        var files = new List<string> { path };
        if (alphabet is not null)
        {
            var symbols = Alphabet.Read(alphabet, path, files);
            if (appendSpace) symbols.Add(" ");
            // The file lists what can be read; the blank has no line of its own in it.
            if (decoding.Decode == Decode.Ctc)
            {
                if (decoding.Blank > symbols.Count) throw alphabet.Error($"'blank' is {decoding.Blank} but the alphabet has {symbols.Count} symbols. Valid is 0 to {symbols.Count}. Correct 'blank'.");
                symbols.Insert(decoding.Blank, "");
            }
            decoding = decoding with { Alphabet = symbols };
        }
        return new() { Inputs = inputs, Fixed = constants, Output = output, Labels = labels ?? "labels", AreLabelsNamed = labels is not null, LabelKind = labelKind, Decoding = decoding, Audio = audio, States = states, Files = files };
    }

    /// <summary>The array that feeds an input: what <c>inputs</c> calls it, else the input's own name.</summary>
    /// <exception cref="CompressionException">COB1118: several names.</exception>
    public string ArrayOf(string input) => !Inputs.TryGetValue(input, out var names) ? input : names is [var name] ? name
        : throw new CompressionException(Codes.EvaluationConfigurationInvalid, $"'{input}' has {names.Count} names. Valid for arrays is one; several columns feed an input where the data is a table (.csv, .jsonl). Correct 'inputs'.", Files.FirstOrDefault());

    private static List<string> Names(string input, PositionedJson value)
    {
        if (value.Kind != System.Text.Json.JsonTokenType.StartArray) return [value.AsString(input)];
        return value.Items.Count > 0 ? value.Items.ConvertAll(n => n.AsString(input)) : throw value.Invalid(input, "a name or an array of names");
    }
}
