using CompressOnBuild.Diagnostics;
using CompressOnBuild.Evaluation.Datasets.Tables;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets.Texts;

/// <summary>
/// Texts of a table as the inputs of a language model: <c>input_ids</c>, and where the model takes them <c>attention_mask</c> and
/// <c>token_type_ids</c>, each [1, length] of whole numbers. The text is in the column <c>text</c>, a second one in <c>text_pair</c>, or where
/// evaluation.json says under <c>input_ids</c>.
/// </summary>
internal sealed class TextInputs
{
    private const int LongestSequence = 1 << 20;
    private const string Ids = "input_ids", Mask = "attention_mask", Types = "token_type_ids";

    private readonly List<ModelValue> inputs;
    private readonly IReadOnlyList<string> columns;
    private readonly TextTokenizer tokenizer;
    private readonly int? length;

    private TextInputs(List<ModelValue> inputs, IReadOnlyList<string> columns, TokenizerFile file)
    {
        (this.inputs, this.columns, File) = (inputs, columns, file);
        tokenizer = file.Tokenizer;
        foreach (var input in inputs)
            if (input.ElementType is not (ElementType.Int64 or ElementType.Int32) || input.Shape is { Count: not 2 } || input.Shape?[0] is not (null or 1))
                throw new CompressionException(Codes.InputMismatch, $"the model's input '{input.Name}' is {input}. Valid for texts are whole numbers (Int64 or Int32) of shape [1, length]. Export the model that way, or store the token ids as .npz.", file.Path);
        length = (int?)Math.Min(int.MaxValue, inputs.Select(i => i.Shape?[1]).FirstOrDefault(d => d is not null) ?? -1) is >= 0 and var known ? known : null;
        if (length is { } fixedLength && inputs.Any(i => i.Shape?[1] is { } other && other != fixedLength))
            throw new CompressionException(Codes.InputMismatch, $"the model's inputs {string.Join(", ", inputs.Select(i => $"'{i.Name}' {i}"))} differ in length. Valid is one length for all. Export the model again.", file.Path);
        var special = (columns.Count == 2 ? tokenizer.Pair : tokenizer.Single)?.Count(p => p.Sequence is null) ?? 0;
        if (length is { } given && (given <= special || given > LongestSequence))
            throw new CompressionException(Codes.InputMismatch, $"the model takes sequences of length {given}. Valid for this tokenizer, which adds {special} special tokens, is {special + 1} to {LongestSequence}. Export the model with another length, or store the token ids as .npz.", file.Path);
        if (length is not null && tokenizer.PadId is null)
            throw new CompressionException(Codes.TokenizerInvalid, $"the model takes sequences of length {length}, and the tokenizer names no padding token. Add 'padding' with 'pad_id' to the file, or a token [PAD] or <pad>.", file.Path);
        if (columns.Count == 2 && tokenizer.Pair is null)
            throw new CompressionException(Codes.TokenizerInvalid, $"the data has pairs of texts ('{columns[0]}', '{columns[1]}') and the tokenizer has no template for them. Give one column, or another tokenizer.", file.Path);
    }

    /// <summary>The inputs that texts feed, or null where the model or the table has none of them.</summary>
    /// <exception cref="CompressionException">COB1131 to COB1133: no tokenizer, or none that can be used.</exception>
    public static TextInputs? Of(IReadOnlyList<ModelValue> open, IReadOnlyDictionary<string, IReadOnlyList<string>> named, ITable table, DatasetContext context)
    {
        if (!open.Any(i => i.Name == Ids)) return null;
        IReadOnlyList<string> columns = named.TryGetValue(Ids, out var given) ? given
            : table.Has(Ids) || !table.Has("text") ? [] : table.Has("text_pair") ? ["text", "text_pair"] : ["text"];
        if (columns.Count is not (1 or 2) || !columns.All(table.Has) || columns.Any(c => table.Row(0)[c].Text is null)) return null;
        var file = TokenizerFile.Find(table.Path, context);
        return new([.. open.Where(i => i.Name is Ids or Mask or Types)], columns, file);
    }

    public TokenizerFile File { get; }
    public IEnumerable<ModelValue> Inputs => inputs;
    public IEnumerable<string> Columns => columns;

    public void Read(ITableRow row, Dictionary<string, Tensor> values)
    {
        var encoded = tokenizer.Encode(Text(row[columns[0]]), columns.Count == 2 ? Text(row[columns[1]]) : null, length);
        foreach (var input in inputs)
        {
            var numbers = input.Name switch { Ids => encoded.Ids, Mask => encoded.Mask, _ => encoded.Types };
            long[] shape = [1, numbers.Length];
            values[input.Name] = input.ElementType == ElementType.Int64 ? Tensor.Create(numbers, shape) : Tensor.Create(Array.ConvertAll(numbers, n => (int)n), shape);
        }
    }

    private string Text(TableCell cell)
    {
        var text = cell.Text ?? throw cell.Error(Codes.TableInvalid, $"'{cell.Column}' is {cell.Shown}. Valid is a text. Correct the value.");
        return tokenizer.Model is Microsoft.ML.Tokenizers.BpeTokenizer && ByteLevelBpe.IsUnsupported(text)
            ? throw cell.Error(Codes.TokenizerUnsupported, $"'{cell.Column}' holds a letter or a number beyond Unicode's basic plane, which would be cut otherwise than in training. Remove the sample, or store the token ids as .npz or .jsonl.") : text;
    }
}
