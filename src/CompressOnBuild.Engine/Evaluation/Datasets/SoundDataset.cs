using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Sounds;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// A folder of .wav files, each a sample: the waveform, one channel, feeds the one input that has no fixed value in evaluation.json, as
/// [n], [1,n] or [1,1,n].
/// </summary>
internal sealed class SoundDataset : IDataset
{
    private readonly LabelledFolder folder;
    private readonly Dictionary<string, Tensor> constants;
    private readonly ModelValue input;
    private readonly SoundSettings settings;
    private readonly int? length;

    public SoundDataset(LabelledFolder folder, DatasetContext context)
    {
        this.folder = folder;
        Configuration = DataFiles.Configuration(null, Path, context);
        constants = InputCheck.Fixed(Configuration, context);
        input = InputCheck.Single(context, constants, "recordings", Path);
        var fixedLength = Waveform.FixedLength(input, Path);
        length = Configuration.Audio.Length ?? fixedLength;
        // Recordings of several rates are not one data set: without a word about it the first says which rate is meant.
        settings = Configuration.Audio.SampleRate is not null ? Configuration.Audio
            : Configuration.Audio with { SampleRate = DataFiles.Reading(folder.FileOf(0), () => WavFile.Read(folder.FileOf(0), Configuration.Audio)).Rate };
    }

    public string Path => folder.Path;
    public int Count => folder.Samples.Count;
    public EvaluationConfiguration Configuration { get; }
    public IReadOnlyList<Diagnostic> Warnings => folder.Warnings;
    public IReadOnlyList<string>? ClassNames => folder.ClassNames;
    public LabelKind LabelKind => folder.LabelKind;
    public IReadOnlyList<string> Folders => folder.Folders;
    public byte[] ConfigurationHash => DataFiles.Hash(Configuration.Files);
    public IReadOnlyList<string> Files => DataFiles.Sorted([.. folder.Files, .. Configuration.Files]);

    public string Id(int index) => folder.Samples[index].Id;

    public (string File, int Line) LabelPlace(int index) => folder.LabelPlace(index);
    public Label? Label(int index) => folder.Label(index);

    public Sample Read(int index)
    {
        var file = folder.FileOf(index);
        var samples = DataFiles.Reading(file, () => WavFile.Read(file, settings)).Samples;
        if (length is { } wanted) samples = settings.Fit(samples, wanted, file);
        return new(Id(index), new Dictionary<string, Tensor>(constants, StringComparer.Ordinal) { [input.Name] = Waveform.ToTensor(samples, input, file) }, Label(index));
    }

    public byte[] ContentHash(int index) => folder.ContentHash(index);

    public void Dispose() { }
}
