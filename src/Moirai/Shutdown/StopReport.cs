using System.Globalization;
using System.Text;

namespace Moirai;

/// <summary>What a stopped runtime has to say: how many tasks ended how, and by name what did not end.</summary>
/// <param name="Runtime">The name of the runtime.</param>
/// <param name="Completed">Tasks that ended with a result, in the whole life of the runtime.</param>
/// <param name="Failed">Tasks that ended with an exception.</param>
/// <param name="Canceled">Tasks that ended because they were asked to.</param>
/// <param name="Left">The tasks that had not ended when the time was over. They were abandoned: they still run or wait, and nobody waits for them.</param>
public sealed record StopReport(string Runtime, long Completed, long Failed, long Canceled, IReadOnlyList<LeftTask> Left)
{
    private const int MostListed = 20;

    /// <summary>How many tasks ended by themselves since the stop began, before anything was canceled.</summary>
    public long Drained { get; init; }

    /// <summary>How many tasks ended after the stop had canceled what was left, whichever outcome they then had.</summary>
    public long Interrupted { get; init; }

    /// <summary>The tasks that could neither end nor be canceled, since nothing could have ended their waits any more, and what was done about them.</summary>
    public IReadOnlyList<LeakedTask> Leaks { get; init; } = [];

    /// <summary>Operations under timeouts that were given up and still go on: tasks, which are among <see cref="Left"/> too, and foreign <see cref="Task"/>s, which are not the runtime's and do not make the stop incomplete.</summary>
    public IReadOnlyList<AbandonedOperation> Abandoned { get; init; } = [];

    /// <summary>How many failures at which nobody had looked were told when the runtime stopped. See <see cref="RuntimeEventKind.UnobservedFailure"/>.</summary>
    public int Unobserved { get; init; }

    /// <summary>Whether everything has ended.</summary>
    public bool IsComplete => Left.Count == 0;

    /// <summary>A line of numbers, and a line for each of the first tasks that leaked or are left.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Runtime '{Runtime}' stopped: {Completed} completed, {Failed} failed, {Canceled} canceled, {Left.Count} left");
        text.Append(CultureInfo.InvariantCulture, $" (since the stop began {Drained} ended by themselves and {Interrupted} after they were canceled; {Leaks.Count} had leaked).");
        foreach (LeakedTask leak in Leaks.Take(MostListed))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  leaked: {leak}");
        }

        foreach (LeftTask task in Left.Take(MostListed))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  left: {task}");
        }

        foreach (AbandonedOperation given in Abandoned.Where(static one => one.Task == default).Take(MostListed))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  given up: '{given.Name}', called from '{given.Scope}', waits for {given.WaitingFor}");
        }

        int more = Math.Max(0, Left.Count - MostListed) + Math.Max(0, Leaks.Count - MostListed);
        return more > 0 ? text.Append(CultureInfo.InvariantCulture, $"\n  … and {more} more").ToString() : text.ToString();
    }
}

/// <summary>A task that did not end in time.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Name">Its name.</param>
/// <param name="State">What it was doing.</param>
/// <param name="SpawnSite">Where it was spawned.</param>
/// <param name="Frames">The methods it waits in, the innermost first, each with <c>file:line</c> of its await where there is a PDB; empty for a task that was running.</param>
/// <param name="WaitingFor">What it was waiting for.</param>
/// <param name="Waited">How long, to the second; null when it was not waiting.</param>
/// <param name="Holds">What it holds that nobody else gets: slots, locks, open scopes, guarded resources; and the clean-up that is running.</param>
public sealed record LeftTask(
    TaskId Id, string Name, TaskState State, string SpawnSite, IReadOnlyList<string> Frames, string WaitingFor, TimeSpan? Waited, IReadOnlyList<string> Holds)
{
    /// <summary>The whole story in a line.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Id} '{Name}' ({State}), spawned at {SpawnSite}, waits");
        if (Waited is { TotalSeconds: >= 1 } waited)
        {
            text.Append(CultureInfo.InvariantCulture, $" since {waited.TotalSeconds:0} s");
        }

        if (Frames.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" in {string.Join(" ← ", Frames)}");
        }

        text.Append(CultureInfo.InvariantCulture, $" for {WaitingFor}");
        return Holds.Count > 0 ? text.Append(CultureInfo.InvariantCulture, $"; it holds {string.Join(", ", Holds)}").ToString() : text.ToString();
    }
}
