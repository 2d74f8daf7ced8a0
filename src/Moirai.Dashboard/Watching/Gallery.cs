using Microsoft.Extensions.Logging;

namespace Moirai.Dashboard.Watching;

/// <summary>The runtimes that are shown, each with its observer, by key. Safe from any thread.</summary>
internal sealed class Gallery
{
    // It stands in addresses, which servers want to be short.
    private const int LongestKey = 100;

    private readonly Lock _gate = new();
    private readonly TaskRuntime[] _given;
    private readonly Func<TaskRuntime?> _ofServices;
    private readonly ObserverSettings _settings;
    private readonly ILogger _log;

    // Written once, under the gate: the services may make their runtime late.
    private Dictionary<string, Observer>? _observers;

    internal Gallery(TaskRuntime[] given, Func<TaskRuntime?> ofServices, ObserverSettings settings, ILogger log) =>
        (_given, _ofServices, _settings, _log) = (given, ofServices, settings, log);

    /// <summary>By key, that of the services first.</summary>
    internal IReadOnlyDictionary<string, Observer> Observers
    {
        get
        {
            lock (_gate)
            {
                return _observers ??= Make();
            }
        }
    }

    /// <summary>Begins to remember events.</summary>
    internal void Open() => _ = Observers;

    private Dictionary<string, Observer> Make()
    {
        List<TaskRuntime> shown = [];
        foreach (TaskRuntime? runtime in _given.Prepend(_ofServices()))
        {
            if (runtime is not null && !shown.Contains(runtime))
            {
                shown.Add(runtime);
            }
        }

        if (shown.Count == 0)
        {
            shown.Add(TaskRuntime.Default);
        }

        var observers = new Dictionary<string, Observer>(StringComparer.Ordinal);
        foreach (TaskRuntime runtime in shown)
        {
            string name = runtime.Name.Length > LongestKey ? $"{runtime.Name.AsSpan(0, LongestKey)}…" : runtime.Name;
            string key = name;
            for (int more = 2; observers.ContainsKey(key); more++)
            {
                key = $"{name}-{more}";
            }

            observers.Add(key, new Observer(key, runtime, _settings, _log));
        }

        return observers;
    }
}
