using CompressOnBuild.Diagnostics;
using CompressOnBuild.Onnx;

namespace CompressOnBuild.Evaluation.Datasets.Tables;

/// <summary>
/// How columns become inputs: evaluation.json names one or several for an input; else the column of the input's name; else, where there is one
/// input only, all columns but the label feed it in their order. Several columns fill the input row-major as one sample, so [1, n] for n of them.
/// </summary>
internal sealed class TableInputs
{
    private readonly List<(ModelValue Input, IReadOnlyList<string> Columns)> inputs = [];

    /// <param name="open">The inputs that the table has to feed.</param>
    /// <param name="takesAll">Whether all columns feed the only input where nothing else is said.</param>
    /// <param name="named">evaluation.json's columns of each input.</param>
    /// <param name="table">The table.</param>
    /// <param name="label">The column of the labels, or null.</param>
    /// <exception cref="CompressionException">COB1107, COB1108: a column is missing, or the columns do not fit the input.</exception>
    public TableInputs(IReadOnlyList<ModelValue> open, bool takesAll, IReadOnlyDictionary<string, IReadOnlyList<string>> named, ITable table, string? label)
    {
        foreach (var input in open)
        {
            IReadOnlyList<string> columns = named.TryGetValue(input.Name, out var given) ? given : table.Has(input.Name) ? [input.Name]
                : takesAll ? [.. table.Columns.Where(c => c != label)] : [input.Name];
            if (columns.FirstOrDefault(c => !table.Has(c)) is { } missing)
                throw new CompressionException(Codes.InputMissing, $"the model's input '{input.Name}' has no column '{missing}'. The columns are {string.Join(", ", table.Columns.Take(20).Select(c => $"'{c}'"))}{(table.Columns.Count > 20 ? ", …" : "")}; the model takes {InputCheck.Names(open)}. {(input.Name == "input_ids" ? "Texts stand in a column 'text'. " : "")}Name each column as its input, or name the columns in evaluation.json: {{ \"inputs\": {{ \"<input>\": [\"<column>\", …] }} }}.", table.Path, table.HeadLine, 1);
            if (!TensorText.Supports(input.ElementType))
                throw new CompressionException(Codes.InputMismatch, $"the model's input '{input.Name}' is {input}, which no table can feed. Valid are numbers and booleans. Export the model with numeric inputs.", table.Path);
            if (columns.Count == 0)
                throw new CompressionException(Codes.InputMissing, $"there is no column for the model's input '{input.Name}'. Valid is at least one besides the label. Add it.", table.Path, table.HeadLine, 1);
            inputs.Add((input, columns));
        }
    }

    /// <summary>The columns that feed inputs.</summary>
    public IEnumerable<string> Columns => inputs.SelectMany(i => i.Columns);

    public void Read(ITableRow row, Dictionary<string, Tensor> values)
    {
        foreach (var (input, columns) in inputs) values[input.Name] = Read(row, input, columns);
    }

    private static Tensor Read(ITableRow row, ModelValue input, IReadOnlyList<string> columns)
    {
        var cells = columns.Select(c => row[c]).ToList();
        if (cells is [{ Scalar: null, Json.Kind: System.Text.Json.JsonTokenType.StartArray } only])
        {
            var (shape, values) = JsonArray.Flatten(only.Json, only.Column);
            var fitting = input.Shape is null ? [1, .. shape] : InputCheck.Fits(input, shape) ? shape : InputCheck.Fits(input, [1, .. shape]) ? [1, .. shape] : shape.Length == 1 ? Shape(input, shape[0]) : null;
            if (fitting is null) throw Misfit(only, $"has the shape [{string.Join(",", shape)}]");
            return TensorText.Create(input, fitting, JsonArray.Texts(values), (i, valid) => values[i].Invalid(only.Column, valid));
        }
        var filled = Shape(input, cells.Count) ?? throw Misfit(cells[0], $"and the columns after it are {cells.Count} numbers");
        return TensorText.Create(input, filled, cells.ConvertAll(c => Number(c, input)), (i, valid) =>
            cells[i].Error(Codes.TableInvalid, $"'{cells[i].Column}' is {cells[i].Shown}. Valid for the model's input '{input.Name}' ({input}) is {valid}. Correct the value, or say in evaluation.json which columns feed which input."));

        CompressionException Misfit(TableCell cell, string what) => cell.Error(Codes.InputMismatch,
            $"the value of '{cell.Column}' {what} but the model's input '{input.Name}' is {input}. Valid are values that fill it as one sample. Correct them, or say in evaluation.json which columns feed which input: {{ \"inputs\": {{ \"{input.Name}\": [\"<column>\", …] }} }}.");
    }

    // Tables write truth values as words also where the model takes numbers, and as numbers where it takes truth values.
    private static string? Number(TableCell cell, ModelValue input) => cell.Scalar switch
    {
        null => null,
        "1" when input.ElementType == ElementType.Bool => "true",
        "0" when input.ElementType == ElementType.Bool => "false",
        var text when input.ElementType != ElementType.Bool && bool.TryParse(text, out var truth) => truth ? "1" : "0",
        var text => text,
    };

    /// <summary>The shape in which <paramref name="count"/> numbers fill an input as one sample, or null: a dynamic first dimension is the
    /// batch, one other dynamic dimension takes what is left.</summary>
    internal static long[]? Shape(ModelValue input, long count)
    {
        if (input.Shape is null) return [1, count];
        var shape = input.Shape.Select(d => d ?? -1).ToArray();
        if (shape.Length > 1 && shape[0] < 0) shape[0] = 1;
        long known = 1;
        foreach (var d in shape.Where(d => d >= 0))
        {
            if (d > count) return null;
            known *= d;
            if (known > count) return null;
        }
        var unknown = Array.IndexOf(shape, -1);
        if (unknown >= 0)
        {
            if (known == 0 || count % known != 0 || Array.IndexOf(shape, -1, unknown + 1) >= 0) return null;
            shape[unknown] = count / known;
            return shape;
        }
        return known == count ? shape : null;
    }
}
