using System.Buffers;
using System.Text.Json;
using Moirai.Dashboard.Watching;

namespace Moirai.Dashboard.Frames;

/// <summary>Makes the frame of a page, however many tasks there are: everything in it is bounded.</summary>
internal static class FrameMaker
{
    internal const int MostGroups = 120;
    internal const int MostTasks = 150;
    internal const int MostScopes = 250;

    /// <summary>Pools that stand behind so many scopes, one for each request say, are on the page all the same.</summary>
    internal const int MostPoolsBeyond = 100;
    internal const int MostPrimitives = 60;
    internal const int MostAlarms = 60;

    internal static Frame Make(Observer observer, RuntimeSnapshot snapshot, Lives lives, ObserverSettings settings)
    {
        (FoundDeadlock[] deadlocks, FoundEvent[] leaks, FoundEvent[] events) = observer.Findings.Copy();
        deadlocks = Standing(observer, deadlocks);
        return new Frame(
            observer.Key,
            Pace.PauseAfter(snapshot.Duration, settings.Interval),
            settings.AllowsCommands,
            Bounded(snapshot),
            [.. observer.Runtime.ListAlarms().TakeLast(MostAlarms)],
            deadlocks,
            leaks,
            events,
            WaitGraphs.Of(snapshot, deadlocks),
            lives.Rows());
    }

    /// <summary>The JSON in an event of <see cref="ToEvent"/>.</summary>
    internal static ReadOnlyMemory<byte> JsonOf(byte[] frame) => frame.AsMemory(Head.Length..^Tail.Length);

    private static ReadOnlySpan<byte> Head => "event: frame\ndata: "u8;

    private static ReadOnlySpan<byte> Tail => "\n\n"u8;

    /// <summary>The frame as an event of a stream: shared by all who watch.</summary>
    internal static byte[] ToEvent(Frame frame)
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        buffer.Write(Head);
        using (var json = new Utf8JsonWriter(buffer)) // on one line
        {
            JsonSerializer.Serialize(json, frame, DashboardJson.Default.Frame);
        }

        buffer.Write(Tail);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The groups whose name or place or wait holds a text, the largest first.</summary>
    internal static GroupMatches Matching(RuntimeSnapshot snapshot, string filter)
    {
        List<GroupSnapshot> found = [.. snapshot.Groups.Where(group =>
            Holds(group.Name, filter) || Holds(group.AwaitSite, filter) || Holds(group.Wait?.What, filter) || Holds(group.Wait?.HolderName, filter))];
        return new GroupMatches([.. found.Take(MostGroups)], Math.Max(0, found.Count - MostGroups), found.Sum(static group => group.Count));
    }

    private static bool Holds(string? text, string filter) => text?.Contains(filter, StringComparison.OrdinalIgnoreCase) == true;

    private static RuntimeSnapshot Bounded(RuntimeSnapshot snapshot)
    {
        List<GroupSnapshot> groups = [.. snapshot.Groups.Take(MostGroups)];
        List<TaskSnapshot> tasks = [.. snapshot.Tasks.Take(MostTasks)];
        List<ScopeSnapshot> scopes = [.. snapshot.Scopes.Take(MostScopes), .. snapshot.Scopes.Skip(MostScopes).Where(static scope => scope.Slots is not null).Take(MostPoolsBeyond)];
        List<PrimitiveSnapshot> primitives = [.. snapshot.Primitives.Take(MostPrimitives)];
        return snapshot with
        {
            Groups = groups,
            GroupsNotListed = snapshot.GroupsNotListed + snapshot.Groups.Count - groups.Count,
            Tasks = tasks,
            TasksNotListed = snapshot.TasksNotListed + snapshot.Tasks.Count - tasks.Count,
            Scopes = scopes,
            ScopesNotListed = snapshot.ScopesNotListed + snapshot.Scopes.Count - scopes.Count,
            Primitives = primitives,
            PrimitivesNotListed = snapshot.PrimitivesNotListed + snapshot.Primitives.Count - primitives.Count,
        };
    }

    // A ring stands as long as each of its tasks waits, and for none but the next one.
    private static FoundDeadlock[] Standing(Observer observer, FoundDeadlock[] deadlocks)
    {
        if (deadlocks.Length == 0)
        {
            return deadlocks;
        }

        List<ManagedTask?> tasks = observer.Handles.FindAll([.. deadlocks.SelectMany(static found => found.Cycle).Select(static edge => edge.Task)]);
        int at = 0;
        return Array.ConvertAll(deadlocks, found =>
        {
            bool stands = true;
            foreach (DeadlockEdge edge in found.Cycle)
            {
                stands &= tasks[at++] is { State: TaskState.Blocked } task && Waits(observer.Runtime, task, edge);
            }

            return found with { Stands = stands };
        });
    }

    private static bool Waits(TaskRuntime runtime, ManagedTask task, DeadlockEdge edge) =>
        runtime.TakeTaskSnapshot(task)?.Wait is { } wait && (wait.Holder ?? wait.Task ?? edge.HeldBy) == edge.HeldBy;
}
