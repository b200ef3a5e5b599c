using System.CommandLine;
using CompressOnBuild.Diagnostics;
using CompressOnBuild.Planning;

namespace CompressOnBuild.Worker.Commands;

/// <summary><c>recipe</c>: prints a preset, checks a recipe file, or prints the JSON schema.</summary>
internal sealed class RecipeCommand(TextWriter output)
{
    private readonly Argument<string?> name = new("name") { Arity = ArgumentArity.ZeroOrOne, Description = $"A preset ({string.Join(", ", Recipe.Presets)}), or the path of a recipe file to check. Without it the presets are listed." };
    private readonly Option<bool> schema = new("--schema") { Description = "Print the JSON schema of recipe files." };

    public Command Create()
    {
        var command = new Command("recipe", "Print a preset as a starting point, check a recipe file, or print the schema.") { name, schema };
        command.SetAction(Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (parsed.GetValue(schema)) output.Write(Recipe.Schema);
        else if (parsed.GetValue(name) is not { } chosen)
        {
            foreach (var preset in Recipe.Presets) output.Write($"{preset,-14} {Recipe.Load(preset).Description}\n");
        }
        else
        {
            // A file is read whole before a word is printed: what is wrong with it is the answer.
            var recipe = Recipe.Load(chosen);
            output.Write(Recipe.PresetText(chosen) ?? $"{ConsoleText.Line(chosen)} is valid: {recipe.Rules.Count} rules, SHA-256 {recipe.Sha256}\n");
        }
        return ExitCode.Success;
    }
}
