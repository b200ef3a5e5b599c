using static CompressOnBuild.Transport.PackedModelStream;

namespace CompressOnBuild.Transport;

/// <summary>
/// Cuts the graph's bytes into literals and matches: the cheapest way by dynamic programming over estimated prices (as in "optimal parsing" of
/// Storer and Szymanski: Data compression via textual substitution, 1982), which each round learns from the tokens of the last.
/// </summary>
internal static class TextParse
{
    private const int Chain = 96, Nice = 256, Rounds = 3, Block = 1 << 20;
    /// <summary>What a literal costs a reader in time, in bits: as much as several matches. Short texts are read in no time.</summary>
    private static float Patience(int length) => length < 1 << 14 ? 0.2f : 1;

    /// <summary>The tokens; they give <paramref name="text"/> again.</summary>
    /// <param name="text">All text of a model.</param>
    public static List<TextToken> Parse(byte[] text)
    {
        var (literals, prices) = (LiteralPrices(text), new TokenPrices());
        var (best, least) = (new List<TextToken>(), double.PositiveInfinity);
        for (var round = 0; round < Rounds; round++)
        {
            var tokens = Cheapest(text, literals, prices);
            var bits = Cost(tokens, text.Length);
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
    private static float[] LiteralPrices(byte[] text)
    {
        var (cost, model, prices) = (new DecisionCost(), new TextModel(text.Length), new float[text.Length]);
        for (var i = 0; i < text.Length; i++)
        {
            var before = cost.Bits;
            var token = new TextToken { Literal = text[i], Recent = -1 };
            model.Token(cost, ref token);
            prices[i] = (float)(cost.Bits - before) + Patience(text.Length);
        }
        return prices;
    }

    private static List<TextToken> Cheapest(byte[] text, float[] literals, TokenPrices prices)
    {
        var tokens = new List<TextToken>();
        var (heads, links, recent) = (new int[1 << 16], new int[text.Length], (1, 1, 1, 1));
        Array.Fill(heads, -1);
        for (var start = 0; start < text.Length; start += Block)
            recent = CheapestOfBlock(text, start, Math.Min(text.Length, start + Block), recent, literals, prices, heads, links, tokens);
        return tokens;
    }

    /// <summary>Adds the tokens of text[start..end]; the recent distances after them.</summary>
    private static (int, int, int, int) CheapestOfBlock(byte[] text, int start, int end, (int A, int B, int C, int D) before, float[] literals, TokenPrices prices, int[] heads, int[] links, List<TextToken> tokens)
    {
        var n = end - start;
        var cost = new float[n + 1];
        var from = new TextToken[n + 1]; // the token that ends here
        var recent = new (int A, int B, int C, int D)[n + 1];
        Array.Fill(cost, float.PositiveInfinity);
        (cost[0], recent[0]) = (0, before);
        Span<int> candidates = stackalloc int[Recent];
        for (var at = 0; at < n; at++)
        {
            var i = start + at;
            if (at > 0) recent[at] = After(recent[at - from[at].LengthOr1()], from[at]);
            Try(at, 1, cost[at] + literals[i] + prices.Literal, new TextToken { Literal = text[i], Recent = -1 });
            (candidates[0], candidates[1], candidates[2], candidates[3]) = recent[at];
            var longest = 0;
            for (var k = 0; k < Recent; k++)
            {
                if (candidates[k] > i) continue;
                var length = Common(text, i, end, candidates[k]);
                for (var l = length < Nice ? LeastRecent : length; l <= length; l++)
                    Try(at, l, cost[at] + prices.Repeated(k, l), new TextToken { Length = l, Recent = k, Distance = candidates[k] });
                longest = Math.Max(longest, length);
            }
            var known = LeastMatch - 1;
            var other = i + LeastMatch <= text.Length ? heads[Hash(text, i)] : -1;
            for (var steps = 0; longest < Nice && other >= 0 && steps < Chain && i - other <= TextModel.LargestWindow; other = links[other], steps++)
            {
                if (i + known >= end || text[other + known] != text[i + known]) continue;
                var length = Common(text, i, end, i - other);
                for (var l = length < Nice ? known + 1 : length; l <= length; l++)
                    Try(at, l, cost[at] + prices.New(i - other, l), new TextToken { Length = l, Recent = -1, Distance = i - other });
                (known, longest) = (Math.Max(known, length), Math.Max(longest, length));
            }
            // What is that long is taken: nothing inside of it is looked at.
            for (var next = at + (longest >= Nice ? longest : 1); at < next; at++)
                if (start + at + LeastMatch <= text.Length)
                {
                    var hash = Hash(text, start + at);
                    (links[start + at], heads[hash]) = (heads[hash], start + at);
                }
            at--;
        }
        var first = tokens.Count;
        for (var at = n; at > 0; at -= from[at].LengthOr1()) tokens.Add(from[at]);
        tokens.Reverse(first, tokens.Count - first);
        return After(recent[n - from[n].LengthOr1()], from[n]);

        void Try(int at, int length, float price, TextToken token)
        {
            if (price >= cost[at + length]) return;
            (cost[at + length], from[at + length]) = (price, token);
        }
    }

    private static int Hash(byte[] text, int i) => (int)((text[i] | (uint)text[i + 1] << 8 | (uint)text[i + 2] << 16) * 0x9E3779B1u >> 16);

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

    private static int Common(byte[] text, int at, int end, int distance)
    {
        var most = Math.Min(end - at, TextModel.MostMatch);
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
            Literal = (float)BinaryLogarithm.Of((literals + matches) / (literals + 1));
            var match = (float)BinaryLogarithm.Of((literals + matches) / matches);
            (repeated, isNew) = (match + (float)BinaryLogarithm.Of(matches / (old + 0.5f)), match + (float)BinaryLogarithm.Of(matches / (fresh + 0.5f)));
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
            foreach (ref var count in counts) count = (float)BinaryLogarithm.Of(sum / (count + 0.3f));
        }
    }
}
