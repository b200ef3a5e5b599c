namespace CompressOnBuild.Diagnostics;

/// <summary>
/// Every code the product prints, one entry each; the page of the same name in <c>Diagnostics/Pages</c> explains it.
/// 00xx items and environment, 1xxx model and data, 2xxx recipe and plan, 3xxx lock and caches, 4xxx gate, 5xxx output, 9xxx a bug.
/// A test fails until both the entry and the page exist.
/// </summary>
public static class Codes
{
    // 00xx: items, metadata, environment (00 to 29 are printed by the build tasks, which hold the same values in TaskCodes.cs)
    /// <summary>A metadata value is not valid.</summary>
    public const string BadMetadata = "COB0001";
    /// <summary>This build cannot run CompressOnBuild.</summary>
    public const string UnsupportedBuild = "COB0002";
    /// <summary>No dotnet was found.</summary>
    public const string NoDotNetHost = "COB0003";
    /// <summary>A path of an item does not exist.</summary>
    public const string PathNotFound = "COB0004";
    /// <summary>Two models have the same name.</summary>
    public const string DuplicateModelName = "COB0005";
    /// <summary>Not available in this version.</summary>
    public const string NotAvailable = "COB0006";
    /// <summary>The model is too large to embed.</summary>
    public const string TooLargeToEmbed = "COB0007";
    /// <summary>Metadata that means nothing.</summary>
    public const string UnknownMetadata = "COB0008";
    /// <summary>The output folder cannot be written.</summary>
    public const string OutputFolderNotWritable = "COB0009";
    /// <summary>The compressed model is not up to date and nothing may be built.</summary>
    public const string StaleWithNoBuild = "COB0010";
    /// <summary>Not all CompressModel items are valid.</summary>
    public const string ItemsNotValid = "COB0011";
    /// <summary>The command line is not understood.</summary>
    public const string WrongUsage = "COB0030";
    /// <summary>A value is not one of the valid ones.</summary>
    public const string InvalidChoice = "COB0031";
    /// <summary>A value is not a valid number.</summary>
    public const string InvalidNumber = "COB0032";
    /// <summary>A size is not valid.</summary>
    public const string InvalidSize = "COB0033";
    /// <summary>A requirement is not valid.</summary>
    public const string InvalidRequirement = "COB0034";
    /// <summary>A name is not a valid file name.</summary>
    public const string InvalidName = "COB0035";
    /// <summary>The response file cannot be read.</summary>
    public const string ResponseFileUnreadable = "COB0036";
    /// <summary>There is no such code.</summary>
    public const string UnknownCode = "COB0037";
    /// <summary>Cancelled.</summary>
    public const string Cancelled = "COB0038";
    /// <summary>Two models cannot be compared.</summary>
    public const string ModelsNotComparable = "COB0040";

    // 10xx: the model
    /// <summary>The model does not exist.</summary>
    public const string ModelNotFound = "COB1001";
    /// <summary>The model is empty.</summary>
    public const string ModelEmpty = "COB1002";
    /// <summary>The file is not an ONNX model.</summary>
    public const string NotAnOnnxModel = "COB1003";
    /// <summary>The graph has a cycle.</summary>
    public const string GraphHasCycle = "COB1004";
    /// <summary>A name is defined twice.</summary>
    public const string DuplicateName = "COB1005";
    /// <summary>A tensor has the wrong number of bytes.</summary>
    public const string TensorDataLength = "COB1006";
    /// <summary>External data lies outside of the model's folder.</summary>
    public const string ExternalDataOutside = "COB1007";
    /// <summary>A dimension is not valid.</summary>
    public const string BadDimension = "COB1008";
    /// <summary>A value is used that nothing defines.</summary>
    public const string UndefinedValue = "COB1009";
    /// <summary>The opset is not supported.</summary>
    public const string UnsupportedOpset = "COB1010";
    /// <summary>External data cannot be read.</summary>
    public const string ExternalDataUnreadable = "COB1011";
    /// <summary>The model is too large.</summary>
    public const string ModelTooLarge = "COB1012";
    /// <summary>ONNX Runtime cannot load the model.</summary>
    public const string RuntimeRefused = "COB1020";
    /// <summary>ONNX Runtime cannot run the model on the data.</summary>
    public const string RuntimeFailed = "COB1021";
    /// <summary>A run of the model took too long.</summary>
    public const string RuntimeTimeout = "COB1022";
    /// <summary>A run of the model took too much memory.</summary>
    public const string RuntimeMemory = "COB1023";
    /// <summary>The model gives different outputs for equal inputs.</summary>
    public const string NotDeterministic = "COB1024";
    /// <summary>The project's ONNX Runtime is older than the model needs.</summary>
    public const string RuntimeTooOld = "COB1025";

