using CompressOnBuild.Onnx;

namespace CompressOnBuild.Rewrites;

/// <summary>
/// Renames values of a body that bear the name of a value of a graph around it. ONNX forbids such names but runtimes accept them, and a rewrite that lets the body read
/// the outer value would meet the inner one instead.
/// Legal always: inputs and outputs of bodies are matched by position, and the names of the main graph stay.
/// </summary>
internal sealed class ShadowedNames : IRewrite
{
    public string Name => "rename-shadowed-values";

    public string Describe(int count) => $"renamed {count} values inside bodies that bore an outer value's name";

    public int Apply(Model model) => Visit(model.Graph, []);

    private static int Visit(Graph graph, HashSet<string> around)
    {
        var renamed = 0;
        var own = new List<string>();
        foreach (var value in graph.Inputs.Concat(graph.Initializers).Concat(graph.Nodes.SelectMany(n => n.Outputs).OfType<Value>()).Distinct())
        {
            if (around.Contains(value.Name)) { value.Name = graph.Model.NewName(value.Name); renamed++; }
            own.Add(value.Name);
        }
        own.RemoveAll(name => !around.Add(name));
        foreach (var body in graph.Nodes.SelectMany(n => n.Bodies)) renamed += Visit(body, around);
        foreach (var name in own) around.Remove(name);
        return renamed;
    }
}
