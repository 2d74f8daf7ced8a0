using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>A group's register: tasks leave without a lock, and neither the account nor who waits for the last one is wrong for a moment.</summary>
public sealed class RosterModels
{
    [Fact]
    public void C11_who_waits_until_a_group_is_empty_goes_on_once_and_not_early() => Proof.Holds<JoinAgainstLeave>(atLeast: 1_000);

    [Theory]
    [InlineData("TaskGroup.JoinEmpty", Flaw.NoFence)]
    [InlineData("RosterPage.Leave", Flaw.NoFence)]
    [InlineData("RosterPage.Leave", Flaw.CheckThenStore)]
    [InlineData("TaskGroup.Leave", Flaw.Blind)]
    public void C11_join_against_leave_twin(string site, Flaw flaw) => Proof.Catches<JoinAgainstLeave>(site, flaw);

    [Fact]
    public void C1_the_account_balances_at_every_moment_and_a_page_is_folded_once() => Proof.Holds<CountAgainstLeave>(atLeast: 500);

    [Theory]
    [InlineData("RosterPage.Leave", Flaw.CheckThenStore)]
    [InlineData("RosterPage.Leave", Flaw.Forgotten)]
    [InlineData("RosterPage.AddTo", Flaw.Blind)]
    public void C1_count_against_leave_twin(string site, Flaw flaw) => Proof.Catches<CountAgainstLeave>(site, flaw);

    [Fact]
    public void C1_the_census_balances_while_a_task_ends() => Proof.Holds<CensusAgainstLeave>(atLeast: 100);

    [Fact]
    public void C1_census_against_leave_twin() => Proof.Catches<CensusAgainstLeave>("RosterPage.Leave", Flaw.Forgotten);

    [Fact]
    public void C11_a_group_that_is_canceled_reaches_whoever_is_entered_meanwhile() => Proof.Holds<EnterAgainstCancel>(atLeast: 200);

    [Theory]
    [InlineData("RosterPage.EnterLocked", Flaw.Forgotten)]
    [InlineData("RosterPage.AddTasksTo", Flaw.Blind)]
    public void C11_enter_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<EnterAgainstCancel>(site, flaw);

    [Fact]
    public void C11_an_interrupted_wait_for_a_group_takes_no_other_with_it() => Proof.Holds<InterruptAgainstLeave>(atLeast: 100);

    [Fact]
    public void C11_interrupt_against_leave_twin() => Proof.Catches<InterruptAgainstLeave>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void C11_a_group_is_closed_or_takes_a_task_but_not_both() => Proof.Holds<EnterAgainstClose>(atLeast: 50);

    [Fact]
    public void C11_enter_against_close_twin() => Proof.Catches<EnterAgainstClose>("RosterPage.EnterLocked", Flaw.Forgotten);

    /// <summary>The last two tasks of a group end on two threads while somebody begins to wait for the end of all.</summary>
    private sealed class JoinAgainstLeave : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskGroup _group;
        private readonly ModelWait _joiner = new();

        public JoinAgainstLeave()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
            _world.SpawnInto(_group, static async () => await Future.Yield());
            _world.SpawnInto(_group, static async () => await Future.Yield());
            _world.Executor.StepOne();
            _world.Executor.StepOne();

