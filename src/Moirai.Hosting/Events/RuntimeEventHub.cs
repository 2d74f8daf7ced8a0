namespace Moirai.Hosting.Events;

/// <summary>Wants to hear what a runtime tells. Called on the thread that notices, which must not be kept.</summary>
internal interface IRuntimeEventSink
{
    void Take(RuntimeEvent what);
}

/// <summary>Where the events of the host's runtime arrive, and from where they go to all who listen: the log, the health checks.</summary>
internal sealed class RuntimeEventHub(IEnumerable<IRuntimeEventSink> sinks)
{
    private readonly IRuntimeEventSink[] _sinks = [.. sinks];

    internal void Publish(RuntimeEvent what)
    {
        foreach (IRuntimeEventSink sink in _sinks)
        {
            sink.Take(what);
        }
    }
}
