namespace Moirai.Dashboard.Watching;

/// <summary>How long to rest after a look, so that looking costs no more than a tenth of a processor.</summary>
internal static class Pace
{
    internal const int RestPerWork = 9;

    internal static TimeSpan PauseAfter(TimeSpan cost, TimeSpan interval) => cost * RestPerWork > interval ? cost * RestPerWork : interval;
}
