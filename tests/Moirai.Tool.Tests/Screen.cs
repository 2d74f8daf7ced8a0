using System.Text.RegularExpressions;

namespace Moirai.Tool.Tests;

/// <summary>A terminal that can be drawn on, and somebody before it who presses a key when he sees something.</summary>
internal sealed partial class Screen(int width, int height)
{
    private readonly Queue<(string Seen, Action Press)> _script = [];
    private readonly Queue<ConsoleKeyInfo> _keys = [];
    private readonly PictureWriter _output = new();
    private readonly StringWriter _errors = new() { NewLine = "\n" };
    private CancellationTokenSource? _limit;

    /// <summary>Ctrl-C.</summary>
    public const string Interrupt = "\u0003";

    public string Raw => _output.ToString();

    public string Errors => _errors.ToString();

    /// <summary>How much of the script was not come to.</summary>
    public int Unpressed => _script.Count;

    /// <summary>What was drawn, one picture after the other, without colors.</summary>
    public List<string[]> Pictures => _output.Pictures;

    /// <summary>Presses keys once the last picture shows something.</summary>
    public Screen On(string seen, string keys) => On(seen, () =>
    {
        if (keys == Interrupt)
        {
            _limit!.Cancel();
        }

        foreach (char key in keys)
        {
            _keys.Enqueue(new ConsoleKeyInfo(key, key switch { '\r' => ConsoleKey.Enter, '\b' => ConsoleKey.Backspace, '\e' => ConsoleKey.Escape, _ => ConsoleKey.None }, shift: false, alt: false, control: false));
        }
    });

    /// <summary>Does something once the last picture shows something.</summary>
    public Screen On(string seen, Action then)
    {
        _script.Enqueue((seen, then));
        return this;
    }

    public async Task<int> RunAsync(params string[] args)
    {
        _limit = new CancellationTokenSource(Patience.Limit, TimeProvider.System);
        using (_limit)
        {
            return await CommandLine.RunAsync(
                args, new Terminal { Out = _output, Error = _errors, IsScreen = true, HasAnsi = true, HasColors = true, Size = () => (width, height), TryReadKey = TryReadKey }, _limit.Token);
        }
    }

    // With a ! before it: what it does not show any more.
    private static bool Shows(string[] picture, string what) => what.StartsWith('!')
        ? picture.All(line => !line.Contains(what[1..], StringComparison.Ordinal))
        : picture.Any(line => line.Contains(what, StringComparison.Ordinal));

    private ConsoleKeyInfo? TryReadKey()
    {
        if (_keys.Count == 0 && _script.TryPeek(out (string Seen, Action Press) next) && Pictures.LastOrDefault() is { } last && Shows(last, next.Seen))
        {
            _script.Dequeue().Press();
        }

        return _keys.TryDequeue(out ConsoleKeyInfo key) ? key : null;
    }

    // A picture is written at once.
    private sealed class PictureWriter : StringWriter
    {
        public List<string[]> Pictures { get; } = [];

        public override void Write(string? value)
        {
            base.Write(value);
            if (value is not null && value.StartsWith("\e[H", StringComparison.Ordinal))
            {
                Pictures.Add(Codes().Replace(value, string.Empty).Split("\r\n"));
            }
        }
    }

    [GeneratedRegex(@"\e\[[0-9;?]*[a-zA-Z]")]
    private static partial Regex Codes();
}
