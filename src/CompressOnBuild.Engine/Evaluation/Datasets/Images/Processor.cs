namespace CompressOnBuild.Evaluation.Datasets.Images;

/// <summary>
/// What the name of a Hugging Face image processor says beyond its keys: defaults, and steps that have no key. <paramref name="Name"/>:
/// without <c>ImageProcessor</c>, <c>FeatureExtractor</c> and <c>Fast</c>; null where the file names none.
/// </summary>
internal sealed record Processor(string? Name)
{
    // A number as size is the shorter side for these, and both sides for those.
    private static readonly HashSet<string> NumberIsShorterSide = new(StringComparer.Ordinal)
    {
        "Bit", "CLIP", "ConditionalDetr", "ConvNext", "DeformableDetr", "Detr", "Levit", "MobileNetV1", "MobileNetV2", "MobileViT",
    };
    private static readonly HashSet<string> NumberIsBothSides = new(StringComparer.Ordinal)
    {
        "Beit", "Blip", "DeiT", "DPT", "EfficientFormer", "EfficientNet", "Flava", "Segformer", "ViT",
    };
    // They pad pictures to the size of the batch's largest, which one picture alone has already, or to pad_size.
    private static readonly HashSet<string> PadToBatch = new(StringComparer.Ordinal) { "ConditionalDetr", "DeformableDetr", "Detr", "GroundingDino", "RTDetr", "Sam" };
    private static readonly HashSet<string> Others = new(StringComparer.Ordinal)
    {
        "Glpn", "GLPN", "Idefics", "Idefics2", "Idefics3", "ImageGPT", "LayoutLMv2", "Mask2Former", "MaskFormer", "OneFormer", "Perceiver", "Pix2Struct", "PoolFormer",
        "Qwen2VL", "Swin2SR", "Tvlt", "Vilt", "Yolos",
    };

    public static Processor Of(string? type)
    {
        if (type is null) return new((string?)null);
        foreach (var suffix in new[] { "Fast", "ImageProcessor", "FeatureExtractor" })
            if (type.EndsWith(suffix, StringComparison.Ordinal)) type = type[..^suffix.Length];
        return new(type.Length == 0 ? null : type);
    }

    /// <summary>Whether it does something with pictures that no key says and that is not done here.</summary>
    public bool IsUnsupported => Name is not null && Others.Contains(Name);
    /// <summary>Whether a <c>size</c> that is one number is the shorter side (true) or both sides (false); null if that is unknown.</summary>
    public bool? NumberIsShortest => Name is null ? null : NumberIsShorterSide.Contains(Name) ? true : NumberIsBothSides.Contains(Name) ? false : null;
    /// <summary>Whether <c>do_pad</c> leaves a single picture as it is, or fills it up to <c>pad_size</c>.</summary>
    public bool PadsToBatch => Name is not null && PadToBatch.Contains(Name);
    /// <summary>Whether <c>shortest_edge</c> and <c>crop_pct</c> mean resize and crop.</summary>
    public bool HasCropShare => Name == "ConvNext";
    /// <summary>Whether <c>shortest_edge</c> is enlarged by 256/224 before the crop.</summary>
    public bool EnlargesBeforeCrop => Name == "Levit";
    /// <summary>Whether channels are turned around unless a key says otherwise.</summary>
    public bool FlipsChannels => Name == "MobileViT";
    /// <summary>Whether the deviation divides a second time unless a key (<c>include_top</c>) says otherwise.</summary>
    public bool NormalizesTwice => Name == "EfficientNet";
}
