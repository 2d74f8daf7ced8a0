using System.Text.Json;

namespace Moirai.Tool.Views;

/// <summary>What a search for leaks found, in words. Tasks that leaked at the same place are told together.</summary>
internal static class LeaksText
{
    public static void Write(JsonElement report, TextWriter to, int width)
    {
        foreach (string line in Lines(report))
        {
            to.WriteLine(Words.Wrap(line, width));
        }
    }

    private static IEnumerable<string> Lines(JsonElement report)
    {
        int leaked = report.GetProperty("leaked").GetInt32();
        yield return $"runtime '{report.GetProperty("name").GetString()}': {(leaked == 0 ? "nothing has leaked" : Words.Some(leaked, "task has leaked", "tasks have leaked"))}; "
            + $"{Words.Count(report.GetProperty("examined").GetInt32())} waiting of {Words.Some(report.GetProperty("live").GetInt32(), "live task")} examined ({Words.Time(Seconds(report, "duration"))}, {Words.Time(Seconds(report, "collecting"))} of that in collections)";
        JsonElement[] leaks = [.. report.GetProperty("leaks").EnumerateArray()];
        foreach (IGrouping<string, JsonElement> alike in leaks.GroupBy(static leak => $"{Text(leak, "name")}\n{Text(leak, "spawnSite")}\n{leak.GetProperty("frames").GetRawText()}\n{Text(leak, "remedy")}"))
        {
            JsonElement first = alike.First();
            int count = alike.Count();
            yield return string.Empty;
            yield return $"  {(count == 1 ? $"#{first.GetProperty("id").GetInt64()}" : $"× {Words.Count(count)}")} '{Text(first, "name")}', spawned at {Text(first, "spawnSite")}{(count == 1 ? string.Empty : $" (the first is #{first.GetProperty("id").GetInt64()})")}";
            yield return $"      waits for {Text(first, "waitsFor")}, {(count == 1 ? "for" : "up to")} {Words.Time(TimeSpan.FromSeconds(alike.Max(static leak => leak.GetProperty("waited").GetDouble())))}; nothing can end that any more";
            foreach (JsonElement frame in first.GetProperty("frames").EnumerateArray())
            {
                yield return $"      at {frame.GetString()}";
            }

            string[] holds = [.. first.GetProperty("holds").EnumerateArray().Select(static hold => hold.GetString()!)];
            if (holds.Length > 0)
            {
                yield return $"      holds {string.Join(", ", holds)}";
            }

            yield return $"      {Remedy(Text(first, "remedy"))}";
        }

        if (leaked > leaks.Length)
        {
            yield return $"  … and {Words.Count(leaked - leaks.Length)} more";
        }
    }

    private static string Remedy(string remedy) => remedy switch
    {
        nameof(LeakRemedy.Resumed) => "was resumed with a LeakedTaskException: its clean-up runs",
        nameof(LeakRemedy.ResumedPartly) => "was resumed with a LeakedTaskException; clean-up of plain code behind Task.Run or Task.WhenAll has not run",
        nameof(LeakRemedy.Awaits) => "goes on when the leaked task that it awaits has ended",
        nameof(LeakRemedy.NotPossible) => "could not be resumed: it awaits foreign code that cannot be ended from outside",
        _ => "was left as it is (--heal resumes it)",
    };

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? string.Empty;

    private static TimeSpan Seconds(JsonElement element, string name) => TimeSpan.FromSeconds(element.GetProperty(name).GetDouble());
}
