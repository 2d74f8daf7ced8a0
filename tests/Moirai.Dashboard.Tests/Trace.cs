using System.Text.Json;
using Microsoft.Playwright;

namespace Moirai.Dashboard.Tests;

/// <summary>What the main threads of our pages do, task by task, in processor time: how long a task takes on the clock tells more of the machine than of the page.</summary>
/// <remarks>Of our pages only: a browser has pages of its own, such as what opens below its address bar, and their scripts run when it begins, hundreds of milliseconds long.</remarks>
internal sealed class Trace
{
    // Where the whole of it is written, for the developer tools of a browser, when somebody wants to see into a task.
    private static readonly string? s_file = Environment.GetEnvironmentVariable("MOIRAI_PAGE_TRACE");

    private static readonly string[] s_categories = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "__metadata"];
    private static readonly string[] s_more = ["blink", "cc", "gpu", "loading", "disabled-by-default-v8.compile"];

    // What tells of what a task is made.
    private static readonly HashSet<string> s_parts = ["EvaluateScript", "FunctionCall", "ParseHTML", "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit", "MinorGC", "MajorGC"];

    private readonly ICDPSession _session;
    private readonly TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<JsonElement> _events = [];

    private Trace(ICDPSession session) => _session = session;

    internal static async Task<Trace> BeginAsync(IBrowser browser)
    {
        var trace = new Trace(await browser.NewBrowserCDPSessionAsync());
        trace._session.Event("Tracing.dataCollected").OnEvent += (_, data) => trace.Take(data!.Value);
        trace._session.Event("Tracing.tracingComplete").OnEvent += (_, _) => trace._complete.TrySetResult();
        await trace._session.SendAsync("Tracing.start", new Dictionary<string, object>
        {
            ["transferMode"] = "ReportEvents",
            ["traceConfig"] = new Dictionary<string, object> { ["includedCategories"] = s_file is null ? s_categories : [.. s_categories, .. s_more] },
        });
        return trace;
    }

    /// <summary>Ends it, and gives the tasks of our pages' main threads, the one that took most processor time first.</summary>
    internal async Task<PageTask[]> EndAsync()
    {
        await _session.SendAsync("Tracing.end");
        await Eventually.EndsAsync(_complete.Task);
        if (s_file is not null)
        {
            await File.WriteAllTextAsync(s_file, Whole());
        }

        lock (_events)
        {
            HashSet<(int, int)> ours = [.. _events.Where(static one => Text(one, "name") == "CommitLoad" && Text(Data(one), "url").Contains("/moirai/", StringComparison.Ordinal)).Select(ThreadOf)];
            ILookup<(int, int), JsonElement> threads = _events.Where(one => Text(one, "ph") == "X" && one.TryGetProperty("tdur", out _) && ours.Contains(ThreadOf(one))).ToLookup(ThreadOf);
            return [.. threads.SelectMany(static thread => TasksOf([.. thread.OrderBy(At).ThenByDescending(Length)])).OrderByDescending(static one => one.Processor)];
        }
    }

    // The events of one thread lie in one another, the outer one first.
    private static IEnumerable<PageTask> TasksOf(JsonElement[] events)
    {
        for (int i = 0; i < events.Length; i++)
        {
            if (Text(events[i], "name") != "RunTask")
            {
                continue;
            }

            double until = At(events[i]) + Length(events[i]);
            JsonElement[] inside = [.. events.Skip(i + 1).TakeWhile(one => At(one) < until)];

            // What drives the browser has scripts evaluated in the page: they come from no address.
            if (!Array.Exists(inside, static one => Text(one, "name") == "EvaluateScript" && Text(Data(one), "url").Length == 0))
            {
                yield return new PageTask(events[i].GetProperty("tdur").GetDouble() / 1000, Length(events[i]) / 1000, PartsOf(inside));
            }
        }
    }

    // The longest parts, the outermost of those that we know.
    private static string PartsOf(JsonElement[] inside)
    {
        double until = 0;
        Dictionary<string, double> parts = [];
        foreach (JsonElement one in inside)
        {
            if (At(one) >= until && s_parts.Contains(Text(one, "name")))
            {
                until = At(one) + Length(one);
                string name = $"{Text(one, "name")} {Text(Data(one), "functionName")}".TrimEnd();
                parts[name] = parts.GetValueOrDefault(name) + (one.GetProperty("tdur").GetDouble() / 1000);
            }
        }

        return string.Join(", ", parts.OrderByDescending(static one => one.Value).Take(4).Select(static one => FormattableString.Invariant($"{one.Key} {one.Value:0.0}")));
    }

    private static double At(JsonElement one) => one.GetProperty("ts").GetDouble();

    private static double Length(JsonElement one) => one.GetProperty("dur").GetDouble();

    private static (int Process, int Thread) ThreadOf(JsonElement one) => (one.GetProperty("pid").GetInt32(), one.GetProperty("tid").GetInt32());

    private static JsonElement Data(JsonElement one) => one.GetProperty("args").TryGetProperty("data", out JsonElement data) ? data : default;

    private static string Text(JsonElement one, string name) =>
        one.ValueKind == JsonValueKind.Object && one.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;

    private string Whole()
    {
        lock (_events)
        {
            return JsonSerializer.Serialize(new { traceEvents = _events });
        }
    }

    private void Take(JsonElement data)
    {
        lock (_events)
        {
            _events.AddRange(data.GetProperty("value").EnumerateArray().Select(static one => one.Clone()));
        }
    }
}

/// <summary>How long one task of a page took.</summary>
/// <param name="Processor">Processor time, in milliseconds.</param>
/// <param name="Clock">What passed on the clock meanwhile, in milliseconds: what the browser calls a long task goes by this.</param>
/// <param name="Parts">Its longest parts by the browser's names, with their processor time.</param>
internal readonly record struct PageTask(double Processor, double Clock, string Parts);
