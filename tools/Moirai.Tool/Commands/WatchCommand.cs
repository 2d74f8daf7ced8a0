using System.CommandLine;
using System.Text.Json;
using Moirai.Tool.Connecting;
using Moirai.Tool.Views;

namespace Moirai.Tool.Commands;

/// <summary><c>moirai watch</c>: the alarms of a process as they come, and what else an operator should know.</summary>
internal static class WatchCommand
{
    private const string Description = """
        Shows the alarms that a process has, then those that come and go, and whatever else it tells operators:
        deadlocks, leaks, failures at which nobody looks. Ctrl-C ends it.
        """;

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    public static Command Create(Terminal terminal)
    {
        var target = new TargetOptions();
        var json = new Option<bool>("--json") { Description = "A line of JSON for each event." };
        Option<int?> count = Numbers.Whole(("--count", "-c"), (1, int.MaxValue), "Ends after so many lines; by default never.", "count");
        var command = new Command("watch", Description) { json, count };
        target.AddTo(command);
        command.Do(
            terminal,
            async (parsed, ct) =>
            {
                Target process = target.Find(parsed);
                string? runtime = target.Runtime(parsed);
                var lines = new Lines(terminal, parsed.GetValue(json));
                await using var conversation = new LiveConversation(process, () => new Question("alarms", Every).With("runtime", runtime));
                bool isFirst = true;
                while (lines.Written < (parsed.GetValue(count) ?? int.MaxValue))
                {
                    switch (await conversation.NextAsync(Pause, ct))
                    {
                        case Message.Answered answered when isFirst:
                            isFirst = false;
                            Begin(Answer.Read(answered.Text), process, lines, terminal);
                            break;
                        case Message.Happened happened when runtime is null || happened.Runtime.Length == 0 || happened.Runtime == runtime:
                            lines.Write(happened);
                            break;
                    }
                }

                return 0;
            },
            isLive: true);
        return command;
    }

    private static void Begin(Answer answer, Target process, Lines lines, Terminal terminal)
    {
        bool isWatched = false;
        lines.TellsRuntimes = answer.Runtimes.Count > 1;
        foreach (JsonElement runtime in answer.Runtimes)
        {
            IReadOnlyList<AlarmRow>? alarms = AlarmRow.ListOf(runtime);
            isWatched |= alarms is not null;
            foreach (AlarmRow alarm in alarms ?? [])
            {
                lines.Write(new Message.Happened(RuntimeEventKind.Alarm, default, alarm.Text, alarm.Name, string.Empty, runtime.GetProperty("name").GetString()!), alarm.RaisedAt);
            }
        }

        if (!isWatched)
        {
            terminal.Error.WriteLine(Words.Wrap($"No runtime of {process.Title} raises alarms (TaskRuntimeOptions.Alarms is not set there). Other events are shown.", terminal.Width, hang: 0));
        }
    }

    private sealed class Lines(Terminal terminal, bool json)
    {
        public int Written { get; private set; }

        /// <summary>Whether there are several, so that it must be told which one says what.</summary>
        public bool TellsRuntimes { get; set; }

        public void Write(Message.Happened happened, DateTimeOffset? at = null)
        {
            Written++;
            DateTimeOffset time = at ?? TimeProvider.System.GetUtcNow();
            terminal.Out.WriteLine(json
                ? JsonSerializer.Serialize(new { time, runtime = happened.Runtime, kind = $"{happened.Kind}", task = happened.Task.Value, name = happened.Name, spawnSite = happened.SpawnSite, message = happened.Text })
                : Words.Wrap($"{time.UtcDateTime:HH:mm:ss}Z  {(TellsRuntimes && happened.Runtime.Length > 0 ? $"'{happened.Runtime}' " : string.Empty)}{(happened.Kind is RuntimeEventKind.Alarm or RuntimeEventKind.AlarmCleared ? string.Empty : $"{happened.Kind}: ")}{happened.Text}", terminal.Width, hang: 11));
            terminal.Out.Flush();
        }
    }
}