    // 11xx: data sets
    /// <summary>There is no data to measure with.</summary>
    public const string NoData = "COB1101";
    /// <summary>The data set does not exist.</summary>
    public const string DataNotFound = "COB1102";
    /// <summary>The data has no known format.</summary>
    public const string DataFormatUnknown = "COB1103";
    /// <summary>The data cannot be read.</summary>
    public const string DataUnreadable = "COB1104";
    /// <summary>The data holds no samples.</summary>
    public const string DataEmpty = "COB1105";
    /// <summary>The data is too large.</summary>
    public const string DataTooLarge = "COB1106";
    /// <summary>A model input has no data.</summary>
    public const string InputMissing = "COB1107";
    /// <summary>The data does not fit a model input.</summary>
    public const string InputMismatch = "COB1108";
    /// <summary>The arrays have different numbers of samples.</summary>
    public const string SampleCountsDiffer = "COB1109";
    /// <summary>An array is damaged.</summary>
    public const string NpzDamaged = "COB1110";
    /// <summary>An array holds pickled objects.</summary>
    public const string NpzPickled = "COB1111";
    /// <summary>The type of an array is not supported.</summary>
    public const string NpzTypeUnsupported = "COB1112";
    /// <summary>The labels are not valid.</summary>
    public const string LabelsInvalid = "COB1113";
    /// <summary>A picture cannot be decoded.</summary>
    public const string ImageUnreadable = "COB1114";
    /// <summary>Class folders have no clear order.</summary>
    public const string ImageClassesAmbiguous = "COB1115";
    /// <summary>Pictures have no preprocessing.</summary>
    public const string PreprocessingMissing = "COB1116";
    /// <summary>The preprocessing is not valid.</summary>
    public const string PreprocessingInvalid = "COB1117";
    /// <summary>evaluation.json is not valid.</summary>
    public const string EvaluationConfigurationInvalid = "COB1118";
    /// <summary>ONNX test data is not valid.</summary>
    public const string TestDataInvalid = "COB1119";
    /// <summary>Part of the data is left out.</summary>
    public const string DataIgnored = "COB1120";
    /// <summary>The metric is unknown.</summary>
    public const string MetricUnknown = "COB1121";
    /// <summary>The metric needs labels.</summary>
    public const string MetricNeedsLabels = "COB1122";
    /// <summary>The metric does not fit the data.</summary>
    public const string MetricDoesNotFit = "COB1123";
    /// <summary>A label is not among the model's classes.</summary>
    public const string LabelOutOfRange = "COB1124";
    /// <summary>There are few samples.</summary>
    public const string FewSamples = "COB1125";
    /// <summary>Calibration data repeats evaluation data.</summary>
    public const string SplitsOverlap = "COB1126";
    /// <summary>A row of a table is not valid.</summary>
    public const string TableInvalid = "COB1130";
    /// <summary>Texts have no tokenizer.</summary>
    public const string TokenizerMissing = "COB1131";
    /// <summary>The tokenizer is not valid.</summary>
    public const string TokenizerInvalid = "COB1132";
    /// <summary>The tokenizer is not supported.</summary>
    public const string TokenizerUnsupported = "COB1133";
    /// <summary>A recording cannot be decoded.</summary>
    public const string SoundUnreadable = "COB1140";
    /// <summary>A recording has another rate or length than the model takes.</summary>
    public const string SoundMismatch = "COB1141";
    /// <summary>The states of evaluation.json do not fit the model.</summary>
    public const string StatesInvalid = "COB1142";
    /// <summary>The assembly of an evaluator cannot be loaded.</summary>
    public const string EvaluatorNotLoadable = "COB1143";
    /// <summary>The type of an evaluator cannot be used.</summary>
    public const string EvaluatorTypeInvalid = "COB1144";
    /// <summary>The code of an evaluator failed.</summary>
    public const string EvaluatorFailed = "COB1145";
    /// <summary>An evaluator returned something that is no result.</summary>
    public const string EvaluatorResultInvalid = "COB1146";

    /// <summary>An output does not fit the labels.</summary>
    public const string OutputDoesNotFitLabel = "COB1150";
    /// <summary>Nothing says how detections are read.</summary>
    public const string DetectionsUnknown = "COB1151";

    // 2xxx: recipe and plan
    /// <summary>There is no such recipe.</summary>
    public const string RecipeNotFound = "COB2001";
    /// <summary>A recipe has an unknown key.</summary>
    public const string RecipeUnknownKey = "COB2002";
    /// <summary>A recipe has an invalid value.</summary>
    public const string RecipeInvalidValue = "COB2003";
    /// <summary>A recipe has a value of the wrong type.</summary>
    public const string RecipeWrongType = "COB2004";
    /// <summary>The recipe is not JSON.</summary>
    public const string RecipeNotJson = "COB2005";
    /// <summary>The recipe cannot be read.</summary>
    public const string RecipeUnreadable = "COB2006";
    /// <summary>A recipe has a key twice.</summary>
    public const string RecipeDuplicateKey = "COB2007";
    /// <summary>A recipe lacks a key.</summary>
    public const string RecipeMissingKey = "COB2008";
    /// <summary>A rewrite of the graph was taken back.</summary>
    public const string RewriteRejected = "COB2009";
    /// <summary>The search was cut short.</summary>
    public const string SearchCutShort = "COB2010";
    /// <summary>A rule names no weight of the model.</summary>
    public const string RuleMatchesNothing = "COB2011";

