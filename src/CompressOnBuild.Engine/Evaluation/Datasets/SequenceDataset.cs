using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Sounds;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>
/// A folder of recorded sequences for stateful models, each file one sample: an .npz whose arrays have one row per step, for every input that
/// is no state of evaluation.json's <c>states</c>, or a .wav that is cut into frames. Labels: <c>labels</c> in the .npz with one row per step
/// or one for the whole; labels.csv or class folders for the whole. The label of a whole sequence is judged at its last step.
/// </summary>
internal sealed class SequenceDataset : IDataset
{
    private readonly LabelledFolder folder;
    private readonly DatasetContext steps;
    private readonly int[] lengths;
    private readonly Dictionary<string, Tensor> constants;
    private readonly ModelValue? wave;
    private readonly SoundSettings settings;

    public SequenceDataset(LabelledFolder folder, EvaluationConfiguration configuration, DatasetContext context)
    {
        this.folder = folder;
        Configuration = configuration;
        constants = InputCheck.Fixed(configuration, context);
        Recurrence = Recurrence.Of(configuration, context);
        steps = context with { Inputs = [.. context.Inputs.Where(i => !configuration.States.ContainsKey(i.Name))], AreSteps = true };
        settings = configuration.Audio;
        Warnings = folder.Warnings;
        LabelKind = folder.LabelKind;
        lengths = new int[folder.Samples.Count];
        if (folder.Kind == FileKind.Sounds)
        {
            wave = InputCheck.Single(steps, constants, "recordings", Path);
            if (Waveform.FixedLength(wave, Path) is { } wanted && wanted != settings.Frame)
                throw new CompressionException(Codes.SoundMismatch, $"'frame' is {settings.Frame} but the model's input '{wave.Name}' is {wave}. Valid is {wanted}. Correct 'frame' in evaluation.json's 'audio'.", configuration.Files.FirstOrDefault());
            if (settings.SampleRate is null) settings = settings with { SampleRate = Wave(0).Rate };
            return;
        }
        for (var i = 0; i < lengths.Length; i++)
        {
            using var sequence = Open(i);
            lengths[i] = sequence.Count;
            if (i == 0) Warnings = [.. folder.Warnings, .. sequence.Warnings];
            if (folder.LabelKind != LabelKind.None) continue;
            if (i > 0 && sequence.LabelKind != LabelKind)
                throw new CompressionException(Codes.LabelsInvalid, $"the labels of '{Id(i)}' are of the kind {sequence.LabelKind}, those of '{Id(0)}' of the kind {LabelKind}. All sequences have labels of one kind, or none. Correct the files.", Path);
            LabelKind = sequence.LabelKind;
        }
    }

    public string Path => folder.Path;
    public int Count => lengths.Length;
    public EvaluationConfiguration Configuration { get; }
    public Recurrence? Recurrence { get; }
    public IReadOnlyList<Diagnostic> Warnings { get; }
    public IReadOnlyList<string>? ClassNames => folder.ClassNames;
    public LabelKind LabelKind { get; }
    public IReadOnlyList<string> Folders => folder.Folders;
    public byte[] ConfigurationHash => DataFiles.Hash(Configuration.Files);
    public IReadOnlyList<string> Files => DataFiles.Sorted([.. folder.Files, .. Configuration.Files]);

    public string Id(int index) => folder.Samples[index].Id;

    public Label? Label(int index) => folder.Label(index);

    public (string File, int Line) LabelPlace(int index) => folder.LabelKind == LabelKind.None ? (folder.FileOf(index), 0) : folder.LabelPlace(index);

    /// <summary>The first step, whose states are missing: a sequence has no inputs of its own.</summary>
    public Sample Read(int index) => Runs(index).First();

    public int RunCount(int index) => wave is null ? lengths[index] : Frames(Wave(index).Samples, index);

    public IEnumerable<Sample> Runs(int index)
    {
        var runs = wave is null ? Rows(index) : Cut(index);
        return Label(index) is { } label ? WithLast(runs, label) : runs;
    }

    /// <summary>Of the file's bytes: labels that are in it are part of it.</summary>
    public byte[] ContentHash(int index) => folder.ContentHash(index);

    public void Dispose() { }

    private ArrayDataset Open(int index) => DataFiles.Reading(folder.FileOf(index), () => ArrayDataset.OfNpz(folder.FileOf(index), steps));

    private IEnumerable<Sample> Rows(int index)
    {
        using var sequence = Open(index);
        for (var i = 0; i < sequence.Count; i++) yield return sequence.Read(i) with { Id = StepId(index, i), IsStep = true };
    }

    private (float[] Samples, int Rate) Wave(int index) => DataFiles.Reading(folder.FileOf(index), () => WavFile.Read(folder.FileOf(index), settings));

    private IEnumerable<Sample> Cut(int index)
    {
        var samples = Wave(index).Samples;
        int frame = settings.Frame!.Value, hop = settings.Hop ?? frame, count = Frames(samples, index);
        for (var i = 0; i < count; i++)
        {
            var values = new float[frame];
            var from = (int)((long)i * hop - settings.Lead);
            var skipped = Math.Min(frame, Math.Max(0, -from));
            if (skipped < frame) samples.AsSpan(from + skipped, frame - skipped).CopyTo(values.AsSpan(skipped));
            yield return new(StepId(index, i), new Dictionary<string, Tensor>(constants, StringComparer.Ordinal) { [wave!.Name] = Waveform.ToTensor(values, wave, folder.FileOf(index)) }, null) { IsStep = true };
        }
    }

    private int Frames(float[] samples, int index)
    {
        int frame = settings.Frame!.Value, hop = settings.Hop ?? frame;
        var count = (int)(((long)settings.Lead + samples.Length - frame) / hop + 1);
        return settings.Lead + (long)samples.Length >= frame ? count
            : throw new CompressionException(Codes.SoundMismatch, $"the recording has {samples.Length} samples but 'frame' in evaluation.json's 'audio' is {frame}. Valid are recordings of one frame or more. Remove it, or correct 'frame'.", folder.FileOf(index));
    }

    private static IEnumerable<Sample> WithLast(IEnumerable<Sample> runs, Label label)
    {
        Sample? before = null;
        foreach (var run in runs)
        {
            if (before is not null) yield return before;
            before = run with { Label = null };
        }
        if (before is not null) yield return before with { Label = label };
    }

    private string StepId(int index, int step) => $"{Id(index)}, step {step.ToString(CultureInfo.InvariantCulture)}";
}
