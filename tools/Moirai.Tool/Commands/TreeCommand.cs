using System.CommandLine;
using System.Text.Json;
using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Commands;

/// <summary><c>moirai tree</c>: scopes and pools, and what their tasks do.</summary>
internal static class TreeCommand
{
    private const string Description = """
        Shows the tree of scopes and pools of a process, and what the tasks in each are doing.

        Tasks of one scope that do the same are told together; of each scope up to 1,000 are looked at.
        """;

    private const int MostTasks = 20_000;
    private const int MostTasksEach = 1_000;

    public static Command Create(Terminal terminal)
    {
        var target = new TargetOptions();
        var command = new Command("tree", Description);
        target.AddTo(command);
        command.Do(terminal, async (parsed, ct) =>
        {
            Answer answer = await Asking.OnceAsync(
                target.Find(parsed),
                () => new Question("snapshot").With("tasks", MostTasks).With("each", MostTasksEach).With("rows", 1_000).With("chains", 0).With("runtime", target.Runtime(parsed)),
                Commanding.Patience,
                ct);
            foreach (JsonElement runtime in answer.Runtimes)
            {
                TreeText.Write(Commanding.SnapshotOf(runtime), terminal.Out, terminal.Width);
            }

            return 0;
        });
        return command;
    }
}
