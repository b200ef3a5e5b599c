using System.Text.Json;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Images;

internal enum ChannelOrder { Rgb, Bgr, L }

/// <summary>
/// <c>preprocessor_config.json</c> as Hugging Face's image processors write it, plus four keys: <c>channel_order</c>, <c>layout</c>,
/// <c>pad_width_to_multiple_of</c>, <c>pad_value_after_normalize</c>. Steps in this order: resize, center crop, rescale, normalize, pad.
/// Mean and deviation are in the order of the model's channels.
/// </summary>
internal sealed record Preprocessing
{
    public sealed record Size(int Height, int Width);

    public ResizeTarget? Resize { get; private init; }
    public Resample Resample { get; private init; } = Resample.Bilinear;
    public Size? Crop { get; private init; }
    public double? RescaleFactor { get; private init; }
    /// <summary>Subtracted after rescaling: 0, or 1 (<c>rescale_offset</c>).</summary>
    public float RescaleOffset { get; private init; }
    public float[]? Mean { get; private init; }
    public float[]? Deviation { get; private init; }
    /// <summary>The deviation divides twice (<c>include_top</c>).</summary>
    public bool NormalizesTwice { get; private init; }
    public ChannelOrder Channels { get; private init; }
    public bool ChannelsLast { get; private init; }
    public int PadWidthTo { get; private init; } = 1;
    /// <summary>Size that smaller pictures are filled up to, at the bottom and at the right (<c>pad_size</c>).</summary>
    public Size? PadTo { get; private init; }
    public float PadValue { get; private init; }

    private float[][]? levels;

    /// <summary>For each channel of the model what the 256 levels of a picture become.</summary>
    public float[][] Levels => levels ??= [.. Enumerable.Range(0, Channels == ChannelOrder.L ? 1 : 3).Select(Level)];

    private float[] Level(int channel)
    {
        var table = new float[256];
        for (var level = 0; level < 256; level++)
        {
            var value = RescaleFactor is { } factor ? level * (float)factor - RescaleOffset : level;
            if (Mean is { } mean) value = (value - mean[channel]) / Deviation![channel];
            if (NormalizesTwice && Deviation is { } again) value /= again[channel];
            table[level] = value;
        }
        return table;
    }

