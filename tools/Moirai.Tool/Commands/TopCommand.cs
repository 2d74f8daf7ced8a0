using System.CommandLine;
using System.Text;
using Moirai.Tool.Connecting;
using Moirai.Tool.Top;
using Moirai.Tool.Views;

namespace Moirai.Tool.Commands;

/// <summary><c>moirai top</c>: what goes on in a process, live.</summary>
internal static class TopCommand
{
    private const string Description = """
        Shows live what goes on in a process: tasks by state, the busiest, those that have waited longest, slots, alarms.

        Keys: s sort, / filter by name, p pause, r next runtime, q quit. Where the output goes into a file or
        another program, one picture in plain text is written, or as many as --count says.
        """;

    private static readonly TimeSpan OnScreen = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan InText = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan KeyPause = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongSilence = TimeSpan.FromSeconds(3);

    private const TopOrder NoOrder = (TopOrder)(-1);
    private const int PlainHeight = 40;
    private const int PlainWidth = 120;

    public static Command Create(Terminal terminal)
    {
        var target = new TargetOptions();
        Option<int?> every = Numbers.Whole(("--every", "-e"), (50, 60_000), "Milliseconds from picture to picture, 50 or more: 100 on a screen, 1,000 in plain text.", "ms");
        Option<int?> count = Numbers.Whole(("--count", "-c"), (1, int.MaxValue), "Ends after so many pictures: never on a screen, after one in plain text.", "count");
        var sort = new Option<TopOrder>("--sort", "-s")
        {
            Description = "Which tasks: both, busy, waited, name.",
            HelpName = "order",
            CustomParser = static result =>
            {
                string text = result.Tokens[0].Value;
                if (Enum.GetValues<TopOrder>().FirstOrDefault(order => string.Equals(order.ToString(), text, StringComparison.OrdinalIgnoreCase), NoOrder) is var order && order != NoOrder)
                {
                    return order;
                }

                result.AddError($"--sort is both, busy, waited or name, not '{text}'.");
                return default;
            },
        };
        var filter = new Option<string?>("--filter", "-f") { Description = "Only tasks with this in their names.", HelpName = "text" };
        var command = new Command("top", Description) { every, count, sort, filter };
        target.AddTo(command);
        command.Do(
            terminal,
            async (parsed, ct) =>
            {
                bool isLive = terminal is { IsScreen: true, HasAnsi: true };
                TimeSpan pause = parsed.GetValue(every) is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : isLive ? OnScreen : InText;
                var model = new TopModel { Order = parsed.GetValue(sort), Filter = parsed.GetValue(filter) ?? string.Empty };
                string? runtime = target.Runtime(parsed);
                var view = new View(terminal, target.Find(parsed), model, pause, () => new Question("top", pause).With("tasks", 50).With("filter", model.Filter).With("runtime", runtime));
                await (isLive ? view.ShowAsync(parsed.GetValue(count) ?? int.MaxValue, ct) : view.WriteAsync(parsed.GetValue(count) ?? (terminal.IsScreen ? int.MaxValue : 1), ct));
                return 0;
            },
            isLive: true);
        return command;
    }

    private sealed class View(Terminal terminal, Target target, TopModel model, TimeSpan pause, Func<Question> ask)
    {
        private bool _quits;
        private bool _asksAnew;

        /// <summary>Pictures as plain text, one below the other. The first comes with the second answer: rates need two.</summary>
        public async Task WriteAsync(int count, CancellationToken ct)
        {
            await using var conversation = new LiveConversation(target, ask);
            for (int written = 0; written < count;)
            {
                if (await conversation.NextAsync(LongSilence, ct) is not Message.Answered answered)
                {
                    continue;
                }

                model.Take(Answer.Read(answered.Text));
                if (model.Answers > 1)
                {
                    foreach (ScreenLine line in TopScreen.Draw(model, target, PlainWidth, PlainHeight, keys: false))
                    {
                        await terminal.Out.WriteLineAsync(line.ToString());
                    }

                    await terminal.Out.WriteLineAsync();
                    await terminal.Out.FlushAsync(ct);
                    written++;
                }
            }
        }

        /// <summary>A picture on the screen, drawn over and over, with keys.</summary>
        public async Task ShowAsync(int count, CancellationToken ct)
        {
            await using var conversation = new LiveConversation(target, ask);
            long last = TimeProvider.System.GetTimestamp();
            int shown = 0;
            await conversation.NextAsync(LongSilence, ct); // who cannot be asked is told of on the screen as it is
            terminal.Out.Write("\e[?1049h\e[?25l");
            try
            {
                while (!_quits && shown < count)
                {
                    bool isDirty = HandleKeys();
                    if (_asksAnew)
                    {
                        _asksAnew = false;
                        await conversation.AskAnewAsync(ask, ct);
                    }

                    Message? message = await conversation.NextAsync(KeyPause, ct);
                    if (message is Message.Answered answered)
                    {
                        last = TimeProvider.System.GetTimestamp();
                        if (!model.IsPaused)
                        {
                            model.Take(Answer.Read(answered.Text));
                            shown++;
                            isDirty = true;
                        }
                    }

                    TimeSpan silence = TimeProvider.System.GetElapsedTime(last);
                    isDirty |= silence > LongSilence + pause;
                    model.Silence = silence > LongSilence + pause ? silence : null;
                    if (isDirty)
                    {
                        Draw();
                    }
                }
            }
            finally
            {
                terminal.Out.Write("\e[?25h\e[?1049l");
                terminal.Out.Flush();
            }
        }

        private void Draw()
        {
            (int width, int height) = terminal.Size();
            var text = new StringBuilder("\e[H");
            List<ScreenLine> lines = TopScreen.Draw(model, target, width, height, keys: true);
            for (int i = 0; i < lines.Count && i < height; i++)
            {
                lines[i].AppendTo(text.Append(i == 0 ? string.Empty : "\r\n"), width, terminal.HasColors);
                text.Append("\e[K");
            }

            terminal.Out.Write(text.Append("\e[J").ToString());
            terminal.Out.Flush();
        }

        private bool HandleKeys()
        {
            bool any = false;
            while (terminal.TryReadKey() is { } key)
            {
                any = true;
                if (model.Typed is { } typed)
                {
                    Type(key, typed);
                    continue;
                }

                switch (key.KeyChar)
                {
                    case 's':
                        model.ShowNextOrder();
                        break;
                    case '/':
                        model.Typed = model.Filter;
                        break;
                    case 'p' or ' ':
                        model.IsPaused = !model.IsPaused;
                        break;
                    case 'r':
                        model.ShowNext();
                        break;
                    case 'q' or '\e':
                        _quits = true;
                        break;
                }
            }

            return any;
        }

        private void Type(ConsoleKeyInfo key, string typed)
        {
            switch (key.Key)
            {
                case ConsoleKey.Enter:
                    model.Filter = typed;
                    model.Typed = null;
                    _asksAnew = true;
                    break;
                case ConsoleKey.Escape:
                    model.Typed = null;
                    break;
                case ConsoleKey.Backspace:
                    model.Typed = typed[..Math.Max(0, typed.Length - 1)];
                    break;
                default:
                    model.Typed = char.IsControl(key.KeyChar) ? typed : typed + key.KeyChar;
                    break;
            }
        }
    }
}
