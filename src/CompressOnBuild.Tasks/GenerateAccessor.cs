using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CompressOnBuild.Tasks;

/// <summary>
/// Writes <c>CompressedModels.g.cs</c>, only if it differs. Runs after the compression because the model's own names and size are known then.
/// </summary>
[MSBuildMultiThreadableTask]
public sealed class GenerateAccessor : Task
{
    /// <summary>Compilers and the metadata of an assembly cannot carry more; long before that a copied file loads faster.</summary>
    internal const long MaxEmbeddedBytes = 1L << 30;

    /// <summary>From <see cref="ResolveCompressModels.Accessors"/>.</summary>
    [Required]
    public ITaskItem[] Models { get; set; } = [];

    /// <summary>Full path of the source file; empty in a project that is not C#: then only sizes are checked.</summary>
    public string File { get; set; } = "";

    /// <summary>Namespace of the accessor; empty: the global one.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>Whether the project references ONNX Runtime.</summary>
    public bool OnnxRuntime { get; set; }

    public override bool Execute()
    {
        bool valid = true;
        var models = new List<AccessorModel>(Models.Length);
        foreach (ITaskItem item in Models)
        {
            string folder = item.GetMetadata("Folder");
            var model = new AccessorModel
            {
                AccessorName = item.ItemSpec,
                Embedded = item.GetMetadata("Deployment") == "embed",
                LogicalName = item.GetMetadata("LogicalName"),
                Packed = item.GetMetadata("Packed") == "true",
                HasReport = folder.Length > 0,
            };
            if (folder.Length > 0)
                AccessorSource.ReadNames(Path.Combine(folder, "accessor.txt"), model);
            // Switched off, or not compressed yet: the original has the same names.
            if (model.Inputs.Count == 0 && model.Outputs.Count == 0)
                OnnxNames.Read(item.GetMetadata("Source"), model);
            models.Add(model);
            if (model.Embedded)
            {
                var info = new FileInfo(item.GetMetadata("File"));
                if (info.Exists && info.Length > MaxEmbeddedBytes)
                {
                    valid = false;
                    Log.LogError(null, TaskCodes.TooLargeToEmbed, TaskCodes.TooLargeToEmbed, BuildEngine.ProjectFileOfTaskNode, 0, 0, 0, 0, LogText.Clean(
                        $"'{item.GetMetadata("Spec")}' would add {info.Length >> 20} MB to the assembly. At most {MaxEmbeddedBytes >> 20} MB can be embedded. Set Deployment=\"content\" on the item."));
                }
            }
        }
        return valid && (File.Length == 0 || WriteSource(AccessorSource.Write(Identifier.ToNamespace(Namespace), models, OnnxRuntime)));
    }

    private bool WriteSource(string source)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(source);
        try
        {
            if (System.IO.File.Exists(File) && System.IO.File.ReadAllText(File) == source)
                return true;
            Directory.CreateDirectory(Path.GetDirectoryName(File)!);
            InputsFile.WriteAtomically(File, bytes);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.LogError(null, TaskCodes.OutputFolderNotWritable, TaskCodes.OutputFolderNotWritable, File, 0, 0, 0, 0,
                LogText.Clean($"The accessor cannot be written: {e.Message} The folder must be writable. Change its permissions or BaseIntermediateOutputPath."));
            return false;
        }
    }
}
