using System.Text.Json;
using System.Text.Json.Nodes;
using CompressOnBuild.Testing;
using Json.Schema;

namespace CompressOnBuild.Engine.Tests.Reporting;

/// <summary>The published JSON schemas of SARIF and CycloneDX, as npm packages carry them.</summary>
internal static class OfficialSchemas
{
    private static readonly string Modules = Path.Combine(DotNet.RepositoryRoot, "testassets", "npm", "node_modules");
    private static readonly string CycloneDx = Path.Combine(Modules, "@cyclonedx", "cyclonedx-library", "res", "schema");
    private static readonly string Sarif = Path.Combine(Modules, "@microsoft", "jest-sarif", "lib", "schemas", "sarif-2.1.0-rtm.5.json");

    private static readonly Lazy<JsonSchema> SarifSchema = new(() =>
    {
        var schema = JsonNode.Parse(File.ReadAllText(Sarif))!.AsObject();
        // Draft 4 calls the schema's name otherwise; it uses nothing else that changed since.
        schema["$schema"] = "http://json-schema.org/draft-07/schema#";
        schema.Remove("id");
        return JsonSchema.FromText(schema.ToJsonString());
    });

    private static readonly Lazy<JsonSchema> BomSchema = new(() =>
    {
        foreach (var part in new[] { "spdx", "jsf-0.82", "cryptography-defs" })
            SchemaRegistry.Global.Register(new Uri($"http://cyclonedx.org/schema/{part}.SNAPSHOT.schema.json"), JsonSchema.FromText(File.ReadAllText(Path.Combine(CycloneDx, part + ".SNAPSHOT.schema.json"))));
        return JsonSchema.FromText(File.ReadAllText(Path.Combine(CycloneDx, "bom-1.6.SNAPSHOT.schema.json")));
    });

    public static bool Exist => File.Exists(Sarif) && Directory.Exists(CycloneDx);

    public static void AssertSarif(byte[] log) => AssertValid(SarifSchema.Value, log);

    public static void AssertBom(byte[] bom) => AssertValid(BomSchema.Value, bom);

    private static void AssertValid(JsonSchema schema, byte[] text)
    {
        using var document = JsonDocument.Parse(text);
        var result = schema.Evaluate(document.RootElement, new EvaluationOptions { OutputFormat = OutputFormat.List, RequireFormatValidation = true });
        Assert.IsTrue(result.IsValid, string.Join("\n", (result.Details ?? []).Where(d => d.Errors is not null).Select(d => $"{d.InstanceLocation}: {string.Join("; ", d.Errors!.Values)}").Take(20)));
    }
}

/// <summary>Needs the schemas that npm restores into <c>testassets/npm</c>; elsewhere the test is reported as skipped.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class OfficialSchemasConditionAttribute : ConditionBaseAttribute
{
    public OfficialSchemasConditionAttribute() : base(ConditionMode.Include) => IgnoreMessage = "run npm ci --ignore-scripts in testassets/npm";
    public override string GroupName => nameof(OfficialSchemasConditionAttribute);
    public override bool IsConditionMet => OfficialSchemas.Exist;
}
