namespace Moirai.Telemetry;

/// <summary>Where events leave the house.</summary>
internal static class EventOutlet
{
    internal static void Publish(string runtime, RecentEvents recent, RuntimeEvent what, Action<RuntimeEvent>? onEvent)
    {
        MoiraiMeter.Take(runtime, what);
        recent.Note(what);
        MoiraiEventSource.Log.RuntimeEvent((long)what.Kind, what.Task.Value, what.Message, what.TaskName ?? string.Empty, what.SpawnSite ?? string.Empty, runtime);
        try
        {
            onEvent?.Invoke(what);
        }
        catch (Exception error) // a watcher's fault must not reach the task it watches
        {
            MoiraiEventSource.Log.OutletFailed(error.ToString());
        }
    }
}
