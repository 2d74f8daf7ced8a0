using System.Text.Json;
using Microsoft.Playwright;

namespace Moirai.Dashboard.Tests;

/// <summary>What the main threads of a browser's pages do, task by task, in processor time: how long a task takes on the clock tells more of the machine than of the page.</summary>
internal sealed class Trace
{
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
            ["traceConfig"] = new Dictionary<string, object> { ["includedCategories"] = new[] { "toplevel", "disabled-by-default-devtools.timeline", "v8", "__metadata" } },
        });
        return trace;
    }

    /// <summary>Ends it, and gives the tasks of the pages' main threads, the one that took most processor time first.</summary>
    internal async Task<PageTask[]> EndAsync()
    {
        await _session.SendAsync("Tracing.end");
        await Eventually.EndsAsync(_complete.Task);
        lock (_events)
        {
            var mains = _events.Where(static one => Text(one, "name") == "thread_name" && Text(one.GetProperty("args"), "name") == "CrRendererMain").Select(ThreadOf).ToHashSet();
            JsonElement[] all = [.. _events.Where(one => Text(one, "ph") == "X" && one.TryGetProperty("tdur", out _) && mains.Contains(ThreadOf(one)))];

            // What drives the browser puts scripts of its own into each page: they are modules, and the page has none.
            JsonElement[] drivers = [.. all.Where(static one => Text(one, "name") == "v8.evaluateModule")];
            return
            [
                .. all.Where(one => Text(one, "name") == "RunTask" && !drivers.Any(driver => IsIn(driver, one)))
                    .Select(static one => new PageTask(one.GetProperty("tdur").GetDouble() / 1000, one.GetProperty("dur").GetDouble() / 1000)).OrderByDescending(static one => one.Processor),
            ];
        }
    }

    private static bool IsIn(JsonElement inner, JsonElement outer) => ThreadOf(inner) == ThreadOf(outer) && At(inner) >= At(outer) && At(inner) <= At(outer) + outer.GetProperty("dur").GetDouble();

    private static double At(JsonElement one) => one.GetProperty("ts").GetDouble();

    private static (int Process, int Thread) ThreadOf(JsonElement one) => (one.GetProperty("pid").GetInt32(), one.GetProperty("tid").GetInt32());

    private static string Text(JsonElement one, string name) => one.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;

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
internal readonly record struct PageTask(double Processor, double Clock);
