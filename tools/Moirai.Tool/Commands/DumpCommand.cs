using System.CommandLine;
using System.Text.Json;
using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Commands;

/// <summary><c>moirai dump</c>: what every task is doing, once.</summary>
internal static class DumpCommand
{
    private const string Description = """
        Tells what every task of a process is doing: where it stands, what it waits for, since when, and who holds that.

        Tasks that stand at the same place are told together. Nothing is stopped, and no code of the process runs.
        """;

    public static Command Create(Terminal terminal)
    {
        var target = new TargetOptions();
        var json = new Option<bool>("--json") { Description = "The snapshot as JSON (docs/snapshot.md), a line for each runtime." };
        Option<int?> tasks = Numbers.Whole(("--tasks", "-t"), (0, 100_000), "How many tasks are told one by one, up to 100,000. By default none in text, and 10,000 with --json.", "count");
        var command = new Command("dump", Description) { json, tasks };
        target.AddTo(command);
        command.Do(terminal, async (parsed, ct) =>
        {
            bool asJson = parsed.GetValue(json);
            int count = parsed.GetValue(tasks) ?? (asJson ? 10_000 : 0);
            Answer answer = await Asking.OnceAsync(
                target.Find(parsed), () => new Question("snapshot").With("tasks", count).With("rows", asJson ? 1_000 : 200).With("runtime", target.Runtime(parsed)), Commanding.Patience, ct);
            if (answer.Runtimes.Count == 0)
            {
                await terminal.Error.WriteLineAsync("No runtime runs in that process any more.");
            }

            bool isFirst = true;
            foreach (JsonElement runtime in answer.Runtimes)
            {
                if (asJson)
                {
                    await terminal.Out.WriteLineAsync(runtime.GetProperty("snapshot").GetRawText());
                    continue;
                }

                if (!isFirst)
                {
                    await terminal.Out.WriteLineAsync();
                }

                DumpText.Write(Commanding.SnapshotOf(runtime), AlarmRow.ListOf(runtime), EventRow.ListOf(runtime), terminal.Out, terminal.Width);
                isFirst = false;
            }

            return 0;
        });
        return command;
    }
}
