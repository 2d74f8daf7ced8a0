namespace Moirai.Telemetry;

/// <summary>Who is told of the events of a runtime beside its <see cref="TaskRuntimeOptions.OnEvent"/>. Safe from any thread.</summary>
internal sealed class EventSubscribers
{
    private readonly Lock _gate = new();

    // Replaced as a whole, under the gate.
    private Subscription[] _all = [];

    /// <summary>Tells all. Never throws: a subscriber's fault must reach neither the others nor the task it watches.</summary>
    internal void Tell(RuntimeEvent what)
    {
        foreach (Subscription one in Volatile.Read(ref _all))
        {
            try
            {
                one.Tell(what);
            }
            catch (Exception error)
            {
                MoiraiEventSource.Log.OutletFailed(error.ToString());
            }
        }
    }

    internal IDisposable Add(Action<RuntimeEvent> subscriber)
    {
        var added = new Subscription(this, subscriber);
        lock (_gate)
        {
            _all = [.. _all, added];
        }

        return added;
    }

    private void Remove(Subscription subscription)
    {
        lock (_gate)
        {
            _all = Array.FindAll(_all, one => one != subscription);
        }
    }

    private sealed class Subscription(EventSubscribers subscribers, Action<RuntimeEvent> subscriber) : IDisposable
    {
        internal void Tell(RuntimeEvent what) => subscriber(what);

        public void Dispose() => subscribers.Remove(this);
    }
}
