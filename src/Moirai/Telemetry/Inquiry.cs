using System.Globalization;

namespace Moirai.Telemetry;

/// <summary>A question that a tool outside asks this process, as it came with the arguments of a session on the event source <c>Moirai</c>.</summary>
/// <remarks>The arguments are <c>ask</c> (what), <c>request</c> (a number that the asker chose, which every answer carries), <c>every</c> (milliseconds between answers, for a question that is
/// answered again and again), and whatever else the question needs.</remarks>
/// <param name="Request">The asker's number.</param>
/// <param name="Ask">What is asked.</param>
/// <param name="Every">Milliseconds from answer to answer; 0 for a question that is answered once.</param>
/// <param name="Options">All arguments.</param>
internal sealed record Inquiry(long Request, string Ask, int Every, IDictionary<string, string?> Options)
{
    /// <summary>Nobody reads faster; and a question that is asked too often would cost the process.</summary>
    internal const int ShortestPause = 50;

    internal const int LongestPause = 60_000;

    /// <summary>Reads the arguments of a session. Null when they ask nothing of us: a session that only listens.</summary>
    internal static Inquiry? Read(IDictionary<string, string?>? arguments)
    {
        if (arguments is null || !arguments.TryGetValue("ask", out string? ask) || string.IsNullOrEmpty(ask)
            || !Number(arguments, "request", out long request))
        {
            return null;
        }

        bool again = Number(arguments, "every", out long every) && every > 0;
        return new Inquiry(request, ask, again ? (int)Math.Clamp(every, ShortestPause, LongestPause) : 0, arguments);
    }

    /// <summary>What whoever answers wants to remember from one answer to the next. Of the thread that answers.</summary>
    internal object? Memory { get; set; }

    /// <summary>The number of a question that the asker has given up for this one; null for none.</summary>
    internal long? Instead => Number(Options, "instead", out long past) ? past : null;

    internal string? Option(string name) => Options.TryGetValue(name, out string? value) && !string.IsNullOrEmpty(value) ? value : null;

    /// <summary>A whole number among the arguments; <paramref name="otherwise"/> when there is none.</summary>
    internal int Option(string name, int otherwise) =>
        Number(Options, name, out long value) ? (int)Math.Clamp(value, 0, int.MaxValue) : otherwise;

    /// <summary>Free text among the arguments. It comes percent-encoded, because the platform knows no quotes, semicolons and equals signs in arguments.</summary>
    internal string? Text(string name) => Option(name) is { } text ? Uri.UnescapeDataString(text) : null;

    private static bool Number(IDictionary<string, string?> arguments, string name, out long value)
    {
        value = 0;
        return arguments.TryGetValue(name, out string? text) && long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out value);
    }
}
