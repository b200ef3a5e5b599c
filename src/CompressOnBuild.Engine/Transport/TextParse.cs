using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// Cuts the graph's bytes into literals and matches: the cheapest way by dynamic programming over estimated prices (as in "optimal parsing" of
/// Storer and Szymanski: Data compression via textual substitution, 1982), which each round learns from the tokens of the last.
/// </summary>
internal static class TextParse
{
    private const int Chain = 96, Nice = 256, Rounds = 3;
    /// <summary>What a literal costs a reader in time, in bits: as much as several matches.</summary>
    private const float Patience = 1;

    /// <summary>The tokens; they give <paramref name="text"/> again.</summary>
    /// <param name="text">All text of a model.</param>
    /// <param name="length">Of the model, in bytes: sets the window.</param>
    public static List<TextToken> Parse(byte[] text, long length)
    {
        var (literals, prices) = (LiteralPrices(text, length), new TokenPrices());
        var (best, least) = (new List<TextToken>(), double.PositiveInfinity);
        for (var round = 0; round < Rounds; round++)
        {
            var tokens = Cheapest(text, literals, prices);
            var bits = Cost(tokens, length);
            if (bits < least) (best, least) = (tokens, bits);
            prices = new TokenPrices(tokens);
        }
        return best;
    }

    /// <summary>In bits, as <see cref="PackedModelStream"/> codes them.</summary>
    private static double Cost(List<TextToken> tokens, long length)
    {
        var (cost, model) = (new DecisionCost(), new TextModel(length));
        foreach (var token in tokens)
        {
            var copy = token;
            model.Token(cost, ref copy);
            while (model.IsInMatch) model.Copy();
        }
        return cost.Bits;
    }

    /// <summary>What each byte costs as a literal when all bytes are.</summary>
    private static float[] LiteralPrices(byte[] text, long length)
    {
        var (cost, model, prices) = (new DecisionCost(), new TextModel(length), new float[text.Length]);
        for (var i = 0; i < text.Length; i++)
        {
            var before = cost.Bits;
            var token = new TextToken { Literal = text[i], Recent = -1 };
            model.Token(cost, ref token);
            prices[i] = (float)(cost.Bits - before) + Patience;
        }
        return prices;
    }

    private static List<TextToken> Cheapest(byte[] text, float[] literals, TokenPrices prices)
    {
        var n = text.Length;
        var cost = new float[n + 1];
        var from = new TextToken[n + 1]; // the token that ends here
        var recent = new (int A, int B, int C, int D)[n + 1];
        Array.Fill(cost, float.PositiveInfinity);
        (cost[0], recent[0]) = (0, (1, 1, 1, 1));
        var (heads, links) = (new int[1 << 16], new int[n]);
        Array.Fill(heads, -1);
        Span<int> candidates = stackalloc int[Recent];
        for (var i = 0; i < n; i++)
        {
            if (i > 0) recent[i] = After(recent[i - from[i].LengthOr1()], from[i]);
            Try(i, 1, cost[i] + literals[i] + prices.Literal, new TextToken { Literal = text[i], Recent = -1 });
            (candidates[0], candidates[1], candidates[2], candidates[3]) = recent[i];
            for (var k = 0; k < Recent; k++)
            {
                if (candidates[k] > i) continue;
                var length = Common(text, i, candidates[k]);
                for (var l = LeastRecent; l <= length; l = l < Nice ? l + 1 : length > l ? length : l + 1)
                    Try(i, l, cost[i] + prices.Repeated(k, l), new TextToken { Length = l, Recent = k, Distance = candidates[k] });
            }
            if (i + LeastMatch > n) continue;
            var hash = (int)((text[i] | (uint)text[i + 1] << 8 | (uint)text[i + 2] << 16) * 0x9E3779B1u >> 16);
            var longest = LeastMatch - 1;
            for (int other = heads[hash], steps = 0; other >= 0 && steps < Chain && i - other <= LargestWindow(n); other = links[other], steps++)
            {
                if (longest >= Nice || i + longest < n && text[other + longest] != text[i + longest]) continue;
                var length = Common(text, i, i - other);
                if (length <= longest) continue;
                for (var l = longest + 1; l <= length; l = l < Nice ? l + 1 : length > l ? length : l + 1)
                    Try(i, l, cost[i] + prices.New(i - other, l), new TextToken { Length = l, Recent = -1, Distance = i - other });
                longest = length;
            }
            (links[i], heads[hash]) = (heads[hash], i);
        }
        var tokens = new List<TextToken>();
        for (var i = n; i > 0; i -= from[i].LengthOr1()) tokens.Add(from[i]);
        tokens.Reverse();
        return tokens;

        void Try(int at, int length, float price, TextToken token)
        {
            if (price >= cost[at + length]) return;
            (cost[at + length], from[at + length]) = (price, token);
        }
    }

