using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>MSBuild's own escaping: what a task puts into an item must not be read as a list, a wildcard or a reference.</summary>
internal static class Escaping
{
    private const string Special = "%*?@$();'";

    internal static string Escape(string value)
    {
        StringBuilder? escaped = null;
        for (int i = 0; i < value.Length; i++)
        {
            char c = value[i];
            if (Special.IndexOf(c) >= 0)
            {
                escaped ??= new StringBuilder(value, 0, i, value.Length + 16);
                escaped.Append('%').Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
            }
            else
            {
                escaped?.Append(c);
            }
        }
        return escaped?.ToString() ?? value;
    }
}
