using Spectre.Console;

namespace Moirai.Tool;

/// <summary>Where a command writes and reads: the console, or what a test puts in its place.</summary>
internal sealed class Terminal
{
    /// <summary>The console of this process.</summary>
    public static Terminal Console { get; } = new()
    {
        Out = System.Console.Out,
        Error = System.Console.Error,
        IsScreen = !System.Console.IsOutputRedirected,
        HasAnsi = !System.Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi,
        HasColors = !System.Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities is { Ansi: true, ColorSystem: not ColorSystem.NoColors },
        Size = static () => (AnsiConsole.Profile.Width, AnsiConsole.Profile.Height),
        TryReadKey = System.Console.IsInputRedirected ? static () => null : static () => System.Console.KeyAvailable ? System.Console.ReadKey(intercept: true) : null,
    };

    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Whether somebody looks at it; else it goes into a file or another program, and is plain and whole.</summary>
    public bool IsScreen { get; init; }

    /// <summary>Whether it can be drawn on: the cursor moves, lines are cleared.</summary>
    public bool HasAnsi { get; init; }

    public bool HasColors { get; init; }

    /// <summary>Columns and lines.</summary>
    public Func<(int Width, int Height)> Size { get; init; } = static () => (120, 40);

    /// <summary>The next key that was pressed, if one was.</summary>
    public Func<ConsoleKeyInfo?> TryReadKey { get; init; } = static () => null;

    /// <summary>How wide a line may be.</summary>
    public int Width => IsScreen ? Math.Max(40, Size().Width) : int.MaxValue;
}
