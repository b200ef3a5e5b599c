using System.Reflection;
using CompressOnBuild.Diagnostics;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public class TaskCodesTests
{
    [TestMethod]
    public void AreTheEnginesAndHavePages()
    {
        static Dictionary<string, string> Constants(Type type) =>
            type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic).Where(f => f.IsLiteral).ToDictionary(f => f.Name, f => (string)f.GetRawConstantValue()!);
        var engine = Constants(typeof(Codes));
        foreach (var (name, code) in Constants(typeof(TaskCodes)))
        {
            Assert.AreEqual(code, engine.GetValueOrDefault(name), name);
            using var page = typeof(Codes).Assembly.GetManifestResourceStream($"Diagnostics/{code}.md");
            Assert.IsNotNull(page, code);
        }
    }
}
