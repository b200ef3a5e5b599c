namespace CompressOnBuild.Worker;

/// <summary>What the tool returns to its caller.</summary>
internal static class ExitCode
{
    /// <summary>Done and not failed.</summary>
    public const int Success = 0;
    /// <summary>A coded error was printed; a failed gate too.</summary>
    public const int Error = 1;
    /// <summary>The command line is wrong; nothing was done.</summary>
    public const int Usage = 2;
    /// <summary>A bug in the tool.</summary>
    public const int Bug = 3;
}
