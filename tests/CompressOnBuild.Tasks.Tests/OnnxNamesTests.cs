using System.Text;

namespace CompressOnBuild.Tasks.Tests;

[TestClass]
public class OnnxNamesTests
{
    [TestMethod]
    public void ReadsInputsAndOutputsWithoutTheWeights()
    {
        byte[] graph =
        [
            .. Field(1, Field(1, "x"u8)),                                      // a node
            .. Field(5, [0x10, 0x01, .. Field(9, new byte[300]), .. Field(8, "w"u8)]), // the weight's name lies behind its data
            .. Field(11, Field(1, "x"u8)), .. Field(11, Field(1, "w"u8)),
            .. Field(12, [.. Field(2, [0x0a, 0x00]), .. Field(1, "größe"u8)]),
        ];
        var model = Read([0x08, 0x08, .. Field(2, "producer"u8), .. Field(7, graph)]);
        Assert.AreSequenceEqual(["x"], model.Inputs);
        Assert.AreSequenceEqual(["größe"], model.Outputs);
    }

    [TestMethod]
    public void DamagedFilesHaveNoNames()
    {
        byte[] whole = [0x08, 0x08, .. Field(7, [.. Field(11, Field(1, "x"u8)), .. Field(12, Field(1, "y"u8))])];
        for (int length = 0; length < whole.Length; length++)
            Assert.IsEmpty(Read(whole[..length]).Outputs, $"{length} bytes");
        foreach (byte[] bytes in (byte[][])[[.. Enumerable.Repeat((byte)0xff, 40)], [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Encoding.UTF8.GetBytes("version https://git-lfs"), [0x0b]])
            Assert.IsEmpty(Read(bytes).Inputs);
        var none = new AccessorModel();
        OnnxNames.Read(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), none);
        Assert.IsEmpty(none.Inputs);
    }

    private static AccessorModel Read(byte[] bytes)
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        File.WriteAllBytes(file, bytes);
        var model = new AccessorModel();
        OnnxNames.Read(file, model);
        File.Delete(file);
        return model;
    }

    private static byte[] Field(int number, ReadOnlySpan<byte> payload) =>
        payload.Length < 128 ? [(byte)(number << 3 | 2), (byte)payload.Length, .. payload]
            : [(byte)(number << 3 | 2), (byte)(payload.Length & 0x7f | 0x80), (byte)(payload.Length >> 7), .. payload];
}
