namespace CompressOnBuild.Diagnostics;

/// <summary>
/// Every code the product prints, one entry each; the page of the same name in <c>Diagnostics/Pages</c> explains it.
/// 00xx items and environment, 1xxx model and data, 2xxx recipe and plan, 3xxx lock and caches, 4xxx gate, 5xxx output, 9xxx a bug.
/// A test fails until both the entry and the page exist.
/// </summary>
public static class Codes
{
    // 00xx: items, metadata, environment (00 to 29 are printed by the build tasks, which hold the same values in TaskCodes.cs)
    public const string BadMetadata = "COB0001";
    public const string UnsupportedBuild = "COB0002";
    public const string NoDotNetHost = "COB0003";
    public const string PathNotFound = "COB0004";
    public const string DuplicateModelName = "COB0005";
    public const string NotAvailable = "COB0006";
    public const string TooLargeToEmbed = "COB0007";
    public const string UnknownMetadata = "COB0008";
    public const string OutputFolderNotWritable = "COB0009";
    public const string StaleWithNoBuild = "COB0010";
    public const string ItemsNotValid = "COB0011";
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
    public const string NoData = "COB1101";
    public const string DataNotFound = "COB1102";
    public const string DataFormatUnknown = "COB1103";
    public const string DataUnreadable = "COB1104";
    public const string DataEmpty = "COB1105";
    public const string DataTooLarge = "COB1106";
    public const string InputMissing = "COB1107";
    public const string InputMismatch = "COB1108";
    public const string SampleCountsDiffer = "COB1109";
    public const string NpzDamaged = "COB1110";
    public const string NpzPickled = "COB1111";
    public const string NpzTypeUnsupported = "COB1112";
    public const string LabelsInvalid = "COB1113";
    public const string ImageUnreadable = "COB1114";
    public const string ImageClassesAmbiguous = "COB1115";
    public const string PreprocessingMissing = "COB1116";
    public const string PreprocessingInvalid = "COB1117";
    public const string EvaluationConfigurationInvalid = "COB1118";
    public const string TestDataInvalid = "COB1119";
    public const string DataIgnored = "COB1120";
    public const string MetricUnknown = "COB1121";
    public const string MetricNeedsLabels = "COB1122";
    public const string MetricDoesNotFit = "COB1123";
    public const string LabelOutOfRange = "COB1124";
    public const string FewSamples = "COB1125";
    public const string SplitsOverlap = "COB1126";

    // 2xxx: recipe and plan
    public const string RecipeNotFound = "COB2001";
    public const string RecipeUnknownKey = "COB2002";
    public const string RecipeInvalidValue = "COB2003";
    public const string RecipeWrongType = "COB2004";
    public const string RecipeNotJson = "COB2005";
    public const string RecipeUnreadable = "COB2006";
    public const string RecipeDuplicateKey = "COB2007";
    public const string RecipeMissingKey = "COB2008";

    // 21xx: why a weight was left alone
    public const string WeightTooSmall = "COB2101";
    public const string WeightNotFloat = "COB2102";
    public const string WeightHasNoForm = "COB2103";
    public const string WeightLoss = "COB2104";
    public const string RuleLeftAlone = "COB2105";
    public const string WeightOutOfRange = "COB2106";

    // 4xxx: the gate
    public const string SelfCheckFailed = "COB4010";
    public const string AccuracyDropped = "COB4001";
    public const string RequirementMissed = "COB4002";
    public const string TooLarge = "COB4003";
    public const string TooSlow = "COB4004";
    public const string LimitWithoutData = "COB4005";
    public const string Undecided = "COB4006";
    public const string Grew = "COB4007";

    // 5xxx: output
    public const string OutputNotWritable = "COB5001";
    public const string OutputIsInput = "COB5002";

    // 9xxx: bugs
    public const string Bug = "COB9001";
}
