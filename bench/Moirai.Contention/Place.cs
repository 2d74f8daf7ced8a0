using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Contention;

/// <summary>One thing that threads share.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Make">Gives each thread its operation, given how many threads there are.</param>
internal sealed record Place(string Name, Func<int, IEnumerable<Action>> Make)
{
    public static IReadOnlyList<Place> All { get; } =
    [
        new("ids, in blocks for each thread", static threads => Same(threads, static () => StepContext.Current.NextId())),
        new("register: enter and leave, one scope", static threads => Same(threads, Registering(NewEngine().Root))),
        new("register: enter and leave, a scope for each thread", static threads => Registers(threads)),
        new("scopes opened and closed under one parent", static threads => Same(threads, OpeningUnder(NewEngine().Root))),
        new("ready queue: push and pop, one queue", static threads => Queues(threads, new ReadyQueue())),
        new("ready queue: push and pop, a queue for each thread", static threads => Queues(threads, null)),
        new("timers: in and out, one queue", static threads => Timers(threads)),
        new("slots of a pool: taken and given back", static threads => Slots(threads)),
        new("mutex: TryLock and unlock", static threads => Locks(threads)),
    ];

    private static Engine NewEngine() => new("contention", new LocalExecutor(), TimeProvider.System, static _ => { });

    private static IEnumerable<Action> Same(int threads, Action work) => Enumerable.Repeat(work, threads);

    private static IEnumerable<Action> Registers(int threads)
    {
        TaskGroup root = NewEngine().Root;
        return Enumerable.Range(0, threads).Select(_ => Registering(TaskGroup.Open(root, "scope", null)));
    }

    private static Action Registering(TaskGroup group)
    {
        var label = TaskLabel.Of("task", "task", null, string.Empty, 0);
        return () =>
        {
            var task = new ManagedTask(StepContext.Current.NextId(), group, label);
            group.Enter(task);
            task.Word.Move(TaskEvent.Enqueue);
            task.Word.Move(TaskEvent.Start);
            group.Leave(task, TaskEvent.Complete, null);
        };
    }

    private static Action OpeningUnder(TaskGroup parent) => () => TaskGroup.Open(parent, "scope", null).TryClose(out _);

    private static IEnumerable<Action> Queues(int threads, ReadyQueue? shared)
    {
        for (int i = 0; i < threads; i++)
        {
            ReadyQueue queue = shared ?? new ReadyQueue();
            Frame frame = Future.Completed().Frame;
            yield return () =>
            {
                queue.Push(frame);
                queue.Pop(leaveIfEmpty: true);
            };
        }
    }

    private static IEnumerable<Action> Timers(int threads)
    {
        var timers = new TimerQueue(TimeProvider.System);
        for (int i = 0; i < threads; i++)
        {
            var entry = new CallbackNode(static () => { }, flowContext: false) { Queue = timers };
            long due = timers.DueIn(TimeSpan.FromSeconds(30 + i));
            yield return () =>
            {
                timers.Arm(entry, due, armed: 0);
                timers.Remove(entry);
            };
        }
    }

    private static IEnumerable<Action> Slots(int threads)
    {
        var slots = new TaskSlotManager(1_000_000);
        return Same(threads, () =>
        {
            slots.TryTake();
            slots.Return();
        });
    }

    private static IEnumerable<Action> Locks(int threads)
    {
        var mutex = new AsyncMutex();
        return Same(threads, () =>
        {
            if (mutex.TryLock(out MutexLease lease))
            {
                lease.Dispose();
            }
        });
    }
}
