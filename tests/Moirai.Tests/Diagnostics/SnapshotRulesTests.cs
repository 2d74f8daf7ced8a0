using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 5, part 3: a snapshot runs no code of the user's, keeps nothing alive and changes nothing.</summary>
public sealed class SnapshotRulesTests
{
    [Fact]
    public void A_snapshot_runs_no_code_of_the_users()
    {
        var world = new World();
        var hostile = new Hostile();
        ManagedTask task = world.Start(async _ => await hostile, "victim");
        ManagedTask poll = world.Start(_ => Future.FromPoll(_ => hostile.IsOpen), "poll");

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();
        _ = snapshot.ToString();
        _ = snapshot.ToJson();

        hostile.Calls.ShouldBe(0);
        snapshot.Tasks.Single(one => one.Id == task.Id).Wait!.What.ShouldBe("a Hostile");
        hostile.Open();
        poll.Cancel();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_snapshot_keeps_nothing_alive()
    {
        (RuntimeSnapshot snapshot, WeakReference tracked) = TakeOfEnded(keeps: false);

        Garbage.ShouldBeGone(tracked);
        snapshot.Tasks.ShouldNotBeEmpty();
    }

    [Fact]
    public void Keeps_nothing_alive_twin()
    {
        object? kept = null;
        Twin.IsCaught(
            () =>
            {
                (_, WeakReference tracked) = TakeOfEnded(keeps: true);
                kept = tracked.Target; // as a snapshot would that held the task
                Garbage.ShouldBeGone(tracked);
            },
            "still reachable");
        kept.ShouldNotBeNull();
    }

    [Fact]
    public void A_snapshot_changes_nothing() => ChangesNothing(static world => world.Runtime.TakeSnapshot());

    [Fact]
    public void Changes_nothing_twin() => Twin.IsCaught(
        static () => ChangesNothing(static world => world.Runtime.Engine.Root.CollectTasks()[0].Cancel()),
        "should be");

    [Fact]
    public void A_task_that_a_search_for_leaks_suspects_is_told_and_left_suspected()
    {
        var world = new World();
        var gate = new Gate();
        using var mutex = new AsyncMutex("held");
        ManagedTask task = world.Start(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                    await gate.WaitAsync();
                }
            },
            "suspect");
        var scan = new Scan();
        var keeper = new SentinelKeeper(scan);
        task.TrySuspect(new SuspectPage(keeper, RosterPage.LargestPage), new SuspectGroup(scan, Ties: null)).ShouldNotBeNull();

        TaskSnapshot told = world.Runtime.TakeSnapshot().Tasks.ShouldHaveSingleItem();

        told.Wait!.Kind.ShouldBe(WaitKind.Poll);
        told.Holds.ShouldBe(["mutex 'held'"]);
        (task.Place is SuspectPage).ShouldBeTrue("the snapshot has ended the suspicion");
        task.Restore();
        GC.KeepAlive(keeper);
        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Snapshots_that_are_taken_while_tasks_storm_are_consistent_task_by_task()
    {
        await using var runtime = new TaskRuntime(new() { Name = "storm" });
        using var mutex = new AsyncMutex("ledger");
        bool stop = false;
        for (int i = 0; i < 50; i++)
        {
            _ = runtime.SpawnDetached(async ct =>
            {
                while (!Volatile.Read(ref stop))
                {
                    using (await mutex.LockAsync())
                    {
                        await Future.Yield();
                    }

                    await Future.Delay(TimeSpan.FromMilliseconds(1));
                }
            }, "stormer");
        }

        for (int i = 0; i < 200; i++)
        {
            RuntimeSnapshot snapshot = runtime.TakeSnapshot();
            snapshot.States.Live.ShouldBe(50);
            snapshot.Groups.Sum(static group => group.Count).ShouldBe(50);
            foreach (TaskSnapshot task in snapshot.Tasks)
            {
                // Whichever wait was seen belongs to the await at which the task was seen.
                if (task.Wait is { Kind: WaitKind.Primitive })
                {
                    task.Wait.What.ShouldBe("mutex 'ledger'");
                }

                (task.Wait is null).ShouldBe(task.State != TaskState.Blocked, task.ToString());
            }
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(runtime.Engine.Root.CollectTasks().Select(static task => task.AsTask()));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (RuntimeSnapshot Snapshot, WeakReference Tracked) TakeOfEnded(bool keeps)
    {
        var world = new World();
        var gate = new Gate();
        object local = new();
        using var mutex = new AsyncMutex("gone");
        ManagedTask task = world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                await gate.WaitAsync();
                GC.KeepAlive(local);
            }
        });
        _ = world.Start(async _ => (await mutex.LockAsync()).Dispose());
        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();
        var tracked = new WeakReference(keeps ? local : task);
        gate.Open();
        world.ShouldBeEmpty();
        return (snapshot, tracked);
    }

    private static void ChangesNothing(Action<World> look)
    {
        var world = new World();
        var gate = new Gate();
        using var mutex = new AsyncMutex("held");
        TaskPool pool = world.Runtime.CreatePool("pool", 2);
        _ = world.Start(async _ =>
        {
            using (await mutex.LockAsync())
            {
                await gate.WaitAsync();
            }
        });
        _ = world.Start(async _ => (await mutex.LockAsync()).Dispose());
        _ = world.Start(async _ => await Future.Delay(TimeSpan.FromSeconds(5)));
        _ = world.Spawn(async _ => await gate.WaitAsync(), "ready");
        Census before = world.Census;
        string states = States(world);

        look(world);

        States(world).ShouldBe(states);
        world.Census.ShouldBe(before);
        world.Timers.ShouldBe(1);
        gate.Open();
        world.Advance(5);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    }

    private static string States(World world) => string.Join(' ', world.Runtime.Engine.Root.CollectTasks().Select(static task => $"{task.Id}:{task.Word.Peek()}:{task.IsCancelRequested}"));

    private sealed class Scan : ISuspicion
    {
        public bool HasCollected => false;

        public bool IsOver => true;

        public void Keep(GroupTies hold)
        {
            // the group holds on
        }
    }

    /// <summary>An awaitable of the user's whose every overridable member counts that it was called.</summary>
    private sealed class Hostile : INotifyCompletion
    {
        private Action? _continuation;

        public int Calls { get; private set; }

        public bool IsOpen { get; private set; }

        public bool IsCompleted => false;

        public Hostile GetAwaiter() => this;

        public void GetResult()
        {
            // there is none
        }

        public void OnCompleted(Action continuation) => _continuation = continuation;

        public void Open()
        {
            IsOpen = true;
            _continuation!();
        }

        public override string ToString()
        {
            Calls++;
            return "hostile";
        }

        public override bool Equals(object? obj)
        {
            Calls++;
            return ReferenceEquals(this, obj);
        }

        public override int GetHashCode()
        {
            Calls++;
            return 1;
        }
    }
}
