using System.CommandLine;
using System.Text.Json;
using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Commands;

/// <summary><c>moirai ps</c>: the processes that use Moirai, their runtimes, and the counts.</summary>
internal static class PsCommand
{
    private const string Description = """
        Lists the processes that use Moirai, with their runtimes and counts.

        Asks each .NET process of this user. Needs no port and no change in the process.
        """;

    private static readonly string[] Counts = ["live", "ready", "failed", "alarms", "created", "completed", "canceled", "slots", "scopes", "timers"];

    // So many are always shown.
    private const int Shown = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create(Terminal terminal)
    {
        var all = new Option<bool>("--all", "-a") { Description = "Also .NET processes without Moirai, and those that could not be asked." };
        var json = new Option<bool>("--json") { Description = "One line of JSON for each process." };
        var command = new Command("ps", Description) { all, json };
        command.Do(terminal, async (parsed, ct) =>
        {
            Found[] found = await Task.WhenAll(Target.All().Select(target => AskAsync(target, ct)));
            if (parsed.GetValue(json))
            {
                WriteJson(found, terminal.Out);
            }
            else
            {
                WriteTable(found, parsed.GetValue(all), terminal);
            }

            // Whoever looks for a process that hangs must not take it for one that is not there.
            foreach (Found process in found.Where(process => process.IsSilent && (parsed.GetValue(json) || !parsed.GetValue(all))))
            {
                await terminal.Error.WriteLineAsync(Words.Wrap(process.Trouble!, terminal.Width, hang: 0));
            }

            return 0;
        });
        return command;
    }

    private static async Task<Found> AskAsync(Target target, CancellationToken ct)
    {
        try
        {
            return new Found(target, await Asking.OnceAsync(target, static () => new Question("ps"), Patience, ct), null);
        }
        catch (CannotAskException error)
        {
            return new Found(target, null, error.IsNotOurs ? "without Moirai" : error.Message) { IsSilent = error.IsSilent };
        }
    }

    private static void WriteTable(Found[] found, bool all, Terminal terminal)
    {
        var table = new TextTable([">pid", "process", "runtime", .. Counts.Select(static (count, place) => place < Shown ? $">{count}" : $"?>{count}")]);
        foreach (Found process in found)
        {
            string pid = $"{process.Target.Id}";
            string name = process.Target.Name ?? string.Empty;
            foreach (JsonElement runtime in process.Answer?.Runtimes ?? [])
            {
                table.Add([pid, name, runtime.GetProperty("name").GetString()!, .. Counts.Select(count => Number(runtime, count))]);
            }

            if (process.Answer is { Runtimes.Count: 0 })
            {
                table.Add([pid, name, "(none runs)", .. Counts.Select(static _ => string.Empty)]);
            }
        }

        if (table.Rows > 0)
        {
            table.Write(terminal.Out, terminal.Width);
        }
        else
        {
            terminal.Out.WriteLine("No process of yours uses Moirai.");
        }

        if (all)
        {
            foreach (Found process in found.Where(static process => process.Answer is null))
            {
                terminal.Out.WriteLine(Words.Wrap($"{process.Target.Id}  {process.Target.Name}: {process.Trouble}", terminal.Width));
            }
        }
    }

    private static void WriteJson(Found[] found, TextWriter to)
    {
        foreach (Found process in found.Where(static process => process.Answer is not null))
        {
            to.WriteLine(JsonSerializer.Serialize(new { process = process.Target.Id, name = process.Target.Name, version = process.Answer!.Version, runtimes = process.Answer.Runtimes }));
        }
    }

    // A process of before may not tell all.
    private static string Number(JsonElement runtime, string name) => runtime.TryGetProperty(name, out JsonElement value) ? Words.Count(value.GetInt64()) : "?";

    private sealed record Found(Target Target, Answer? Answer, string? Trouble)
    {
        public bool IsSilent { get; init; }
    }
}
