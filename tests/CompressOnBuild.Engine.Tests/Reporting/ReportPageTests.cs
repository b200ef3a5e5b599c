using System.Globalization;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Reporting;
using CompressOnBuild.Testing;
using Deque.AxeCore.Commons;
using PuppeteerSharp;
using PuppeteerSharp.Input;
using SkiaSharp;

namespace CompressOnBuild.Engine.Tests.Reporting;

/// <summary><c>report.html</c> as a reader has it: in a browser, from a file, light and dark, on a desk and on a phone, by mouse and by keyboard.</summary>
[TestClass]
[ChromiumCondition]
public sealed class ReportPageTests
{
    private static readonly ScratchFolder Scratch = new();
    private static IBrowser browser = null!;
    private static string address = "";

    private IPage page = null!;

    [ClassInitialize]
    public static async Task Start(TestContext _)
    {
        if (ChromiumConditionAttribute.Program is null) return;
        address = new Uri(Scratch.Write("report.html", HtmlReport.Write(Result()))).AbsoluteUri;
        browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = ChromiumConditionAttribute.Program, Headless = true, UserDataDir = Scratch["profile"], Timeout = 120_000,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    [ClassCleanup]
    public static async Task End()
    {
        if (browser is not null) await browser.DisposeAsync();
        Scratch.Dispose();
    }

    [TestInitialize]
    public async Task Open() => page = await browser.NewPageAsync();

    [TestCleanup]
    public async Task Close() => await page.DisposeAsync();

    /// <summary>Everything the report can show, with a name that would break out wherever one may come from outside.</summary>
    private static CompressionResult Result()
    {
        var sample = SampleResult.Create(name: SampleResult.Hostile);
        return sample with
        {
            Weights = [.. sample.Weights, .. Enumerable.Range(0, 40).Select(i => sample.Weights[1] with { Name = $"block.{i}.conv.weight", BytesBefore = 1000 + 7919 * i % 5000, SignalToNoise = 30 + i % 11 })],
            Warnings = [.. sample.Warnings, new Diagnostic(Severity.Warning, "COB4006", SampleResult.Hostile)],
            Steps = [.. sample.Steps, SampleResult.Hostile],
        };
    }

    private async Task Show(int width = 1240, string scheme = "light")
    {
        await page.SetViewportAsync(new ViewPortOptions { Width = width, Height = 900 });
        await page.EmulateMediaFeaturesAsync([new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = scheme }]);
        await page.GoToAsync(address);
    }

    [TestMethod]
    public async Task OpensFromAFileAndAsksForNothingElse()
    {
        var (asked, said) = (new List<string>(), new List<string>());
        page.Request += (_, e) => asked.Add(e.Request.Url);
        page.Console += (_, e) => said.Add(e.Message.Text);
        page.PageError += (_, e) => said.Add(e.Message);
        page.Dialog += (_, e) => said.Add(e.Dialog.Message);
        await Show();
        Assert.AreEqual(address, string.Join(' ', asked.Where(a => !a.StartsWith("data:image/", StringComparison.Ordinal))));
        Assert.IsEmpty(said, string.Join("; ", said));
        Assert.AreEqual(1, await page.EvaluateExpressionAsync<int>("document.scripts.length"));
        Assert.IsTrue(await page.EvaluateExpressionAsync<bool>("[...document.images].length > 0 && [...document.images].every(i => i.naturalWidth > 0)"));
        StringAssert.Contains(await Text("document.querySelector('main')"), ConsoleText.Visible(SampleResult.Hostile));
    }

    [TestMethod]
    public async Task TheVerdictComesFirstAlsoWithoutTheScript()
    {
        await page.SetJavaScriptEnabledAsync(false);
        await Show();
        var verdict = (await page.QuerySelectorAsync("h1 + p"))!;
        var place = (await verdict.BoundingBoxAsync())!;
        Assert.IsLessThan(300m, place.Y + place.Height);
        Assert.IsNull(await page.QuerySelectorAsync("th button"), "a head that cannot sort is no button");
    }

