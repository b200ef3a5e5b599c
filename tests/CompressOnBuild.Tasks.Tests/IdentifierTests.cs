namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public class IdentifierTests
{
    [TestMethod]
    [DataRow("mobilenetv2", "Mobilenetv2")]
    [DataRow("ocr-rec.v3", "OcrRecV3")]
    [DataRow("3d model", "_3dModel")]
    [DataRow("ünï", "Ünï")]
    [DataRow("---", "Model")]
    [DataRow("openRead", "OpenReadModel")]
    [DataRow("compressed_models", "CompressedModelsModel")]
    [DataRow("class", "Class")]
    [DataRow("a\"; } evil {", "AEvil")]
    public void FileNamesBecomeNames(string name, string expected)
    {
        Assert.AreEqual(expected, Identifier.ToPascalCase(name));
        Assert.IsTrue(Identifier.IsValidAccessor(expected));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("a b")]
    [DataRow("1a")]
    [DataRow("ToArray")]
    [DataRow("a.b")]
    public void SomeNamesCannotBeAccessors(string name) => Assert.IsFalse(Identifier.IsValidAccessor(name));

    [TestMethod]
    [DataRow("My-App.Core", "My_App.Core")]
    [DataRow("My.namespace.2nd", "My.@namespace._2nd")]
    [DataRow("", "")]
    [DataRow("..", "")]
    public void AnyRootNamespaceCompiles(string text, string expected) => Assert.AreEqual(expected, Identifier.ToNamespace(text));

    [TestMethod]
    public void KeywordsAreWrittenWithAnAt() => Assert.AreEqual("@class", Identifier.InSource("class"));
}
