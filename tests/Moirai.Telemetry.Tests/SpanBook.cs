using System.Diagnostics;

namespace Moirai.Telemetry.Tests;

/// <summary>Listens to the source <c>Moirai</c> and keeps the spans that have ended.</summary>
internal sealed class SpanBook : IDisposable
{
    private readonly ActivityListener _listener;
    private readonly List<Activity> _ended = [];

    public SpanBook(ActivitySamplingResult sampling = ActivitySamplingResult.AllData, Action? atStop = null)
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is "Moirai" or "test",
            Sample = (ref _) => sampling,
            ActivityStopped = span =>
            {
                atStop?.Invoke();
                lock (_ended)
                {
                    _ended.Add(span);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>A source of the user's.</summary>
    public static ActivitySource Users { get; } = new("test");

    public Activity[] Ended
    {
        get
        {
            lock (_ended)
            {
                return [.. _ended];
            }
        }
    }

    public Activity this[string name] => Ended.Single(span => span.DisplayName == name);

    public void Dispose() => _listener.Dispose();
}
