namespace CompressOnBuild.Tasks;

/// <summary>
/// The codes that the build side prints itself. The engine's <c>Codes.cs</c> holds the same values and the pages that explain them;
/// a test keeps both equal, because this assembly must not load the engine into the build's process.
/// </summary>
internal static class TaskCodes
{
    internal const string BadMetadata = "COB0001";
    internal const string UnsupportedBuild = "COB0002";
    internal const string NoDotNetHost = "COB0003";
    internal const string PathNotFound = "COB0004";
    internal const string DuplicateModelName = "COB0005";
    internal const string NotAvailable = "COB0006";
    internal const string TooLargeToEmbed = "COB0007";
    internal const string UnknownMetadata = "COB0008";
    internal const string OutputFolderNotWritable = "COB0009";
    internal const string StaleWithNoBuild = "COB0010";
    internal const string ItemsNotValid = "COB0011";
    internal const string ModelNotFound = "COB1001";
    internal const string Bug = "COB9001";
}
