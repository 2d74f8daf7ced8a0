using System.Diagnostics.Tracing;

namespace Moirai.Telemetry;

/// <summary>The event source <c>Moirai</c>. Costs a flag test when nobody listens.</summary>
[EventSource(Name = "Moirai")]
internal sealed class MoiraiEventSource : EventSource
{
    internal static readonly MoiraiEventSource Log = new();

    private MoiraiEventSource()
    {
    }

    /// <summary>Something that an operator should know; <paramref name="kind"/> is a <see cref="RuntimeEventKind"/>. Name and spawn site are those of the task, where the event is about one; else empty.</summary>
    [Event(1, Level = EventLevel.Warning, Message = "{2}", Version = 1)]
    public void RuntimeEvent(long kind, long task, string message, string name, string spawnSite)
    {
        if (IsEnabled(EventLevel.Warning, EventKeywords.None))
        {
            WriteEvent(1, kind, task, message, name, spawnSite);
        }
    }

    /// <summary>The callback for events threw.</summary>
    [Event(2, Level = EventLevel.Error, Message = "The OnEvent callback threw: {0}")]
    public void OutletFailed(string error) => WriteEvent(2, error);
}

/// <summary>Where events leave the house.</summary>
internal static class EventOutlet
{
    internal static void Publish(RuntimeEvent what, Action<RuntimeEvent>? onEvent)
    {
        MoiraiEventSource.Log.RuntimeEvent((long)what.Kind, what.Task.Value, what.Message, what.TaskName ?? string.Empty, what.SpawnSite ?? string.Empty);
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