    // 21xx: why a weight was left alone
    /// <summary>A weight is too small to compress.</summary>
    public const string WeightTooSmall = "COB2101";
    /// <summary>A weight is not stored as 32-bit floats.</summary>
    public const string WeightNotFloat = "COB2102";
    /// <summary>No compressed form for a weight is known.</summary>
    public const string WeightHasNoForm = "COB2103";
    /// <summary>The recipe leaves a weight alone.</summary>
    public const string RuleLeftAlone = "COB2105";
    /// <summary>A weight holds values that the smaller form cannot.</summary>
    public const string WeightOutOfRange = "COB2106";
    /// <summary>No operator that reads a weight has a compressed form for it.</summary>
    public const string OperatorHasNoForm = "COB2107";
    /// <summary>Steps that change the graph need data.</summary>
    public const string StepsNeedData = "COB2108";
    /// <summary>A recipe took nothing away.</summary>
    public const string NothingTaken = "COB2109";
    /// <summary>A weight is quantized already.</summary>
    public const string WeightQuantized = "COB2110";

    // 3xxx: lock and caches
    /// <summary>The inputs of a lock file changed.</summary>
    public const string LockedInputsChanged = "COB3001";
    /// <summary>There is no lock file to follow.</summary>
    public const string LockMissing = "COB3002";
    /// <summary>Locked mode and renewing contradict each other.</summary>
    public const string LockModesContradict = "COB3003";
    /// <summary>A lock file holds a merge conflict.</summary>
    public const string LockHasConflict = "COB3004";
    /// <summary>A lock file is not valid.</summary>
    public const string LockInvalid = "COB3005";
    /// <summary>A lock file is of a newer version.</summary>
    public const string LockVersionNewer = "COB3006";
    /// <summary>A lock file does not fit its model.</summary>
    public const string LockDoesNotFit = "COB3007";
    /// <summary>Following a lock file gave other bytes.</summary>
    public const string LockGaveOtherBytes = "COB3008";
    /// <summary>The accepted result cannot be compared.</summary>
    public const string LockNotComparable = "COB3009";
    /// <summary>A lock file cannot be written.</summary>
    public const string LockNotWritable = "COB3010";
    /// <summary>There is no accepted result to compare with.</summary>
    public const string RegressionWithoutLock = "COB3011";

    // 4xxx: the gate
    /// <summary>Optimized and unoptimized execution differ.</summary>
    public const string SelfCheckFailed = "COB4010";
    /// <summary>The compressed model is less accurate than allowed.</summary>
    public const string AccuracyDropped = "COB4001";
    /// <summary>A required value was not reached.</summary>
    public const string RequirementMissed = "COB4002";
    /// <summary>The compressed model is larger than allowed.</summary>
    public const string TooLarge = "COB4003";
    /// <summary>The compressed model is slower than allowed.</summary>
    public const string TooSlow = "COB4004";
    /// <summary>A limit was given but no data to measure it.</summary>
    public const string LimitWithoutData = "COB4005";
    /// <summary>The data do not decide whether the model is good enough.</summary>
    public const string Undecided = "COB4006";
    /// <summary>The compressed model is not smaller.</summary>
    public const string Grew = "COB4007";
    /// <summary>An output that no metric scores was ruined.</summary>
    public const string OtherOutputRuined = "COB4008";

    /// <summary>The limit is larger than any loss.</summary>
    public const string LimitNeverBroken = "COB4012";
    /// <summary>The compressed model is worse than the accepted one.</summary>
    public const string Regressed = "COB4011";
    /// <summary>The compressed model is less accurate than allowed on processors without VNNI.</summary>
    public const string Avx2AccuracyDropped = "COB4020";
    /// <summary>The data do not decide whether the model is good enough on processors without VNNI.</summary>
    public const string Avx2AccuracyUndecided = "COB4021";
    /// <summary>The accuracy on processors without VNNI is not known.</summary>
    public const string Avx2AccuracyUnknown = "COB4022";

    // 5xxx: output
    /// <summary>The output cannot be written.</summary>
    public const string OutputNotWritable = "COB5001";
    /// <summary>The output would replace the original model.</summary>
    public const string OutputIsInput = "COB5002";
    /// <summary>A stored result cannot be read.</summary>
    public const string StoredResultUnreadable = "COB5003";
    /// <summary>The summary for the build server cannot be written.</summary>
    public const string SummaryNotWritten = "COB5004";

    // 9xxx: bugs
    /// <summary>A bug in CompressOnBuild.</summary>
    public const string Bug = "COB9001";
}
