using CompressOnBuild.Onnx;
using CompressOnBuild.Runtime;
using Microsoft.VisualStudio.TestTools.UnitTesting;

namespace CompressOnBuild.Testing;

/// <summary>Runs two models on the same seeded inputs and compares every output.</summary>
public static class Equivalence
{
    /// <summary>
    /// Fails unless both models give outputs of the same names, types and shapes whose elements differ by at most <paramref name="tolerance"/> times the
    /// largest magnitude of that output. Dynamic dimensions take the values of <paramref name="dynamic"/> in turn (2 where it is used up).
    /// </summary>
    public static void Holds(Model expected, Model actual, double tolerance = 2e-6, long[]? dynamic = null, int seed = 1, Dictionary<string, Tensor>? given = null)
    {
        using var left = new Session(expected, new SessionSettings("original", Optimize: false));
        using var right = new Session(actual, new SessionSettings("rewritten", Optimize: false));
        using var fast = new Session(actual, new SessionSettings("optimized"));
        var inputs = Inputs(left, dynamic ?? [], seed, given ?? []);
        var reference = left.Run(inputs);
        CollectionAssert.AreEqual(left.Outputs.Select(o => o.Name).ToArray(), right.Outputs.Select(o => o.Name).ToArray());
        foreach (var session in new[] { right, fast })
        {
            var found = session.Run(inputs);
            for (var i = 0; i < reference.Length; i++) Same(reference[i], found[i], tolerance, left.Outputs[i].Name);
        }
    }

    /// <summary>Seeded inputs for every input of a session: floats around 0, integers 0 or 1, booleans true.</summary>
    internal static Dictionary<string, Tensor> Inputs(Session session, long[] dynamic, int seed, Dictionary<string, Tensor> given)
    {
        var result = new Dictionary<string, Tensor>(given);
        var next = 0;
        foreach (var port in session.Inputs)
        {
            if (result.ContainsKey(port.Name)) continue;
            long[] shape = [.. port.Shape.Select(d => d >= 0 ? d : next < dynamic.Length ? dynamic[next++] : 2)];
            var floats = ModelBuilder.Random(seed++, 1, shape);
            var values = floats.AsSpan<float>().ToArray();
            result.Add(port.Name, port.ElementType switch
            {
                ElementType.Float => floats,
                ElementType.Double => Tensor.Create(Array.ConvertAll(values, v => (double)v), shape),
                ElementType.Float16 => Tensor.Create(Array.ConvertAll(values, v => (Half)v), shape),
                ElementType.Int64 => Tensor.Create(Array.ConvertAll(values, v => v > 0 ? 1L : 0L), shape),
                ElementType.Int32 => Tensor.Create(Array.ConvertAll(values, v => v > 0 ? 1 : 0), shape),
                ElementType.Bool => Tensor.Create(Array.ConvertAll(values, _ => true), shape),
                _ => throw new NotSupportedException($"{port.Name}: {port.ElementType}"),
            });
        }
        return result;
    }

    private static void Same(Tensor expected, Tensor actual, double tolerance, string name)
    {
        Assert.AreEqual(expected.ElementType, actual.ElementType, name);
        Assert.AreEqual(expected.ToString(), actual.ToString(), name);
        float[] e = expected.ToFloats(), a = actual.ToFloats();
        var largest = e.Length == 0 ? 0 : e.Max(Math.Abs);
        for (var i = 0; i < e.Length; i++)
            Assert.IsTrue(Math.Abs(e[i] - a[i]) <= tolerance * Math.Max(largest, 1e-3), $"{name}[{i}]: {e[i]} became {a[i]} (largest {largest})");
    }
}
