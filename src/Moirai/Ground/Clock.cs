using System.Diagnostics.CodeAnalysis;

namespace Moirai.Ground;

/// <summary>Real time, for what must not follow a virtual clock: how long a worker keeps its thread.</summary>
internal static class Clock
{
    /// <summary>Milliseconds since some moment; steps of a few milliseconds, a few nanoseconds to read.</summary>
    [SuppressMessage("ApiDesign", "RS0030:Do not use banned APIs", Justification = "This is the one reader of the coarse clock.")]
    internal static long CoarseMilliseconds => Environment.TickCount64;

    /// <summary>Lets a thread of our own rest.</summary>
    [SuppressMessage("ApiDesign", "RS0030:Do not use banned APIs", Justification = "Only for the monitor's own thread.")]
    internal static void Pause(int milliseconds) => Thread.Sleep(milliseconds);
}
