using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>A search for leaks lets go of tasks and groups for a moment, while others wake, end and heal them.</summary>
public sealed class SuspicionModels
{
    [Fact]
    public void A_task_that_is_woken_while_it_is_suspected_goes_on_whole() => Proof.Holds<SuspectAgainstWake>(atLeast: 200);

    [Theory]
    [InlineData("LifecycleWord.TryHold", Flaw.CheckThenStore)]
    [InlineData("LifecycleWord.LetGo", Flaw.Forgotten)]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    [InlineData("ManagedTask.Suspicion.TrySeat", Flaw.Forgotten)]
    public void Suspect_against_wake_twin(string site, Flaw flaw) => Proof.Catches<SuspectAgainstWake>(site, flaw);

    [Fact]
    public void A_task_whose_frame_is_its_own_sentinel_goes_on_whole() => Proof.Holds<SingleAgainstWake>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.TryHold", Flaw.CheckThenStore)]
    [InlineData("ManagedTask.Suspicion.TrySeat", Flaw.Forgotten)]
    public void Single_against_wake_twin(string site, Flaw flaw) => Proof.Catches<SingleAgainstWake>(site, flaw);

    [Fact]
    public void A_task_that_is_given_something_to_let_go_of_while_it_is_suspected_keeps_it() => Proof.Holds<SingleAgainstJoiner>(atLeast: 50);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    [InlineData("ManagedTask.Suspicion.TrySeat", Flaw.Forgotten)]
    public void Single_against_joiner_twin(string site, Flaw flaw) => Proof.Catches<SingleAgainstJoiner>(site, flaw);

    [Fact]
    public void A_poll_whose_waker_is_called_while_the_task_is_suspected_is_asked_again() => Proof.Holds<SuspectAgainstPoll>(atLeast: 200);

    [Theory]
    [InlineData("ManagedTask.Suspicion.Leaf", Flaw.Blind)]
    [InlineData("TaskWakeTarget.Wake", Flaw.Blind)]
    public void Suspect_against_poll_twin(string site, Flaw flaw) => Proof.Catches<SuspectAgainstPoll>(site, flaw);

    [Fact]
    public void A_wait_that_is_healed_while_it_is_woken_ends_once() => Proof.Holds<HealAgainstWake>(atLeast: 100);

    [Fact]
    public void Heal_against_wake_twin() => Proof.Catches<HealAgainstWake>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A_group_that_has_let_go_regains_what_an_end_has_to_tell() => Proof.Holds<LetGoAgainstEnd>(atLeast: 100);

    [Fact]
    public void Let_go_against_end_twin() => Proof.Catches<LetGoAgainstEnd>("RosterPage.Leave", Flaw.Forgotten);

    private sealed class Scan : ISuspicion
    {
        private readonly List<object> _kept = [];

        // Nobody's finalizer is waited for here.
        private SentinelKeeper? _keeper;

        public bool HasCollected => false;

        public bool IsOver => true;

        internal bool Suspect(ManagedTask task)
        {
            _keeper = new SentinelKeeper(this);
            return task.TrySuspect(new SuspectPage(_keeper, RosterPage.LargestPage), new SuspectGroup(this, Ties: null)) is not null;
        }

        public void Keep(GroupTies hold) => _kept.Add(hold);
    }

    private sealed class SuspectAgainstWake : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Scan _scan = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;

        public SuspectAgainstWake()
        {
            _task = _world.Start(async () => await InnerAsync());
            Thread("scan", () =>
            {
                _scan.Suspect(_task);
                _task.Restore();
            });
            Thread("waker", _notify.NotifyOne);
            Thread("worker", _world.Work);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _task.Place.ShouldBeNull();
            _world.ShouldBeEmpty();
        }

        private async Future InnerAsync() => await _notify.WaitAsync();
    }

    private sealed class SingleAgainstWake : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Scan _scan = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;

        public SingleAgainstWake()
        {
            _task = _world.Start(async () => await _notify.WaitAsync());
            Thread("scan", () =>
            {
                _scan.Suspect(_task);
                _task.Restore();
            });
            Thread("waker", _notify.NotifyOne);
            Thread("worker", _world.Work);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _task.Place.ShouldBeNull();
            _world.ShouldBeEmpty();
        }
    }

    // Between the look whether it needs a sentinel and the suspicion it gets a joiner, which only a sentinel could hold.
    private sealed class SingleAgainstJoiner : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Scan _scan = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;
        private readonly CallbackNode _joiner = new(static () => { }, flowContext: false, captureSynchronization: false);

        public SingleAgainstJoiner()
        {
            _task = _world.Start(async () => await _notify.WaitAsync());
            Thread("scan", () => _scan.Suspect(_task));
            Thread("joiner", () => _task.Join(_joiner, armed: 0));
        }

        public override void Check()
        {
            _task.Restore();
            _joiner.IsLinked.ShouldBeTrue();
            _notify.NotifyOne();
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _joiner.IsArmed(0).ShouldBeFalse("its wait was claimed by the end");
            _world.ShouldBeEmpty();
        }
    }

    private sealed class SuspectAgainstPoll : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Scan _scan = new();
        private readonly ManagedTask _task;
        private Waker _waker;
        private bool _isThere;

        public SuspectAgainstPoll()
        {
            _task = _world.Start(() => Future.FromPoll(waker =>
            {
                _waker = waker;
                return Atomics.Read(ref _isThere);
            }));
            Thread("scan", () => _scan.Suspect(_task));
            Thread("waker", () =>
            {
                Atomics.Write(ref _isThere, true);
                _waker.Wake();
            });
            Thread("worker", _world.Work);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed, "a wake was lost");
            _waker.Wake();
            _world.ShouldBeEmpty();
        }
    }

    private sealed class HealAgainstWake : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Scan _scan = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;
        private bool _healed;

        public HealAgainstWake()
        {
            _task = _world.Start(async () => await _notify.WaitAsync());
            _scan.Suspect(_task).ShouldBeTrue();
            Thread("healer", () => _healed = _task.TryHeal(new NotSupportedException("leaked")));
            Thread("waker", _notify.NotifyOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(_healed ? TaskState.Failed : TaskState.Completed);
            (_task.Exception is NotSupportedException).ShouldBe(_healed);
            _notify.Waiting.ShouldBe(0);
            _world.ShouldBeEmpty();
        }
    }

    private sealed class LetGoAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Listener _listener = new();
        private readonly TaskGroup _group;
        private GroupTies? _ties;

        public LetGoAgainstEnd()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
            _group.Listener = _listener;
            _world.SpawnInto(_group, static async () => await Future.Yield());
            _world.Executor.StepOne();
            Thread("scan", () =>
            {
                _ties = _group.LetGo();
                _world.Runtime.TakeCensus();
                _group.Regain();
            });
            Thread("worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _listener.Ended.ShouldBe(1);
            ReferenceEquals(_ties!.Listener, _listener).ShouldBeTrue();
            _group.TryClose(out _).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }

        private sealed class Listener : IEndListener
        {
            public int Ended { get; private set; }

            public void TaskEnding(ManagedTask task, Lifecycle.TaskEvent how, Exception? error) => Ended++;
        }
    }
}