            int armed = _joiner.Park();
            Thread("first", _world.Executor.StepOne);
            Thread("second", _world.Executor.StepOne);
            Thread("joiner", () =>
            {
                _group.JoinEmpty(_joiner, armed);
                if (_joiner.Resumes > 0)
                {
                    _group.Live.ShouldBe(0);
                }
            });
        }

        public override void Check()
        {
            _joiner.Resumes.ShouldBe(1, "who waits for the last one was forgotten");
            GroupCounts counts = _group.Counts;
            (counts.Created, counts.Live, counts.Completed).ShouldBe((2L, 0L, 2L));
            _group.TryClose(out _).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>The last two tasks of a full page end on two threads while somebody reads the account.</summary>
    private sealed class CountAgainstLeave : Model
    {
        private const int Tasks = 4; // the size of the first page
        private readonly ModelWorld _world = new();
        private readonly TaskGroup _group;

        public CountAgainstLeave()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
            for (int i = 0; i < Tasks; i++)
            {
                _world.SpawnInto(_group, i % 2 == 0 ? FailAsync : static async () => await Future.Yield());
            }

            for (int i = 0; i < Tasks; i++)
            {
                _world.Executor.StepOne();
            }

            Thread("first", _world.Executor.StepOne);
            Thread("second", _world.Executor.StepOne);
            Thread("reader", () =>
            {
                ShouldBalance();
            });
        }

        public override void Check()
        {
            GroupCounts counts = _group.Counts;
            (counts.Created, counts.Live, counts.Completed, counts.Failed).ShouldBe((4L, 0L, 2L, 2L));
            _group.TryClose(out _).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }

        private static async Future FailAsync()
        {
            ManagedTask.Current!.MarkObserved();
            throw new InvalidOperationException();
        }

        private void ShouldBalance()
        {
            GroupCounts counts = _group.Counts;
            counts.Created.ShouldBe(Tasks);
            (counts.Live + counts.Completed + counts.Failed + counts.Canceled).ShouldBe(Tasks);
            counts.Failed.ShouldBe(2);
            counts.Live.ShouldBeInRange(0, 2);
        }
    }

    /// <summary>A task ends while somebody takes the census.</summary>
    private sealed class CensusAgainstLeave : Model
    {
        private readonly ModelWorld _world = new();

        public CensusAgainstLeave()
        {
            _world.Spawn(static async () => await Future.Yield());
            _world.Executor.StepOne();
            Thread("leaver", _world.Executor.StepOne);
            Thread("reader", () => _world.Runtime.TakeCensus().IsBalanced.ShouldBeTrue());
        }

        public override void Check() => _world.ShouldBeEmpty();
    }

    /// <summary>Who waits until a group is empty is canceled at the moment at which the last task leaves, while another waits there too.</summary>
    private sealed class InterruptAgainstLeave : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskGroup _group;
        private readonly ModelWait _patient = new();
        private readonly ModelWait _canceled = new();
        private bool _wasInterrupted;

        public InterruptAgainstLeave()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
            _world.SpawnInto(_group, static async () => await Future.Yield());
            _world.Executor.StepOne();
            _group.JoinEmpty(_canceled, _canceled.Park());
            _group.JoinEmpty(_patient, _patient.Park());
            Thread("leaver", _world.Executor.StepOne);
            Thread("canceller", () =>
            {
                if (_canceled.TryClaim())
                {
                    _group.GiveUp(_canceled);
                    _wasInterrupted = true;
                }
            });
        }

        public override void Check()
        {
            _patient.Resumes.ShouldBe(1, "who waits for the last one was forgotten");
            _canceled.Resumes.ShouldBe(_wasInterrupted ? 0 : 1);
            _group.IsClosed.ShouldBeFalse();
            _group.TryClose(out _).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task is spawned into a group while the group is closed.</summary>
    private sealed class EnterAgainstClose : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskGroup _group;
        private bool _isRefused;
        private bool _isClosed;

        public EnterAgainstClose()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
            Thread("spawner", () =>
            {
                try
                {
                    _world.SpawnInto(_group, static async () => await Future.Yield());
                }
                catch (InvalidOperationException)
                {
                    _isRefused = true;
                    _group.IsClosed.ShouldBeTrue();
                }
            });
            Thread("closer", () => _isClosed = _group.TryClose(out _));
        }

        public override void Check()
        {
            _isRefused.ShouldBe(_isClosed, "a task lives in a group that is closed");
            _world.Executor.RunReady();
            _group.TryClose(out _).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task is spawned into a group while the group is canceled.</summary>
    private sealed class EnterAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskGroup _group;
        private ManagedTask? _task;

        public EnterAgainstCancel()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "group", opener: null);
            Thread("spawner", () =>
            {
                _task = _world.SpawnInto(_group, static async () => await Future.Delay(TimeSpan.FromHours(1)));
                _world.Executor.RunReady();
            });
            Thread("canceller", () => _group.Cancel(Cancellation.Cause(CancelKind.Requested, _world.Runtime.Engine, "model")));
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task!.State.ShouldBe(TaskState.Canceled, "the cancellation has missed a task");
            _group.TryClose(out _).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }
    }
}
