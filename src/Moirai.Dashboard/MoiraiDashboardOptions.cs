namespace Moirai.Dashboard;

/// <summary>How the page is served. Read once, when it is mapped.</summary>
public sealed class MoiraiDashboardOptions
{
    /// <summary>The shortest <see cref="Interval"/>.</summary>
    internal static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Runtimes to show beside the <see cref="TaskRuntime"/> of the services, if there is one. When there is neither, <see cref="TaskRuntime.Default"/> is shown.</summary>
    /// <remarks>They are chosen on the page by their names; of two with one name the second is called <c>name-2</c>.</remarks>
    public IList<TaskRuntime> Runtimes { get; } = [];

    /// <summary>Whether who sees the page may also cancel tasks and look for leaks. False by default: the page changes nothing.</summary>
    /// <remarks>A search for leaks costs a full blocking collection of the process, and by <see cref="LeakPolicy.Heal"/> resumes what it finds.</remarks>
    public bool AllowCommands { get; set; }

    /// <summary>The authorization policy that commands need beside whatever the page needs; null, and none, by default.</summary>
    public string? CommandPolicy { get; set; }

    /// <summary>From one look at the tasks to the next, while somebody watches: half a second by default, at least 50 milliseconds. All who watch share one look. The pause after a look is at least nine times as long as the look took.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Shorter.</exception>
    public TimeSpan Interval
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, ShortestInterval);
            field = value;
        }
    } = TimeSpan.FromMilliseconds(500);

    /// <summary>How many may watch one runtime at a time; whoever comes then is answered with 503. At least 1; 100 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    public int MaxWatchers
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = 100;
}
