using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Images;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>A folder of pictures. The picture feeds the one input that has no fixed value in evaluation.json.</summary>
internal sealed class ImageDataset : IDataset
{
    private const string PreprocessingFile = "preprocessor_config.json";

    private readonly LabelledFolder folder;
    private readonly Preprocessing preprocessing;
    private readonly string preprocessingPath;
    private readonly List<string> absent = [];
    private readonly Dictionary<string, Tensor> constants;
    private readonly ModelValue input;

    public ImageDataset(LabelledFolder folder, DatasetContext context)
    {
        this.folder = folder;
        Configuration = DataFiles.Configuration(null, Path, context);
        constants = InputCheck.Fixed(Configuration, context);
        input = InputCheck.Single(context, constants, "pictures", Path);
        preprocessingPath = PreprocessingPath(context);
        preprocessing = Preprocessing.Load(preprocessingPath);
        Warnings = folder.Warnings;
    }

    public string Path => folder.Path;
    public int Count => folder.Samples.Count;
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings { get; }
    public IReadOnlyList<string>? ClassNames => folder.ClassNames;
    public LabelKind LabelKind => folder.LabelKind;
    public IReadOnlyList<string> Folders => folder.Folders;
    public IReadOnlyList<string> Absent => [.. Configuration.Absent, .. absent];
    public byte[] ConfigurationHash => DataFiles.Hash([preprocessingPath, .. Configuration.Files]);
    public IReadOnlyList<string> Files => DataFiles.Sorted([.. folder.Files, preprocessingPath, .. Configuration.Files]);

    public string Id(int index) => folder.Samples[index].Id;

    public (string File, int Line) LabelPlace(int index) => folder.LabelPlace(index);
    public Label? Label(int index) => folder.Label(index);

    public ReadOnlyMemory<byte>? Thumbnail(int index) => DataFiles.Reading(folder.FileOf(index), () => Images.Thumbnail.Of(ImageDecoder.Decode(folder.FileOf(index))));

    public Sample Read(int index) => Read(index, passing: false);

    public IEnumerable<Sample> PassingRuns(int index) => [Read(index, passing: true)];

    private Sample Read(int index, bool passing)
    {
        var file = folder.FileOf(index);
        var values = new Dictionary<string, Tensor>(constants, StringComparer.Ordinal) { [input.Name] = DataFiles.Reading(file, () => ImagePipeline.Run(file, preprocessing, input, passing)) };
        return new(Id(index), values, Label(index));
    }

    public byte[] ContentHash(int index) => folder.ContentHash(index);

    public void Dispose() { }

    private string PreprocessingPath(DatasetContext context)
    {
        if (context.Preprocessing is { } given)
            return File.Exists(given) ? given : throw new CompressionException(Codes.PreprocessingMissing, "the file of 'Preprocessing' does not exist. Valid is the path of a preprocessor_config.json, relative to the project. Correct the path.", given);
        foreach (var place in new[] { Path, context.ModelFolder })
        {
            if (place is null) continue;
            var file = System.IO.Path.Combine(place, PreprocessingFile);
            if (File.Exists(file)) return file;
            absent.Add(file);
        }
        throw new CompressionException(Codes.PreprocessingMissing, $"nothing says how these pictures become the model's input. Valid is a {PreprocessingFile}, as Hugging Face writes it, in this folder, beside the model, or named by 'Preprocessing'. Add it.", Path);
    }
}
