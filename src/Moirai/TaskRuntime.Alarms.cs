using Moirai.Alarms;

namespace Moirai;

/// <content>Alarms: what has gone on for too long.</content>
public sealed partial class TaskRuntime
{
    // Null when nobody has asked for alarms. Written once.
    private readonly Watchdog? _watchdog;

    /// <summary>The alarms that are there now, the oldest first. Empty when <see cref="TaskRuntimeOptions.Alarms"/> is not set.</summary>
    public IReadOnlyList<Alarm> ListAlarms() => _watchdog?.Open ?? [];

    /// <summary>Has <paramref name="subscriber"/> told of every alarm from now on: raised, repeated, cleared.</summary>
    /// <param name="subscriber">Called on the thread that looks, and must return soon; what it throws goes to the event source <c>Moirai</c>.</param>
    /// <returns>Ends it when disposed.</returns>
    /// <exception cref="InvalidOperationException">The runtime raises no alarms: <see cref="TaskRuntimeOptions.Alarms"/> is not set.</exception>
    public IDisposable SubscribeToAlarms(Action<Alarm> subscriber)
    {
        ArgumentNullException.ThrowIfNull(subscriber);
        return _watchdog?.Subscribe(subscriber) ?? throw new InvalidOperationException(
            $"Runtime '{Name}' raises no alarms. Set TaskRuntimeOptions.Alarms to new AlarmLimits() when it is made.");
    }

    internal Watchdog? Watchdog => _watchdog;
}
