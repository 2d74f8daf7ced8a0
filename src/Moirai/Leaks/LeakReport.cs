using System.Globalization;
using System.Text;

namespace Moirai;

/// <summary>What to do with tasks that can never go on.</summary>
public enum LeakPolicy
{
    /// <summary>Resume them with a <see cref="LeakedTaskException"/>, so that their clean-up runs and what they held comes back.</summary>
    Heal = 0,

    /// <summary>Only tell of them.</summary>
    Report = 1,
}

/// <summary>A task of which the garbage collector has proved that nothing can wake it.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Name">Its name.</param>
/// <param name="SpawnSite">Where it was spawned, as <c>file:line</c>.</param>
/// <param name="Frames">The methods it is in, the innermost first; plain <c>async</c> methods among them as far as they can be followed. Each with <c>file:line</c> of its await where there is a PDB: <c>Orders.SaveAsync (Orders.cs:42)</c>.</param>
/// <param name="WaitsFor">What it waits for, such as <c>the end of #17 'reconcile'</c>.</param>
/// <param name="Waited">How long it has waited by then, to the second.</param>
/// <param name="Holds">What it holds that nobody else gets: slots, locks, open scopes, guarded resources.</param>
/// <param name="Remedy">What was done about it.</param>
public sealed record LeakedTask(
    TaskId Id, string Name, string SpawnSite, IReadOnlyList<string> Frames, string WaitsFor, TimeSpan Waited, IReadOnlyList<string> Holds, LeakRemedy Remedy)
{
    /// <summary>Whether a search before this one had found it too, and left it as it was. So it is counted once.</summary>
    internal bool WasFoundBefore { get; init; }

    /// <summary>The whole story in a line.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Id} '{Name}', spawned at {SpawnSite}, waits{(Waited.TotalSeconds >= 1 ? FormattableString.Invariant($" since {Waited.TotalSeconds:0} s") : string.Empty)} in {string.Join(" ← ", Frames)} for {WaitsFor}, and nothing can end that wait any more");
        if (Holds.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"; it holds {string.Join(", ", Holds)}");
        }

        return text.Append(Remedy switch
        {
            LeakRemedy.Resumed => "; it was resumed with a LeakedTaskException",
            LeakRemedy.ResumedPartly => "; it was resumed with a LeakedTaskException, but what it awaited by way of Task.Run or Task.WhenAll was lost with them: clean-up of that code has not run",
            LeakRemedy.Awaits => "; it goes on when the leaked task it depends on has ended",
            LeakRemedy.NotPossible => "; it could not be resumed, since what it awaits is foreign code that cannot be ended from outside",
            _ => string.Empty,
        }).ToString();
    }
}

/// <summary>What was done about a leaked task.</summary>
public enum LeakRemedy
{
    /// <summary>Nothing: it was only to be told of.</summary>
    None = 0,

    /// <summary>Its wait threw a <see cref="LeakedTaskException"/>.</summary>
    Resumed = 1,

    /// <summary>Nothing needs to be done: it waits for another leaked task, which was resumed.</summary>
    Awaits = 2,

    /// <summary>It waits on foreign code that cannot be ended from outside.</summary>
    NotPossible = 3,

    /// <summary>Its wait threw a <see cref="LeakedTaskException"/>. But the plain code that it awaited by way of <c>Task.Run(async …)</c> or <c>Task.WhenAll</c> (the one without results) could not be found from there: the clean-up of that code has not run.</summary>
    ResumedPartly = 4,
}

/// <summary>What a search for leaked tasks has found.</summary>
/// <param name="Runtime">The runtime that was searched.</param>
/// <param name="Leaks">The tasks that can never go on, in the order of their ids.</param>
/// <param name="Examined">How many waiting tasks were looked at.</param>
/// <param name="Live">How many tasks lived when the search began.</param>
/// <param name="Duration">How long it took, collections included.</param>
public sealed record LeakReport(string Runtime, IReadOnlyList<LeakedTask> Leaks, int Examined, int Live, TimeSpan Duration)
{
    /// <summary>How much of <see cref="Duration"/> the collections that prove it took, with the finalizers behind them. The rest went by task, while everything else went on.</summary>
    public TimeSpan Collecting { get; init; }

    /// <summary>Whether nothing has leaked.</summary>
    public bool IsClean => Leaks.Count == 0;

    /// <summary>A line, and one for each leaked task, up to twenty.</summary>
    public override string ToString()
    {
        const int Shown = 20;
        var text = new StringBuilder();
        text.Append(FormattableString.Invariant(
            $"runtime '{Runtime}': {Leaks.Count} leaked of {Examined} waiting and {Live} live tasks, found in {Duration.TotalMilliseconds:0} ms, {Collecting.TotalMilliseconds:0} of them in collections"));
        foreach (LeakedTask leak in Leaks.Take(Shown))
        {
            text.AppendLine().Append("  ").Append(leak);
        }

        return Leaks.Count > Shown ? text.AppendLine().Append(FormattableString.Invariant($"  … and {Leaks.Count - Shown} more")).ToString() : text.ToString();
    }
}
