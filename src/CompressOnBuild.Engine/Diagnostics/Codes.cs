namespace CompressOnBuild.Diagnostics;

/// <summary>
/// Every code the product prints, one entry each; the page of the same name in <c>Diagnostics/Pages</c> explains it.
/// 00xx items and environment, 1xxx model and data, 2xxx recipe and plan, 3xxx lock and caches, 4xxx gate, 5xxx output, 9xxx a bug.
/// A test fails until both the entry and the page exist.
/// </summary>
public static class Codes
{
    // 00xx: items, metadata, environment

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

    // 11xx: data sets

    // 2xxx: recipe and plan

    // 4xxx: the gate

    // 5xxx: output

    // 9xxx: bugs
    public const string Bug = "COB9001";
}
