using System.Reflection;
using System.Reflection.Emit;
using CompressOnBuild.Evaluation;

namespace CompressOnBuild.Engine.Tests.Evaluation;

[TestClass]
public sealed class EvaluatorCodeTests
{
    [TestMethod]
    public void ModuleIdAndAttributesDoNotCount()
    {
        byte[] one = Build(commit: "1.0.0+aaaa"), other = Build(commit: "1.0.0+bbbbbbbbbbbb");
        CollectionAssert.AreNotEqual(one, other);
        Assert.AreEqual(Hash(one), Hash(other));
    }

    [TestMethod]
    public void EverythingThatChangesAFigureCounts()
    {
        byte[][] others = [Build(weight: 6), Build(text: "logit"), Build(field: "other"), Build(called: nameof(Math.Floor)), Build(table: [1, 2, 4])];
        string[] hashes = [Hash(Build()), .. others.Select(o => Hash(o)), Hash(Build(), type: "Another")];
        Assert.HasCount(hashes.Length, hashes.Distinct().ToArray());
    }

    private static string Hash(byte[] assembly, string type = "Metric") => EvaluatorCode.Sha256(new MemoryStream(assembly), type);

    /// <summary>An assembly with one method that loads a number and a text, calls something, and has a table of bytes.</summary>
    private static byte[] Build(string commit = "1.0.0", int weight = 5, string text = "logits", string field = "scale", string called = nameof(Math.Ceiling), byte[]? table = null)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName("Metrics"), typeof(object).Assembly);
        assembly.SetCustomAttribute(new CustomAttributeBuilder(typeof(AssemblyInformationalVersionAttribute).GetConstructor([typeof(string)])!, [commit]));
        var module = assembly.DefineDynamicModule("Metrics");
        module.DefineInitializedData("table", table ?? [1, 2, 3], FieldAttributes.Assembly);
        module.CreateGlobalFunctions();
        var type = module.DefineType("Metric", TypeAttributes.Public);
        type.DefineField(field, typeof(double), FieldAttributes.Public);
        var code = type.DefineMethod("Score", MethodAttributes.Public | MethodAttributes.Static, typeof(double), []).GetILGenerator();
        code.Emit(OpCodes.Ldstr, text);
        code.Emit(OpCodes.Pop);
        code.Emit(OpCodes.Ldc_R8, (double)weight);
        code.Emit(OpCodes.Call, typeof(Math).GetMethod(called, [typeof(double)])!);
        code.Emit(OpCodes.Ret);
        type.CreateType();
        using var stream = new MemoryStream();
        assembly.Save(stream);
        return stream.ToArray();
    }
}