    private static readonly JsonKind Kind = new("the file", 16 << 20, Codes.PreprocessingInvalid, Lenient: true);
    private const int LongestSide = 16384;
    private const string Supported = "do_resize (size, resample, crop_pct), do_center_crop (crop_size), do_rescale (rescale_factor, rescale_offset), do_normalize (image_mean, image_std, include_top), do_pad (pad_size), do_flip_channel_order, do_convert_rgb";
    // Names and facts that do not change a picture, and what concerns annotations and masks alone.
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "image_processor_type", "feature_extractor_type", "processor_class", "num_channels", "do_convert_rgb", "return_tensors", "input_data_format", "data_format",
        "default_to_square", "device", "disable_grouping", "auto_map", "do_reduce_labels", "reduce_labels", "do_convert_annotations", "format", "mask_size", "mask_pad_size",
    };

    /// <exception cref="CompressionException">COB1117 with line and column; also for a step that would change pictures and is not known.</exception>
    public static Preprocessing Load(string path)
    {
        var json = new Keys(PositionedJson.Load(path, Kind));
        var type = json.Get("image_processor_type") ?? json.Get("feature_extractor_type");
        var processor = Processor.Of(type?.AsString("image_processor_type"));
        if (processor.IsUnsupported)
            throw type!.Error($"the processor '{type.Text}' does more with pictures than its keys say, and that is not supported, so the model would see other pictures than in training. Store the finished arrays as .npz instead.");
        var channels = json.Choice("channel_order", ChannelOrder.Rgb, ("RGB", ChannelOrder.Rgb), ("BGR", ChannelOrder.Bgr), ("L", ChannelOrder.L));
        if (json.Flag("do_flip_channel_order", processor.FlipsChannels)) channels = ChannelOrder.Bgr;
        var count = channels == ChannelOrder.L ? 1 : 3;
        var resize = json.Flag("do_resize", json.Get("size") is not null);
        var target = resize ? Target(json, processor) : null;
        var crop = json.Flag("do_center_crop", false) ? Square(json, "crop_size") : null;
        if (processor.HasCropShare && target is ResizeTarget.ShortestEdge { Edge: var edge })
        {
            // Below 384 the picture is resized by 1/crop_pct and its middle taken, else squeezed into the square.
            var share = json.Get("crop_pct")?.AsNumber("crop_pct") ?? 224.0 / 256;
            if (share is not (> 0 and <= 1)) throw json.Get("crop_pct")!.Invalid("crop_pct", "a number above 0 and at most 1");
            if (edge < 384) (target, crop) = (new ResizeTarget.ShortestEdge((int)(edge / share)), new Size(edge, edge));
            else target = new ResizeTarget.Exact(edge, edge);
        }
        else if (processor.EnlargesBeforeCrop && target is ResizeTarget.ShortestEdge { Edge: var small }) target = new ResizeTarget.ShortestEdge((int)(256.0 / 224 * small));
        double? factor = json.Flag("do_rescale", true) ? json.Get("rescale_factor")?.AsNumber("rescale_factor") ?? 1 / 255.0 : null;
        var offset = json.Flag("rescale_offset", false) && factor is not null ? 1 : 0;
        var normalize = json.Flag("do_normalize", json.Get("image_mean") is not null);
        var mean = normalize ? json.Numbers("image_mean", count) : null;
        var deviation = normalize ? json.Numbers("image_std", count) : null;
        if (deviation?.Contains(0) == true) throw json.Get("image_std")!.Error("'image_std' holds 0, by which pictures would be divided. Valid are numbers other than 0. Correct the value.");
        var result = new Preprocessing
        {
            Resize = target, Crop = crop, RescaleFactor = factor, RescaleOffset = offset, Mean = mean, Deviation = deviation, Channels = channels,
            Resample = json.Get("resample") is { } r ? (Resample)r.AsInt("resample", 0, 5) : Resample.Bilinear,
            NormalizesTwice = json.Flag("include_top", processor.NormalizesTwice),
            ChannelsLast = json.Choice("layout", false, ("NCHW", false), ("NHWC", true)),
            PadWidthTo = json.Get("pad_width_to_multiple_of")?.AsInt("pad_width_to_multiple_of", 1, LongestSide) ?? 1,
            PadTo = Padding(json, processor),
            PadValue = (float)(json.Get("pad_value_after_normalize")?.AsNumber("pad_value_after_normalize") ?? 0),
        };
        json.RefuseOthers();
        return result;
    }

    private static ResizeTarget Target(Keys json, Processor processor)
    {
        const string valid = "{ \"shortest_edge\": n }, { \"longest_edge\": n }, both of them, { \"height\": n, \"width\": n } or { \"max_height\": n, \"max_width\": n }";
        var value = json.Get("size") ?? throw json.Root.Error($"'size' is missing. Valid is {valid}. Add it.");
        var longest = json.Get("max_size")?.AsInt("max_size", 1, LongestSide);
        if (value.Kind == JsonTokenType.Number)
        {
            var edge = value.AsInt("size", 1, LongestSide);
            if (longest is { } limit) return new ResizeTarget.BothEdges(edge, limit);
            var shortest = !json.FlagOrNull("default_to_square") ?? processor.NumberIsShortest
                ?? throw value.Error($"'size' is the number {edge}, which is the shorter side for some processors and both sides for others. Write {{ \"shortest_edge\": {edge} }} or {{ \"height\": {edge}, \"width\": {edge} }}.");
            return shortest ? new ResizeTarget.ShortestEdge(edge) : new ResizeTarget.Exact(edge, edge);
        }
        if (value.Kind == JsonTokenType.StartArray && value.Items.Count == 2) return new ResizeTarget.Exact(value.Items[0].AsInt("size", 1, LongestSide), value.Items[1].AsInt("size", 1, LongestSide));
        var parts = (value.Kind == JsonTokenType.StartObject ? value.Members : throw value.Invalid("size", valid)).Where(m => m.Value.Kind != JsonTokenType.Null)
            .ToDictionary(m => m.Key.Text, m => m.Value.AsInt(m.Key.Text, 1, LongestSide), StringComparer.Ordinal);
        if (longest is { } max && parts.Count == 1) parts.TryAdd("longest_edge", max);
        return (parts.Count, Part("shortest_edge"), Part("longest_edge"), Part("height"), Part("width"), Part("max_height"), Part("max_width")) switch
        {
            (1, { } edge, null, _, _, _, _) => new ResizeTarget.ShortestEdge(edge),
            (1, null, { } edge, _, _, _, _) => new ResizeTarget.LongestEdge(edge),
            (2, { } edge, { } limit, _, _, _, _) => new ResizeTarget.BothEdges(edge, limit),
            (2, _, _, { } height, { } width, _, _) => new ResizeTarget.Exact(height, width),
            (2, _, _, _, _, { } height, { } width) => new ResizeTarget.Within(height, width),
            _ => throw value.Invalid("size", valid),
        };

        int? Part(string key) => parts.TryGetValue(key, out var number) ? number : null;
    }

    private static Size Square(Keys json, string key)
    {
        const string valid = "{ \"height\": n, \"width\": n }, or one number for both";
        var value = json.Get(key) ?? throw json.Root.Error($"'{key}' is missing. Valid is {valid}. Add it.");
        if (value.Kind == JsonTokenType.Number) return new(value.AsInt(key, 1, LongestSide), value.AsInt(key, 1, LongestSide));
        var parts = (value.Kind == JsonTokenType.StartObject ? value.Members : throw value.Invalid(key, valid)).Where(m => m.Value.Kind != JsonTokenType.Null)
            .ToDictionary(m => m.Key.Text, m => m.Value.AsInt(m.Key.Text, 1, LongestSide), StringComparer.Ordinal);
        return parts.Count == 2 && parts.TryGetValue("height", out var height) && parts.TryGetValue("width", out var width) ? new(height, width) : throw value.Invalid(key, valid);
    }

    private static Size? Padding(Keys json, Processor processor)
    {
        if (!json.Flag("do_pad", false))
        {
            json.Get("pad_size");
            json.Get("size_divisor");
            return null;
        }
        if (processor.PadsToBatch) return json.Get("pad_size") is null ? null : Square(json, "pad_size");
        throw json.Get("do_pad")!.Error("the step 'do_pad' is asked for, and what this processor pads is not known, so the model would see other pictures than in training. Known are the detectors of the Detr family and Sam. Store the finished arrays as .npz instead.");
    }

    /// <summary>The members of the file, and which of them were understood.</summary>
    private sealed class Keys(PositionedJson root)
    {
        private readonly Dictionary<string, PositionedJson> values = root.AsObject("the file").ToDictionary(m => m.Key.Text, m => m.Value, StringComparer.Ordinal);
        private readonly HashSet<string> used = new(Harmless, StringComparer.Ordinal);

        public PositionedJson Root { get; } = root;

        public PositionedJson? Get(string key)
        {
            used.Add(key);
            return values.TryGetValue(key, out var value) && value.Kind != JsonTokenType.Null ? value : null;
        }

        public bool Flag(string key, bool absent) => FlagOrNull(key) ?? absent;

        public bool? FlagOrNull(string key) => Get(key)?.AsBool(key);

        public T Choice<T>(string key, T absent, params (string Name, T Value)[] choices)
        {
            if (Get(key) is not { } value) return absent;
            foreach (var (name, choice) in choices)
                if (value.AsString(key) == name) return choice;
            throw value.Invalid(key, "one of " + string.Join(", ", choices.Select(c => c.Name)));
        }

        public float[] Numbers(string key, int count)
        {
            var value = Get(key) ?? throw Root.Error($"'{key}' is missing. Valid is an array of {count} numbers. Add it.");
            var numbers = value.Kind == JsonTokenType.Number ? Enumerable.Repeat((float)value.AsNumber(key), count).ToArray() : value.Items.Select(i => (float)i.AsNumber(key)).ToArray();
            return numbers.Length == count ? numbers : throw value.Error($"'{key}' holds {numbers.Length} numbers. Valid is one per channel: {count}. Correct the value.");
        }

        /// <summary>What is asked for and not known would give the model other pictures than in training.</summary>
        public void RefuseOthers()
        {
            // Details of steps that are off, or that are looked at only where they apply.
            used.UnionWith(["size", "crop_size", "crop_pct", "image_mean", "image_std", "resample", "rescale_factor", "max_size"]);
            foreach (var (name, value) in Root.Members)
            {
                var key = name.Text;
                if (used.Contains(key) || key.StartsWith('_') || value.Kind is JsonTokenType.False or JsonTokenType.Null || key == "ensure_multiple_of" && value.Text == "1") continue;
                throw name.Error($"the {(value.Kind == JsonTokenType.True ? "step" : "key")} '{key}' is not known, so the model might see other pictures than in training. Known are {Supported}. Remove it if it does not change pictures; else store the finished arrays as .npz instead.");
            }
        }
    }
}
