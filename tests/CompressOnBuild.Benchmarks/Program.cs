using System.CommandLine;
using CompressOnBuild.Benchmarks.Zoo;

var root = new RootCommand("Measures the product: what it makes of real models, and what it costs a build.")
{
    ZooCommand.Create(),
};
return root.Parse(args).Invoke();
