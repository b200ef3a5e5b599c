using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>A tokenizer and the files it came from: <c>tokenizer.json</c>, else <c>vocab.txt</c>, named by 'Preprocessing', or in the data's
/// folder, or beside the model; and <c>tokenizer_config.json</c> beside it.</summary>
internal sealed record TokenizerFile(string Path, TextTokenizer Tokenizer, IReadOnlyList<string> Files, IReadOnlyList<string> Absent)
{
    private const string Json = "tokenizer.json", Vocabulary = "vocab.txt", Config = "tokenizer_config.json";

    public static TokenizerFile Find(string data, DatasetContext context)
    {
        var absent = new List<string>();
        if (context.Preprocessing is { } given)
            return File.Exists(given) ? Load(given, absent) : throw new CompressionException(Codes.TokenizerMissing, $"the file of 'Preprocessing' does not exist. Valid is the path of a {Json} or {Vocabulary}, relative to the project. Correct the path.", given);
        foreach (var folder in new[] { System.IO.Path.GetDirectoryName(data), context.ModelFolder })
            foreach (var name in new[] { Json, Vocabulary })
            {
                if (folder is null) continue;
                var path = System.IO.Path.Combine(folder, name);
                if (File.Exists(path)) return Load(path, absent);
                absent.Add(path);
            }
        throw new CompressionException(Codes.TokenizerMissing, $"the model takes token ids and the data holds texts, but nothing says how they are cut into tokens. Valid is a {Json} or {Vocabulary} in the data's folder, beside the model, or named by 'Preprocessing'. Add it.", data);
    }

    private static TokenizerFile Load(string path, List<string> absent)
    {
        var beside = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path)!, Config);
        var files = new List<string> { path };
        (File.Exists(beside) ? files : absent).Add(beside);
        var config = files.Count > 1 ? TokenizerConfig.Load(beside) : new();
        var tokenizer = System.IO.Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".json" => TokenizerJson.Load(path, config),
            ".txt" => VocabTxt.Load(path, config),
            _ => throw new CompressionException(Codes.TokenizerInvalid, $"'{System.IO.Path.GetFileName(path)}' is no tokenizer. Valid is a {Json} or {Vocabulary}. Correct 'Preprocessing'.", path),
        };
        return new(path, tokenizer, files, absent);
    }
}