    [TestMethod]
    public async Task SortsByClickAndByKeyboard()
    {
        await Show();
        const string Table = "document.querySelector('[aria-label=\"Weights compressed\"] table')";
        async Task<double[]> Sizes() => await page.EvaluateExpressionAsync<double[]>($"[...{Table}.tBodies[0].rows].map(r => Number(r.cells[3].dataset.v))");
        async Task<string> Sorted() => await page.EvaluateExpressionAsync<string>($"[...{Table}.tHead.rows[0].cells].map(c => c.getAttribute('aria-sort') ?? '-').join(' ')");
        var graphOrder = await Sizes();
        CollectionAssert.AreNotEqual(graphOrder.Order().ToArray(), graphOrder);

        await page.ClickAsync("[aria-label=\"Weights compressed\"] th:nth-child(4) button");
        CollectionAssert.AreEqual(graphOrder.Order().ToArray(), await Sizes());
        Assert.AreEqual("- - - ascending - - -", await Sorted());

        // On to the next head by keyboard, and back.
        await page.Keyboard.PressAsync(Key.Tab);
        await page.Keyboard.PressAsync(Key.Enter);
        Assert.AreEqual("- - - - ascending - -", await Sorted());
        await page.Keyboard.DownAsync(Key.Shift);
        await page.Keyboard.PressAsync(Key.Tab);
        await page.Keyboard.UpAsync(Key.Shift);
        await page.Keyboard.PressAsync("Space");
        await page.Keyboard.PressAsync("Space");
        CollectionAssert.AreEqual(graphOrder.OrderDescending().ToArray(), await Sizes());
        Assert.AreEqual("- - - descending - - -", await Sorted());

        // Figures are compared as figures, and rows without one come last whichever way.
        await page.ClickAsync("[aria-label=\"Weights compressed\"] th:nth-child(6) button");
        await page.ClickAsync("[aria-label=\"Weights compressed\"] th:nth-child(6) button");
        var ratios = await page.EvaluateExpressionAsync<string[]>($"[...{Table}.tBodies[0].rows].map(r => r.cells[5].textContent)");
        Assert.AreEqual("40.0 dB", ratios[0]);
        Assert.AreEqual("–", ratios[^1]);
    }

    [TestMethod]
    public async Task IsLightOrDarkAsTheReaderIsAndSoAreTheCharts()
    {
        const string Colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, getComputedStyle(document.querySelector('svg.chart text')).fill, getComputedStyle(document.querySelector('svg.chart rect, svg.chart ellipse')).fill]";
        await Show(scheme: "light");
        var light = await page.EvaluateExpressionAsync<string[]>(Colours);
        await Show(scheme: "dark");
        var dark = await page.EvaluateExpressionAsync<string[]>(Colours);
        Assert.IsGreaterThan(200, Brightness(light[0]));
        Assert.IsLessThan(60, Brightness(dark[0]));
        for (var i = 1; i < light.Length; i++) Assert.IsGreaterThan(Brightness(light[i]) + 30, Brightness(dark[i]), $"{light[i]} and {dark[i]}");

        static double Brightness(string colour) => colour.Split('(', ',', ')')[1..4].Average(c => double.Parse(c, CultureInfo.InvariantCulture));
    }

    [TestMethod]
    [DataRow(390)]
    [DataRow(320)]
    public async Task FitsAPhone(int width)
    {
        await Show(width);
        Assert.IsLessThanOrEqualTo(width, await page.EvaluateExpressionAsync<int>("document.documentElement.scrollWidth"));
        var wide = await page.EvaluateFunctionAsync<string[]>("width => [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll table') && !e.closest('svg') && e.getBoundingClientRect().right > width).map(e => e.outerHTML.slice(0, 80))", width);
        Assert.IsEmpty(wide, string.Join("\n", wide));
    }

    [TestMethod]
    [DataRow(1240, "light")]
    [DataRow(1240, "dark")]
    [DataRow(390, "light")]
    public async Task AxeFindsNothingThatBarsAReader(int width, string scheme)
    {
        await Show(width, scheme);
        await page.EvaluateExpressionAsync("document.querySelectorAll('details').forEach(d => d.open = true)");
        await page.EvaluateExpressionAsync(new BundledAxeScriptProvider().GetScript());
        var found = await page.EvaluateExpressionAsync<string[]>("axe.run().then(r => [r.passes.length, ...r.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 120)} ${n.any[0]?.message ?? ''}`))].map(String))");
        Assert.IsGreaterThan(20, int.Parse(found[0], CultureInfo.InvariantCulture), "axe looked");
        Assert.HasCount(1, found, string.Join("\n", found));
    }

    [TestMethod]
    public async Task EveryChartIsDrawnAndHasAName()
    {
        await Show();
        var charts = await page.QuerySelectorAllAsync("svg.chart");
        Assert.HasCount(3, charts);
        foreach (var chart in charts)
        {
            Assert.IsFalse(string.IsNullOrEmpty(await chart.EvaluateFunctionAsync<string>("c => c.getAttribute('aria-label')")));
            using var picture = SKBitmap.Decode(await chart.ScreenshotDataAsync());
            var background = picture.GetPixel(1, picture.Height / 2);
            var drawn = Enumerable.Range(0, picture.Width * picture.Height).Count(i => picture.GetPixel(i % picture.Width, i / picture.Width) != background);
            Assert.IsGreaterThan(picture.Width * picture.Height / 200, drawn);
            // Nothing stands outside of its chart but for a letter's width.
            Assert.IsTrue(await chart.EvaluateFunctionAsync<bool>("c => { const f = c.getBoundingClientRect(); return [...c.children].every(e => { const b = e.getBoundingClientRect(); return b.left > f.left - 6 && b.right < f.right + 6 && b.top > f.top - 6 && b.bottom < f.bottom + 6; }); }"));
        }
    }

    private async Task<string> Text(string element) => await page.EvaluateExpressionAsync<string>(element + ".innerText");
}