    private static int LargestWindow(int n) => Math.Min(n, TextModel.LargestWindow);

    private const int Recent = TextModel.Recent, LeastMatch = TextModel.LeastMatch, LeastRecent = TextModel.LeastRecent;

    private static int LengthOr1(this TextToken token) => Math.Max(1, token.Length);

    private static (int, int, int, int) After((int A, int B, int C, int D) r, TextToken token) => token.Length == 0 ? r : token.Recent switch
    {
        0 => r,
        1 => (r.B, r.A, r.C, r.D),
        2 => (r.C, r.A, r.B, r.D),
        3 => (r.D, r.A, r.B, r.C),
        _ => (token.Distance, r.A, r.B, r.C),
    };

    private static int Common(byte[] text, int at, int distance)
    {
        var most = Math.Min(text.Length - at, TextModel.MostMatch);
        return text.AsSpan(at, most).CommonPrefixLength(text.AsSpan(at - distance, most));
    }

    /// <summary>Estimated prices of tokens, in bits: at first by their size, then by how often the last round used them.</summary>
    private sealed class TokenPrices
    {
        private const int Sizes = 32;
        private readonly float[] lengths = new float[2 * Sizes], distances = new float[4 * Sizes], which = new float[Recent];
        private readonly float repeated = 1.5f, isNew = 1.5f;

        public TokenPrices()
        {
            for (var i = 0; i < Sizes; i++)
            {
                lengths[i] = lengths[Sizes + i] = 1.5f + i / 2f;
                for (var c = 0; c < 4; c++) distances[c * Sizes + i] = 3.5f;
            }
            for (var i = 0; i < Recent; i++) which[i] = 1 + i / 2f;
        }

        public TokenPrices(List<TextToken> tokens)
        {
            int literals = 0, old = 0, fresh = 0;
            foreach (var token in tokens)
            {
                if (token.Length == 0) { literals++; continue; }
                if (token.Recent >= 0)
                {
                    old++;
                    which[token.Recent]++;
                    lengths[Size(token.Length - LeastRecent)]++;
                }
                else
                {
                    fresh++;
                    lengths[Sizes + Size(token.Length - LeastMatch)]++;
                    distances[Math.Min(token.Length - LeastMatch, 3) * Sizes + Size(token.Distance - 1)]++;
                }
            }
            var matches = old + fresh + 1f;
            Literal = MathF.Log2((literals + matches) / (literals + 1));
            var match = MathF.Log2((literals + matches) / matches);
            (repeated, isNew) = (match + MathF.Log2(matches / (old + 0.5f)), match + MathF.Log2(matches / (fresh + 0.5f)));
            ToPrices(which);
            for (var c = 0; c < 2; c++) ToPrices(lengths.AsSpan(c * Sizes, Sizes));
            for (var c = 0; c < 4; c++) ToPrices(distances.AsSpan(c * Sizes, Sizes));
        }

        public float Literal { get; } = 0.7f;

        public float Repeated(int index, int length) => repeated + which[index] + Number(lengths, 0, length - LeastRecent);

        public float New(int distance, int length) => isNew + Number(lengths, 1, length - LeastMatch) + Number(distances, Math.Min(length - LeastMatch, 3), distance - 1);

        private static float Number(float[] prices, int context, int value)
        {
            var size = Size(value);
            return prices[context * Sizes + size] + size;
        }

        private static int Size(int value) => System.Numerics.BitOperations.Log2((uint)value + 1);

        private static void ToPrices(Span<float> counts)
        {
            var sum = 0f;
            foreach (var count in counts) sum += count + 0.3f;
            foreach (ref var count in counts) count = MathF.Log2(sum / (count + 0.3f));
        }
    }
}
