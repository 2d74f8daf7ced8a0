using System.Globalization;

namespace Moirai.Tool.Connecting;

/// <summary>What a process is asked, as arguments of a session on its event source <c>Moirai</c>.</summary>
internal sealed class Question
{
    /// <summary>The version of questions and answers that this tool speaks, and the oldest that it understands.</summary>
    public const int Protocol = 1;

    private readonly Dictionary<string, string> _arguments;

    /// <summary>A question that is asked once, or again and again.</summary>
    /// <param name="ask">What is asked.</param>
    /// <param name="every">From answer to answer; null for one answer.</param>
    public Question(string ask, TimeSpan? every = null)
    {
        Ask = ask;
        Request = Random.Shared.NextInt64(1, long.MaxValue);
        _arguments = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ask"] = ask,
            ["request"] = Text(Request),
            ["protocol"] = Text(Protocol),
            ["pack"] = "deflate",
        };
        if (every is { } pause)
        {
            _arguments["every"] = Text((long)pause.TotalMilliseconds);
        }
    }

    public string Ask { get; }

    /// <summary>A number by which its answers are known.</summary>
    public long Request { get; }

    public IDictionary<string, string> Arguments => _arguments;

    public Question With(string name, long value)
    {
        _arguments[name] = Text(value);
        return this;
    }

    /// <summary>Adds free text, when there is any. Encoded, because the platform knows no quotes, semicolons and equals signs in arguments.</summary>
    public Question With(string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            _arguments[name] = Uri.EscapeDataString(value);
        }

        return this;
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
