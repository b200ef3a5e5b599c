using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Tables;

namespace CompressOnBuild.Evaluation.Datasets;

/// <summary>Opens data: the one place where the formats are listed.</summary>
internal static class Dataset
{
    private const string Valid = "Valid data are an .npz or .npy file, a folder of .npy files, a .csv, .tsv or .jsonl file, a folder of images or .wav files (labels.csv or one folder per class), and ONNX test_data_set_* folders.";

    /// <summary>Finds the format of <paramref name="path"/> (absolute) and checks what can be checked without reading samples.</summary>
    /// <exception cref="CompressionException">The data is not there, of no known format, damaged, or does not fit the model's inputs.</exception>
    public static IDataset Open(string path, DatasetContext context)
    {
        return DataFiles.Reading(path, () =>
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
            if (LabelledFolder.TryOpen(path) is { } folder) return folder.Kind == FileKind.Sounds ? (IDataset)new SoundDataset(folder, context) : new ImageDataset(folder, context);
            throw new CompressionException(Codes.DataFormatUnknown, $"the folder holds no data of a known format. {Valid} If it holds an .npz, .csv or .jsonl file, give the path of that file.", path);
        });
    }
}
