using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Tables;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>Opens data: the one place where the formats are listed.</summary>
internal static class Dataset
{
    private const string Valid = "Valid data are an .npz or .npy file, a folder of .npy files, a .csv, .tsv or .jsonl file, a folder of images or .wav files (labels.csv or one folder per class), a folder of recorded sequences (.npz, 'states' in evaluation.json), and ONNX test_data_set_* folders.";

    /// <summary>Finds the format of <paramref name="path"/> (absolute) and checks what can be checked without reading samples.</summary>
    /// <exception cref="CompressionException">The data is not there, of no known format, damaged, or does not fit the model's inputs.</exception>
    public static IDataset Open(string path, DatasetContext context)
    {
        return DataFiles.Reading<IDataset>(path, () =>
        {
            if (File.Exists(path))
                return Path.GetExtension(path).Equals(".npz", StringComparison.OrdinalIgnoreCase) ? ArrayDataset.OfNpz(path, context)
                    : NpyFiles.IsNpy(path) ? ArrayDataset.OfNpy(path, context)
                    : TableDataset.TryOpen(path, context) is { } table ? table
                    : throw new CompressionException(Codes.DataFormatUnknown, $"'{Path.GetFileName(path)}' is a file of no known data format. {Valid} Convert it to .npz: one array per model input, named as the input.", path);
            if (!Directory.Exists(path))
                throw new CompressionException(Codes.DataNotFound, "the data set does not exist. It is a file or folder relative to the project. Correct the path of EvaluationData or CalibrationData.", path);
            if (TestDataSets.TryOpen(path, context) is { } test) return test;
            if (ArrayDataset.TryOfFolder(path, context) is { } arrays) return arrays;
            if (LabelledFolder.TryOpen(path) is { } folder)
            {
                var configuration = DataFiles.Configuration(null, path, context);
                if (folder.Kind == FileKind.Pictures) return new ImageDataset(folder, context);
                if (folder.Kind == FileKind.Sounds && configuration.Audio.Frame is null) return new SoundDataset(folder, context);
                if (folder.Kind == FileKind.Sounds || configuration.States.Count > 0) return new SequenceDataset(folder, configuration, context);
                throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds .npz files such as '{folder.Samples[0].Id}'. Valid is the path of one such file, or a folder of recorded sequences, whose evaluation.json says what one run leaves to the next: {{ \"states\": {{ \"<input>\": \"<output>\" }} }}. Give the path of the file, or the states.", path);
            }
            throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds no data of a known format. {Valid} If it holds an .npz, .csv or .jsonl file, give the path of that file.", path);
        });
    }
}
