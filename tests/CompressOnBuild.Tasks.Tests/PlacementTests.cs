using CompressOnBuild.Testing;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public sealed class PlacementTests : IDisposable
{
    private static readonly string[] s_frameworks = ["a", "b", "c"];
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private void Hold(string folder, string request) => _folder.Write(folder + "/request.rsp", request);

    private string Choose(string request, params string[] wantedByFramework)
    {
        var wanted = wantedByFramework.Select((w, i) => KeyValuePair.Create(InputsFile.Hash(Placement.Encode(w)), s_frameworks[i])).ToList();
        return Path.GetFileName(Placement.Choose(_folder.Path, "m", InputsFile.Hash(Placement.Encode(request)), wanted, s_frameworks));
    }

    [TestMethod]
    public void FrameworksThatAgreeShareThePlainFolder() => Assert.AreEqual("m", Choose("1", "1", "1", "1"));

    [TestMethod]
    public void OthersAreCalledAfterTheirFirstFramework()
    {
        Assert.AreEqual("m", Choose("1", "1", "2", "2"));
        Assert.AreEqual("m.b", Choose("2", "1", "2", "2"));
        Assert.AreEqual("m.c", Choose("3", "1", "2", "3"));
    }

    [TestMethod]
    public void TheAnswerIsTheSameWhoeverAsksFirst()
    {
        Hold("m.b", "2");
        Assert.AreEqual("m", Choose("1", "1", "2", "3"));
        Hold("m.c", "3");
        Assert.AreEqual("m", Choose("1", "1", "2", "3"));
        Hold("m", "1");
        Assert.AreEqual("m.c", Choose("3", "1", "2", "3"));
    }

    [TestMethod]
    public void WhatAnotherFrameworkStillUsesIsNotOverwritten()
    {
        Hold("m", "2");
        Assert.AreEqual("m.a", Choose("1", "1", "2", "2"));
    }

    [TestMethod]
    public void AFolderThatNobodyWantsIsFree()
    {
        Hold("m", "old");
        Hold("m.b", "older");
        Assert.AreEqual("m", Choose("1", "1", "2", "1"));
        Assert.AreEqual("m.b", Choose("2", "1", "2", "1"));
    }

    [TestMethod]
    public void AResultIsFoundByItsRequest()
    {
        Hold("m", "1");
        Hold("m.b", "2");
        Assert.AreEqual(_folder["m.b"], Placement.Find(_folder.Path, "m", Placement.Encode("2"), s_frameworks));
        Assert.IsNull(Placement.Find(_folder.Path, "m", Placement.Encode("2"), ["b"]), "a project with one framework has one folder");
    }
}
