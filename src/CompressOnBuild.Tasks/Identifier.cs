using System;
using System.Collections.Generic;
using System.Text;

namespace CompressOnBuild.Tasks;

/// <summary>Names of files and of model inputs as C# identifiers.</summary>
internal static class Identifier
{
    private static readonly HashSet<string> s_keywords = new(StringComparer.Ordinal)
    {
        "abstract", "as", "base", "bool", "break", "byte", "case", "catch", "char", "checked", "class", "const", "continue", "decimal", "default",
        "delegate", "do", "double", "else", "enum", "event", "explicit", "extern", "false", "finally", "fixed", "float", "for", "foreach", "goto",
        "if", "implicit", "in", "int", "interface", "internal", "is", "lock", "long", "namespace", "new", "null", "object", "operator", "out",
        "override", "params", "private", "protected", "public", "readonly", "ref", "return", "sbyte", "sealed", "short", "sizeof", "stackalloc",
        "static", "string", "struct", "switch", "this", "throw", "true", "try", "typeof", "uint", "ulong", "unchecked", "unsafe", "ushort",
        "using", "virtual", "void", "volatile", "while",
    };

    /// <summary>Names that the generated classes or every class already have: a nested class of that name would not compile or would hide one.</summary>
    private static readonly HashSet<string> s_taken = new(StringComparer.Ordinal)
    {
        "CompressedModels", "OpenRead", "ToArray", "CreateSession", "ResourceName", "ReportResourceName", "RelativePath", "FullPath", "Inputs", "Outputs",
        PackedModelSource.ClassName, "Equals", "Finalize", "GetHashCode", "GetType", "MemberwiseClone", "ReferenceEquals", "ToString",
    };

    /// <summary><c>ocr-rec.v3</c> as <c>OcrRecV3</c>. Never empty, always valid and free to use inside <c>CompressedModels</c>.</summary>
    internal static string ToPascalCase(string name)
    {
        var pascal = new StringBuilder(name.Length + 1);
        bool upper = true;
        foreach (char c in Composed(name))
        {
            if (!char.IsLetterOrDigit(c))
            {
                upper = true;
                continue;
            }
            if (pascal.Length == 0 && char.IsDigit(c))
                pascal.Append('_');
            pascal.Append(upper ? char.ToUpperInvariant(c) : c);
            upper = false;
        }
        if (pascal.Length == 0)
            return "Model";
        string identifier = pascal.ToString();
        return s_taken.Contains(identifier) ? identifier + "Model" : identifier;
    }

    /// <summary>Whether a user may call an accessor so.</summary>
    internal static bool IsValidAccessor(string name)
    {
        if (name.Length == 0 || char.IsDigit(name[0]) || s_taken.Contains(name))
            return false;
        foreach (char c in name)
        {
            if (!char.IsLetterOrDigit(c) && c != '_')
                return false;
        }
        return true;
    }

    /// <summary>As it is written in source: keywords get an @.</summary>
    internal static string InSource(string identifier) => s_keywords.Contains(identifier) ? "@" + identifier : identifier;

    /// <summary>A namespace of any text, segment by segment; empty stays empty.</summary>
    internal static string ToNamespace(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (string part in text.Split('.'))
        {
            var segment = new StringBuilder(part.Length);
            foreach (char c in part.Trim())
                segment.Append(char.IsLetterOrDigit(c) || c == '_' ? c : '_');
            if (segment.Length == 0)
                continue;
            if (char.IsDigit(segment[0]))
                segment.Insert(0, '_');
            if (result.Length > 0)
                result.Append('.');
            result.Append(InSource(segment.ToString()));
        }
        return result.ToString();
    }

    /// <summary>A file name from macOS spells an accent as two characters, which no identifier may start with.</summary>
    private static string Composed(string name)
    {
        try
        {
            return name.Normalize(NormalizationForm.FormC);
        }
        catch (Exception e) when (e is ArgumentException or PlatformNotSupportedException)
        {
            return name;
        }
    }
}
