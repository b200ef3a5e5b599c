using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;

namespace CompressOnBuild.Package.Tests;

/// <summary>Reads the embedded resources of an assembly without loading it.</summary>
internal static class Resources
{
    public static IReadOnlyList<string> Names(string assembly) => Read(assembly).Keys.ToList();

    public static string Text(string assembly, string name) => Encoding.UTF8.GetString(Read(assembly)[name]);

    public static void AssertEqual(string file, string assembly, string name) =>
        Assert.IsTrue(File.ReadAllBytes(file).AsSpan().SequenceEqual(Read(assembly)[name]), $"{name} in {assembly} differs from {file}");

    private static Dictionary<string, byte[]> Read(string assembly)
    {
        using var reader = new PEReader(File.OpenRead(assembly));
        var metadata = reader.GetMetadataReader();
        var resources = reader.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress;
        var result = new Dictionary<string, byte[]>();
        foreach (var handle in metadata.ManifestResources)
        {
            var resource = metadata.GetManifestResource(handle);
            var block = reader.GetSectionData(resources + (int)resource.Offset).GetReader();
            result[metadata.GetString(resource.Name)] = block.ReadBytes(block.ReadInt32());
        }
        return result;
    }
}
