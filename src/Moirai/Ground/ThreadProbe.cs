using System.Globalization;

namespace Moirai.Ground;

/// <summary>What the system says of a thread: how much processor time it has used. Only Linux tells without more ado; elsewhere nothing is known.</summary>
internal static class ThreadProbe
{
    // What the times in /proc are counted in, on every architecture.
    private const int TicksPerSecond = 100;

    // From the state, which follows the name, to the time in user mode.
    private const int UserTimeField = 11;

    /// <summary>The system's number of the calling thread; 0 when it does not tell.</summary>
    internal static int CurrentId()
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        try
        {
            string? target = new FileInfo("/proc/thread-self").LinkTarget; // "17/task/18"
            return target is not null && int.TryParse(target.AsSpan(target.LastIndexOf('/') + 1), CultureInfo.InvariantCulture, out int id) ? id : 0;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return 0; // a process without /proc
        }
    }

    /// <summary>How much processor time the thread has used; null when it is not known or the thread has gone.</summary>
    internal static TimeSpan? ProcessorTime(int id)
    {
        if (id == 0)
        {
            return null;
        }

        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/self/task/{id}/stat"));
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' '); // the name may hold anything
            long ticks = long.Parse(fields[UserTimeField], CultureInfo.InvariantCulture) + long.Parse(fields[UserTimeField + 1], CultureInfo.InvariantCulture);
            return TimeSpan.FromTicks(ticks * (TimeSpan.TicksPerSecond / TicksPerSecond));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
