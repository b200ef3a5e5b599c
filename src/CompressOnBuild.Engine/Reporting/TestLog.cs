using System.Globalization;
using System.Text;
using System.Xml;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Reporting;

/// <summary>
/// JUnit XML, as build servers read it: a suite for the project, a case for the compression of each model and for each of its limits. A limit
/// that is broken is a failure with the coded message; one that the samples leave open, or that nothing was measured for, is skipped.
/// </summary>
internal static class TestLog
{
    private enum Outcome { Passed, Failed, Error, Skipped }

    private sealed record Case(string Model, string Name, double Seconds, Outcome Outcome, string Code = "", string Message = "");

    public static byte[] Write(BuildLog log)
    {
        var cases = log.Models.SelectMany(Cases).ToList();
        if (log.Diagnostics.Where(d => d.Severity == Severity.Error).ToList() is [var first, ..] errors) cases.Add(new Case(log.Name, "project", 0, Outcome.Error, first.Code, Messages(errors)));
        using var buffer = new MemoryStream();
        using (var xml = XmlWriter.Create(buffer, new XmlWriterSettings { Encoding = new UTF8Encoding(false), Indent = true, NewLineChars = "\n" }))
        {
            xml.WriteStartElement("testsuites");
            Counts(xml, cases);
            xml.WriteStartElement("testsuite");
            Attribute(xml, "name", log.Name);
            Counts(xml, cases);
            foreach (var one in cases) Write(xml, log, one);
            xml.WriteEndElement();
            xml.WriteEndElement();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static IEnumerable<Case> Cases(LoggedModel model)
    {
        var gate = model.Errors.Where(d => d.Code.StartsWith("COB40", StringComparison.Ordinal)).ToList();
        var other = model.Errors.Except(gate).ToList();
        if (model.Result is not { } result)
        {
            var errors = model.Errors.ToList();
            yield return errors.Count == 0 ? new Case(model.Name, "compression", 0, Outcome.Skipped, "", "there is no result") : new Case(model.Name, "compression", 0, Outcome.Error, errors[0].Code, Messages(errors));
            yield break;
        }
        var left = gate.ToList();
        var limits = Limits(model, result, left).ToList();
        // An error that belongs to no limit: it did not get smaller, it computes another thing without optimizations.
        // The item itself may be wrong today, whatever its last run found.
        yield return other.Count > 0 ? new Case(model.Name, "compression", result.Seconds, Outcome.Error, other[0].Code, Messages(other))
            : left.Count > 0 ? new Case(model.Name, "compression", result.Seconds, Outcome.Failed, left[0].Code, Messages(left)) : new Case(model.Name, "compression", result.Seconds, Outcome.Passed);
        foreach (var limit in limits) yield return limit;
    }

    /// <summary>A case for each limit; errors that belong to one are taken out of <paramref name="errors"/>.</summary>
    private static IEnumerable<Case> Limits(LoggedModel model, LoggedResult result, List<Diagnostic> errors)
    {
        if (result.Metrics.Count == 0)
        {
            yield return Judged("accuracy", false, Codes.LimitWithoutData, _ => true, Verdict.Unmeasured, "nothing was measured");
            yield break;
        }
        var primary = result.Metrics[0];
        if (primary.Limit is { } limit)
        {
            // The drop alone: a requirement is a case of its own.
            var verdict = primary.Confidence is { } c && c.High <= limit + 1e-9 ? Verdict.Pass : (primary with { Passed = false }).Verdict;
            var open = model.Diagnostics.FirstOrDefault(d => d.Code == Codes.Undecided)?.Message ?? "the samples do not decide";
            yield return errors.FirstOrDefault(d => d.Code == Codes.Undecided) is { } strict && errors.Remove(strict)
                ? new Case(model.Name, Accuracy(), 0, Outcome.Failed, strict.Code, strict.Message)
                : Judged(Accuracy(), verdict == Verdict.Fail, Codes.AccuracyDropped, _ => true, verdict, open);
        }
        foreach (var other in result.Metrics.Skip(1).Where(m => m.Limit is not null))
            yield return Judged($"{other.Name} at least {N(other.Original - other.Limit!.Value)}", !other.Passed, Codes.OtherOutputRuined, d => d.Message.Contains(other.Name[(other.Name.IndexOf(':') + 1)..], StringComparison.Ordinal), Verdict.Pass, "");
        foreach (var r in result.Require)
        {
            var metric = result.Metrics.FirstOrDefault(m => m.Name == r.Metric);
            var broken = metric is not null && !(r.AtLeast ? metric.Compressed >= r.Value : metric.Compressed <= r.Value);
            yield return Judged($"Require {r.Metric}{(r.AtLeast ? ">=" : "<=")}{N(r.Value)}", broken, Codes.RequirementMissed, d => broken && d.Message.StartsWith(r.Metric + " ", StringComparison.Ordinal), metric is null ? Verdict.Unmeasured : Verdict.Pass, "the metric was not measured");
        }
        if (result.MaxSize is { } size)
            yield return Judged($"MaxSize {(size.Bytes is { } b ? $"{b} bytes" : N(size.Share!.Value * 100) + " %")}", result.Compressed.ShippedBytes > (size.Bytes ?? (long)(size.Share!.Value * result.Original.Bytes)), Codes.TooLarge, _ => true, Verdict.Pass, "");
        if (result.MaxLatency is { } most)
            yield return Judged($"MaxLatency {N(most * 100)} %", result.Latency is { } l && 1 / l.SpeedupMedian > most, Codes.TooSlow, _ => true, result.Latency is null ? Verdict.Unmeasured : Verdict.Pass, "the latency was not measured");

        string Accuracy() => $"MaxAccuracyDrop {primary.Name} {N(primary.Limit!.Value)}";

        Case Judged(string name, bool broken, string code, Func<Diagnostic, bool> belongs, Verdict verdict, string why)
        {
            var error = errors.FirstOrDefault(d => d.Code == code && belongs(d));
            if (error is not null) errors.Remove(error);
            if (error is not null || broken) return new Case(model.Name, name, 0, Outcome.Failed, code, error?.Message ?? "the limit is not met");
            return verdict is Verdict.Pass ? new Case(model.Name, name, 0, Outcome.Passed) : new Case(model.Name, name, 0, Outcome.Skipped, "", why);
        }
    }

    private static string Messages(IEnumerable<Diagnostic> diagnostics) => string.Join(" ", diagnostics.Select(d => d.Message).Distinct());

    private static void Write(XmlWriter xml, BuildLog log, Case one)
    {
        xml.WriteStartElement("testcase");
        Attribute(xml, "classname", $"{log.Name}.{one.Model}");
        Attribute(xml, "name", one.Name);
        Attribute(xml, "time", one.Seconds.ToString("0.000", CultureInfo.InvariantCulture));
        var message = log.PathFree(one.Message);
        if (one.Outcome == Outcome.Skipped)
        {
            xml.WriteStartElement("skipped");
            Attribute(xml, "message", message);
            xml.WriteEndElement();
        }
        else if (one.Outcome != Outcome.Passed)
        {
            xml.WriteStartElement(one.Outcome == Outcome.Failed ? "failure" : "error");
            Attribute(xml, "type", one.Code);
            Attribute(xml, "message", message);
            xml.WriteString(ConsoleText.Line($"{one.Code}: {message}"));
            xml.WriteEndElement();
        }
        xml.WriteEndElement();
    }

    private static void Counts(XmlWriter xml, List<Case> cases)
    {
        Attribute(xml, "tests", Count(_ => true));
        Attribute(xml, "failures", Count(c => c.Outcome == Outcome.Failed));
        Attribute(xml, "errors", Count(c => c.Outcome == Outcome.Error));
        Attribute(xml, "skipped", Count(c => c.Outcome == Outcome.Skipped));
        Attribute(xml, "time", cases.Sum(c => c.Seconds).ToString("0.000", CultureInfo.InvariantCulture));
        string Count(Func<Case, bool> which) => cases.Count(which).ToString(CultureInfo.InvariantCulture);
    }

    // Servers print messages into their logs. What is visible is also what XML can hold.
    private static void Attribute(XmlWriter xml, string name, string value) => xml.WriteAttributeString(name, ConsoleText.Line(value));

    private static string N(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
