using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Images;

internal enum ChannelOrder { Rgb, Bgr, L }

/// <summary>
/// <c>preprocessor_config.json</c> as Hugging Face's image processors write it, plus four keys: <c>channel_order</c>, <c>layout</c>,
/// <c>pad_width_to_multiple_of</c>, <c>pad_value_after_normalize</c>. Steps in this order: resize, center crop, rescale, normalize, pad.
/// Mean and deviation are in the order of the model's channels. Of <see cref="Resize"/>, <c>ShortestEdge</c> or height and width are set.
/// </summary>
internal sealed record Preprocessing
{
    public sealed record Size(int? ShortestEdge, int Height, int Width);

    public Size? Resize { get; private init; }
    public Resample Resample { get; private init; } = Resample.Bilinear;
    public Size? Crop { get; private init; }
    public double? RescaleFactor { get; private init; }
    public float[]? Mean { get; private init; }
    public float[]? Deviation { get; private init; }
    public ChannelOrder Channels { get; private init; }
    public bool ChannelsLast { get; private init; }
    public int PadWidthTo { get; private init; } = 1;
    public float PadValue { get; private init; }
    public IReadOnlyList<Diagnostic> Warnings { get; private init; } = [];

    private static readonly JsonKind Kind = new("the file", 16 << 20, Codes.PreprocessingInvalid, Lenient: true);
    private const int LongestSide = 16384;
    // Names and facts that do not change a picture.
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "image_processor_type", "feature_extractor_type", "processor_class", "num_channels", "_valid_processor_keys", "do_convert_rgb",
        "return_tensors", "input_data_format", "data_format", "default_to_square", "device", "disable_grouping", "size_divisor",
    };

    /// <exception cref="CompressionException">COB1117 with line and column; also for a step that would change pictures and is not known.</exception>
    public static Preprocessing Load(string path)
    {
        var root = PositionedJson.Load(path, Kind);
        var keys = root.AsObject("the file").ToDictionary(m => m.Key.Text, m => m.Value, StringComparer.Ordinal);
        var used = new HashSet<string>(Harmless, StringComparer.Ordinal);
        var channels = Choice("channel_order", ChannelOrder.Rgb, ("RGB", ChannelOrder.Rgb), ("BGR", ChannelOrder.Bgr), ("L", ChannelOrder.L));
        if (Flag("do_flip_channel_order", false)) channels = ChannelOrder.Bgr;
        var count = channels == ChannelOrder.L ? 1 : 3;
        var resize = Flag("do_resize", keys.ContainsKey("size")) ? ReadSize("size", true) : null;
        var resample = Get("resample") is { } r ? (Resample)r.AsInt("resample", 0, 3) : Resample.Bilinear;
        var crop = Flag("do_center_crop", false) ? ReadSize("crop_size", false) : null;
        double? factor = Flag("do_rescale", true) ? Get("rescale_factor")?.AsNumber("rescale_factor") ?? 1 / 255.0 : null;
        var normalize = Flag("do_normalize", keys.ContainsKey("image_mean"));
        var mean = normalize ? Numbers("image_mean") : null;
        var deviation = normalize ? Numbers("image_std") : null;
        if (deviation?.Contains(0) == true) throw keys["image_std"].Error("'image_std' holds 0, by which pictures would be divided. Valid are numbers other than 0. Correct the value.");
        var result = new Preprocessing
        {
            Resize = resize, Resample = resample, Crop = crop, RescaleFactor = factor, Mean = mean, Deviation = deviation, Channels = channels,
            ChannelsLast = Choice("layout", false, ("NCHW", false), ("NHWC", true)),
            PadWidthTo = Get("pad_width_to_multiple_of")?.AsInt("pad_width_to_multiple_of", 1, LongestSide) ?? 1,
            PadValue = (float)(Get("pad_value_after_normalize")?.AsNumber("pad_value_after_normalize") ?? 0),
        };
        used.UnionWith(["size", "crop_size", "image_mean", "image_std", "resample", "rescale_factor"]);
        var warnings = new List<Diagnostic>();
        foreach (var (name, value) in root.Members)
        {
            var key = name.Text;
            if (used.Contains(key) || value.Kind is JsonTokenType.False or JsonTokenType.Null) continue;
            if (value.Kind == JsonTokenType.True)
                throw name.Error($"the step '{key}' is asked for but not supported, so the model would see other pictures than in training. Supported are do_resize, do_center_crop, do_rescale, do_normalize. Store the finished arrays as .npz instead.");
            warnings.Add(name.Error(Codes.DataIgnored, $"the key '{key}' is unknown and left out. If it changes the pictures, store the finished arrays as .npz instead; otherwise remove it.").Diagnostic with { Severity = Severity.Warning });
        }
        return result with { Warnings = warnings };

        PositionedJson? Get(string key)
        {
            used.Add(key);
            return keys.TryGetValue(key, out var value) && value.Kind != JsonTokenType.Null ? value : null;
        }

        bool Flag(string key, bool absent) => Get(key)?.AsBool(key) ?? absent;

        T Choice<T>(string key, T absent, params (string Name, T Value)[] choices)
        {
            if (Get(key) is not { } value) return absent;
            foreach (var (name, choice) in choices)
                if (value.AsString(key) == name) return choice;
            throw value.Invalid(key, "one of " + string.Join(", ", choices.Select(c => c.Name)));
        }

        Size ReadSize(string key, bool mayBeShortest)
        {
            var valid = (mayBeShortest ? "{ \"shortest_edge\": n } or " : "") + "{ \"height\": n, \"width\": n }";
            var value = Get(key) ?? throw root.Error($"'{key}' is missing. Valid is {valid}. Add it.");
            if (value.Kind == JsonTokenType.Number && !mayBeShortest) return new(null, value.AsInt(key, 1, LongestSide), value.AsInt(key, 1, LongestSide));
            var parts = value.Kind == JsonTokenType.StartObject ? value.Members.ToDictionary(m => m.Key.Text, m => m.Value.AsInt(m.Key.Text, 1, LongestSide), StringComparer.Ordinal) : throw value.Invalid(key, valid);
            if (parts.Count == 1 && mayBeShortest && parts.TryGetValue("shortest_edge", out var edge)) return new(edge, 0, 0);
            if (parts.Count == 2 && parts.TryGetValue("height", out var height) && parts.TryGetValue("width", out var width)) return new(null, height, width);
            throw value.Invalid(key, valid);
        }

        float[] Numbers(string key)
        {
            var value = Get(key) ?? throw root.Error($"'{key}' is missing. Valid is an array of {count} numbers. Add it.");
            var numbers = value.Kind == JsonTokenType.Number ? Enumerable.Repeat((float)value.AsNumber(key), count).ToArray() : value.Items.Select(i => (float)i.AsNumber(key)).ToArray();
            return numbers.Length == count ? numbers : throw value.Error($"'{key}' holds {numbers.Length} numbers. Valid is one per channel: {count}. Correct the value.");
        }
    }
}
