using System.Globalization;
using System.Text;

namespace Moirai;

/// <summary>What a stopped runtime has to say.</summary>
/// <param name="Runtime">The name of the runtime.</param>
/// <param name="Completed">Tasks that ended with a result, in the whole life of the runtime.</param>
/// <param name="Failed">Tasks that ended with an exception.</param>
/// <param name="Canceled">Tasks that ended because they were asked to.</param>
/// <param name="Left">The tasks that had not ended when the time was over.</param>
public sealed record StopReport(string Runtime, long Completed, long Failed, long Canceled, IReadOnlyList<LeftTask> Left)
{
    private const int MostListed = 20;

    /// <summary>The operations that were given up and had not ended, foreign <see cref="Task"/>s included. Tasks among them are in <see cref="Left"/> too.</summary>
    public IReadOnlyList<AbandonedOperation> Abandoned { get; init; } = [];

    /// <summary>Whether everything has ended. Foreign <see cref="Task"/>s that were given up are not Moirai's and do not count.</summary>
    public bool IsComplete => Left.Count == 0;

    /// <summary>A line of numbers, and a line for each of the first tasks that are left.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Runtime '{Runtime}' stopped: {Completed} completed, {Failed} failed, {Canceled} canceled, {Left.Count} left.");
        foreach (LeftTask task in Left.Take(MostListed))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  {task.Id} '{task.Name}' ({task.State}), spawned at {task.SpawnSite}, waits for {task.WaitingFor}");
        }

        if (Left.Count > MostListed)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  … and {Left.Count - MostListed} more");
        }

        foreach (AbandonedOperation given in Abandoned.Where(static one => one.Task == default).Take(MostListed))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  '{given.Name}', called from '{given.Scope}', waits for {given.WaitingFor}");
        }

        return text.ToString();
    }
}

/// <summary>A task that did not end in time.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Name">Its name.</param>
/// <param name="State">What it was doing.</param>
/// <param name="SpawnSite">Where it was spawned.</param>
/// <param name="WaitingFor">What it was waiting for.</param>
public sealed record LeftTask(TaskId Id, string Name, TaskState State, string SpawnSite, string WaitingFor);
