using System.CommandLine;
using CompressOnBuild.Benchmarks;
using CompressOnBuild.Benchmarks.Forms;
using CompressOnBuild.Benchmarks.Haswell;
using CompressOnBuild.Benchmarks.IsNet;
using CompressOnBuild.Benchmarks.Statistics;
using CompressOnBuild.Benchmarks.Zoo;

var root = new RootCommand("Measures the product: what it makes of real models, and what it costs a build.")
{
    ZooCommand.Create(),
    AblationCommand.Create(),
    TimeCommand.Create(),
    TimeCommand.CreatePlain(),
    WidthsCommand.Create(),
    SqnrCommand.Create(),
    SparsityCommand.Create(),
    BuildCommand.Create(),
    DeterminismCommand.Create(),
    FormsCommand.Create(),
    EvaluationCommand.Create(),
    HaswellCommand.Create(),
    HaswellRun.Create(),
    GateCommand.Create(),
    ParityCommand.Create(),
    StructureCommand.Create(),
    FamiliesCommand.Create(),
    IsNetCommand.Create(),
    TransportCommand.Create(),
};
return root.Parse(args).Invoke();
