using System.Globalization;

namespace CompressOnBuild.Reporting;

/// <summary>How numbers are spelled for people: in the build's summary line and in the reports. Invariant culture.</summary>
internal static class Figures
{
    /// <summary>Decimal units, one decimal: <c>14.0 MB</c>, <c>26.5 kB</c>, <c>512 B</c>.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        >= 999_950_000 => Text($"{bytes / 1e9:0.0} GB"),
        >= 999_950 => Text($"{bytes / 1e6:0.0} MB"),
        >= 1000 => Text($"{bytes / 1e3:0.0} kB"),
        _ => Text($"{bytes} B"),
    };

    /// <summary><c>26.6 %</c>; a dash where <paramref name="whole"/> is 0.</summary>
    public static string Share(long part, long whole) => whole > 0 ? Text($"{100.0 * part / whole:0.0} %") : "–";

    /// <summary><c>11.2 s</c>, <c>2 min 05 s</c>.</summary>
    public static string Seconds(double seconds) => seconds < 119.95 ? Text($"{seconds:0.0} s") : Text($"{(long)seconds / 60} min {(long)seconds % 60:00} s");

    /// <summary><c>2.1x faster</c>, <c>1.1x slower</c>, <c>same speed</c> (within 5 %: less is noise).</summary>
    public static string Speed(double speedup) => !double.IsFinite(speedup) || speedup <= 0 ? "speed unknown"
        : speedup >= 1.05 ? Text($"{speedup:0.0}x faster")
        : speedup > 1 / 1.05 ? "same speed" : Text($"{1 / speedup:0.0}x slower");

    /// <summary>Large counts, grouped: <c>3,504,872</c>.</summary>
    public static string Count(long count) => Text($"{count:N0}");

    /// <summary>Milliseconds with three significant digits.</summary>
    public static string Milliseconds(double ms) => Text($"{ms.ToString(ms >= 100 ? "0" : ms >= 10 ? "0.0" : ms >= 1 ? "0.00" : "0.000", CultureInfo.InvariantCulture)} ms");

    /// <summary><c>512×1024</c>; <c>scalar</c> for rank 0.</summary>
    public static string Shape(IReadOnlyList<long> shape) => shape.Count == 0 ? "scalar" : string.Join("×", shape.Select(d => d.ToString(CultureInfo.InvariantCulture)));

    /// <summary>Up to two decimals, no trailing zeros.</summary>
    public static string Number(double value) => double.IsFinite(value) ? Text($"{value:0.##}") : "–";

    public static string Text(FormattableString text) => FormattableString.Invariant(text);
}
