using Moirai.Telemetry;

namespace Moirai;

/// <content>Those who are told of events, beside the one of the options.</content>
public sealed partial class TaskRuntime
{
    private readonly EventSubscribers _subscribers;

    /// <summary>Has <paramref name="subscriber"/> told of every event from now on, beside <see cref="TaskRuntimeOptions.OnEvent"/>.</summary>
    /// <param name="subscriber">Called on the thread that notices, which must not be kept; what it throws goes to the event source <c>Moirai</c>. The runtime holds it until it is unsubscribed.</param>
    /// <returns>Ends it when disposed; an event that is being told at that moment may still arrive.</returns>
    public IDisposable SubscribeToEvents(Action<RuntimeEvent> subscriber)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        return _subscribers.Add(subscriber);
    }
}
