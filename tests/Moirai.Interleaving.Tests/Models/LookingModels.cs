using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Somebody looks at a task that goes on: what is taken for seen was so at one moment.</summary>
public sealed class LookingModels
{
    [Fact]
    public void What_is_seen_of_a_task_that_is_woken_meanwhile_belongs_to_one_wait() => Proof.Holds<LookAgainstWake>(atLeast: 200);

    [Fact]
    public void Look_against_wake_twin() => Proof.Catches<LookAgainstWake>("LifecycleWord.Peek", Flaw.Stale);

    [Fact]
    public void A_task_that_is_suspected_while_somebody_looks_is_seen_whole() => Proof.Holds<LookAgainstSuspect>(atLeast: 20);

    [Fact]
    public void Look_against_suspect_twin() => Proof.Catches<LookAgainstSuspect>("ManagedTask.Looking.Look", Flaw.Blind);

    /// <summary>Two waits of one frame: which of them was seen is told by the ticket, and the queue has to be that of the same.</summary>
    private sealed class LookAgainstWake : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Notify _first = new("first");
        private readonly Notify _second = new("second");
        private readonly ManagedTask _task;
        private readonly int _ticket;

        public LookAgainstWake()
        {
            _task = _world.Start(async () =>
            {
                await _first.WaitAsync();
                await _second.WaitAsync();
            });
            _ticket = _task.Word.Peek();
            Thread("looker", Look);
            Thread("waker", _first.NotifyOne);
            Thread("worker", _world.Work);
        }

        public override void Check()
        {
            _second.NotifyOne();
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }

        private void Look()
        {
            TaskSight sight = _task.Look();
            object? queue = sight.Leaf is { } leaf ? Atomics.Read(ref leaf.Queue) : null;
            if (_task.IsStill(sight) && sight.State == TaskState.Blocked)
            {
                queue.ShouldBeSameAs(sight.Word == _ticket ? _first : _second, "the queue is that of another wait");
            }
        }
    }

    private sealed class LookAgainstSuspect : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;

        public LookAgainstSuspect()
        {
            _task = _world.Start(async () => await _notify.WaitAsync());
            var scan = new Scan();
            Thread("scan", () =>
            {
                scan.Suspect(_task);
                _task.Restore();
            });
            Thread("looker", () =>
            {
                TaskSight sight = _task.Look();
                sight.Leaf.ShouldNotBeNull("a task that waits was seen without its frame").Queue.ShouldBeSameAs(_notify);
                _task.IsStill(sight).ShouldBeTrue("suspicion is no move");
            });
        }

        public override void Check()
        {
            _notify.NotifyOne();
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }
    }

    private sealed class Scan : ISuspicion
    {
        private SentinelKeeper? _keeper;

        internal void Suspect(ManagedTask task)
        {
            _keeper = new SentinelKeeper(this);
            task.TrySuspect(new SuspectPage(_keeper, RosterPage.LargestPage), new SuspectGroup(this, Ties: null));
        }

        public bool HasCollected => false;

        public bool IsOver => true;

        public void Keep(GroupTies hold)
        {
            // the group holds on
        }
    }
}
