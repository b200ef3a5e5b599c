using System.Buffers.Binary;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Security.Cryptography;
using System.Text;

namespace CompressOnBuild.Evaluation;

/// <summary>
/// A hash that says whether two builds of an assembly compute the same. The bytes of the file do not: they differ between machines and commits
/// with equal sources (the module's id, paths of symbols, the commit in the informational version). Hashed are instructions, the names,
/// signatures and constants that they refer to, and resources; not attributes and symbols.
/// </summary>
internal sealed class EvaluatorCode : IDisposable
{
    private readonly PEReader file;
    private readonly MetadataReader reader;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private EvaluatorCode(Stream assembly) => reader = (file = new PEReader(assembly)).GetMetadataReader();

    /// <summary>SHA-256, lower-case hex.</summary>
    /// <param name="assembly">An assembly that the runtime could load.</param>
    /// <param name="type">Name of the evaluator's type, one of several perhaps.</param>
    public static string Sha256(Stream assembly, string type)
    {
        using var code = new EvaluatorCode(assembly);
        code.Text(type);
        code.References();
        code.Definitions();
        code.Contents();
        return Convert.ToHexStringLower(code.hash.GetHashAndReset());
    }

    public void Dispose()
    {
        hash.Dispose();
        file.Dispose();
    }

    // Instructions name what they use by its number in these tables.
    private void References()
    {
        foreach (var handle in reader.AssemblyReferences) Text(reader.GetAssemblyReference(handle).GetAssemblyName().FullName);
        foreach (var r in reader.TypeReferences.Select(reader.GetTypeReference)) Text($"{Token(r.ResolutionScope)} {reader.GetString(r.Namespace)}.{reader.GetString(r.Name)}");
        foreach (var r in reader.MemberReferences.Select(reader.GetMemberReference)) Text($"{Token(r.Parent)} {reader.GetString(r.Name)}", r.Signature);
        foreach (var r in Rows(TableIndex.TypeSpec).Select(i => reader.GetTypeSpecification(MetadataTokens.TypeSpecificationHandle(i)))) Text("", r.Signature);
        foreach (var r in Rows(TableIndex.MethodSpec).Select(i => reader.GetMethodSpecification(MetadataTokens.MethodSpecificationHandle(i)))) Text(Token(r.Method), r.Signature);
    }

    private void Definitions()
    {
        foreach (var type in reader.TypeDefinitions.Select(reader.GetTypeDefinition))
        {
            Text($"{type.Attributes} {Token(type.BaseType)} {reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}");
            foreach (var i in type.GetInterfaceImplementations()) Text(Token(reader.GetInterfaceImplementation(i).Interface));
            foreach (var i in type.GetMethodImplementations().Select(reader.GetMethodImplementation)) Text($"{Token(i.MethodBody)} {Token(i.MethodDeclaration)}");
            foreach (var field in type.GetFields().Select(reader.GetFieldDefinition)) Field(field);
            foreach (var method in type.GetMethods().Select(reader.GetMethodDefinition)) Method(method);
        }
    }

    private void Field(FieldDefinition field)
    {
        Text($"{field.Attributes} {reader.GetString(field.Name)}", field.Signature);
        if (!field.GetDefaultValue().IsNil) Text("", reader.GetConstant(field.GetDefaultValue()).Value);
        // Initial values of arrays: the field's type is a structure of their size.
        var signature = reader.GetBlobReader(field.Signature);
        if (field.GetRelativeVirtualAddress() is not (> 0 and var address) || signature.ReadSignatureHeader().Kind != SignatureKind.Field) return;
        var size = signature.ReadSignatureTypeCode() == SignatureTypeCode.TypeHandle && signature.ReadTypeHandle() is { Kind: HandleKind.TypeDefinition } type
            ? reader.GetTypeDefinition((TypeDefinitionHandle)type).GetLayout().Size : sizeof(long);
        var data = file.GetSectionData(address);
        Bytes(data.GetContent(0, Math.Min(size, data.Length)).AsSpan());
    }

    private void Method(MethodDefinition method)
    {
        Text($"{method.Attributes} {method.ImplAttributes} {reader.GetString(method.Name)}", method.Signature);
        if (method.RelativeVirtualAddress == 0) return;
        var body = file.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil) Text($"{body.LocalVariablesInitialized}", reader.GetStandaloneSignature(body.LocalSignature).Signature);
        Bytes(body.GetILBytes());
        foreach (var r in body.ExceptionRegions) Text($"{r.Kind} {r.TryOffset} {r.TryLength} {r.HandlerOffset} {r.HandlerLength} {r.FilterOffset} {Token(r.CatchType)}");
    }

    // Texts in the code, and resources.
    private void Contents()
    {
        Bytes(file.GetMetadata().GetContent(reader.GetHeapMetadataOffset(HeapIndex.UserString), reader.GetHeapSize(HeapIndex.UserString)).AsSpan());
        foreach (var resource in reader.ManifestResources.Select(reader.GetManifestResource)) Text($"{reader.GetString(resource.Name)} {resource.Offset}");
        if (file.PEHeaders.CorHeader?.ResourcesDirectory is { Size: > 0 } resources) Bytes(file.GetSectionData(resources.RelativeVirtualAddress).GetContent(0, resources.Size).AsSpan());
    }

    private IEnumerable<int> Rows(TableIndex table) => Enumerable.Range(1, reader.GetTableRowCount(table));

    private static string Token(EntityHandle handle) => handle.IsNil ? "-" : MetadataTokens.GetToken(handle).ToString("x8", System.Globalization.CultureInfo.InvariantCulture);

    private void Text(string text, BlobHandle blob)
    {
        Text(text);
        Bytes(reader.GetBlobBytes(blob));
    }

    private void Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

    // With its length, so that what stands side by side cannot be read in two ways.
    private void Bytes(ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
