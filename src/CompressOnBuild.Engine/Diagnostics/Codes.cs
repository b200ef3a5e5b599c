namespace CompressOnBuild.Diagnostics;

/// <summary>
/// Every code the product prints, one entry each; the page of the same name in <c>Diagnostics/Pages</c> explains it.
/// 00xx items and environment, 1xxx model and data, 2xxx recipe and plan, 3xxx lock and caches, 4xxx gate, 5xxx output, 9xxx a bug.
/// A test fails until both the entry and the page exist.
/// </summary>
public static class Codes
{
    // 00xx: items, metadata, environment
    public const string WrongUsage = "COB0030";
    public const string InvalidChoice = "COB0031";
    public const string InvalidNumber = "COB0032";
    public const string InvalidSize = "COB0033";
    public const string InvalidRequirement = "COB0034";
    public const string InvalidName = "COB0035";
    public const string ResponseFileUnreadable = "COB0036";
    public const string UnknownCode = "COB0037";
    public const string Cancelled = "COB0038";

    // 10xx: the model
    public const string ModelNotFound = "COB1001";
    public const string ModelEmpty = "COB1002";
    public const string NotAnOnnxModel = "COB1003";
    public const string GraphHasCycle = "COB1004";
    public const string DuplicateName = "COB1005";
    public const string TensorDataLength = "COB1006";
    public const string ExternalDataOutside = "COB1007";
    public const string BadDimension = "COB1008";
    public const string UndefinedValue = "COB1009";
    public const string UnsupportedOpset = "COB1010";
    public const string ExternalDataUnreadable = "COB1011";
    public const string ModelTooLarge = "COB1012";
    public const string RuntimeRefused = "COB1020";
    public const string RuntimeFailed = "COB1021";
    public const string RuntimeTimeout = "COB1022";
    public const string RuntimeMemory = "COB1023";

    // 11xx: data sets

    // 2xxx: recipe and plan
    public const string RecipeNotFound = "COB2001";
    public const string RecipeUnknownKey = "COB2002";
    public const string RecipeInvalidValue = "COB2003";
    public const string RecipeWrongType = "COB2004";
    public const string RecipeNotJson = "COB2005";
    public const string RecipeUnreadable = "COB2006";
    public const string RecipeDuplicateKey = "COB2007";
    public const string RecipeMissingKey = "COB2008";

    // 4xxx: the gate

    // 5xxx: output
    public const string OutputNotWritable = "COB5001";

    // 9xxx: bugs
    public const string Bug = "COB9001";
}
