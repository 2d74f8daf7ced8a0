using Moirai.Execution;
using Moirai.Interleaving.Exploring;
using Moirai.Timers;

namespace Moirai.Interleaving.Models;

/// <summary>Deadlines of scopes that are moved, withdrawn and ended while their time is over; operations that may be abandoned.</summary>
public sealed class DeadlineModels
{
    [Fact]
    public void A4_a_deadline_that_is_moved_has_fired_before_or_fires_at_its_new_time() => Proof.Holds<MoveAgainstFire>(atLeast: 200);

    [Theory]
    [InlineData("GroupDeadline.MoveTo", Flaw.Forgotten, "mover")]
    [InlineData("GroupDeadline.MoveTo", Flaw.Blind, null)]
    public void A4_move_against_fire_twin(string site, Flaw flaw, string? thread) => Proof.Catches<MoveAgainstFire>(site, flaw, thread);

    [Fact]
    public void A6_a_deadline_that_is_set_to_the_past_while_its_time_is_over_cancels_once() => Proof.Holds<SetPastAgainstFire>(atLeast: 200);

    [Theory]
    [InlineData("GroupDeadline.MoveTo", Flaw.Stale)]
    [InlineData("GroupDeadline.MoveTo", Flaw.Forgotten)]
    public void A6_set_past_against_fire_twin(string site, Flaw flaw) => Proof.Catches<SetPastAgainstFire>(site, flaw);

    [Fact]
    public void A4_a_deadline_that_is_withdrawn_has_fired_before_or_can_be_set_again() => Proof.Holds<WithdrawAgainstFire>(atLeast: 200);

    [Fact]
    public void A4_withdraw_against_fire_twin() => Proof.Catches<WithdrawAgainstFire>("GroupDeadline.MoveTo", Flaw.Forgotten);

    [Fact]
    public void A1_a_deadline_that_is_set_while_its_scope_closes_leaves_no_entry() => Proof.Holds<MoveAgainstClose>(atLeast: 200);

    [Theory]
    [InlineData("GroupDeadline.End", Flaw.Forgotten)]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    public void A1_move_against_close_twin(string site, Flaw flaw) => Proof.Catches<MoveAgainstClose>(site, flaw);

    [Fact]
    public void A2_two_operations_that_begin_at_once_live_in_one_group() => Proof.Holds<TwoOperations>(atLeast: 50);

    [Theory]
    [InlineData("TaskGroup.Operations.OpenOperations", Flaw.Forgotten)]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    public void A2_two_operations_twin(string site, Flaw flaw) => Proof.Catches<TwoOperations>(site, flaw);

    [Fact]
    public void A4_a_timed_wait_for_a_task_that_is_refused_while_it_is_canceled_ends_once() => Proof.Holds<RefusalOfTimed>(atLeast: 50);

    [Fact]
    public void A4_refusal_of_timed_twin() => Proof.Catches<RefusalOfTimed>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void C6_a_scopes_end_that_waits_for_a_Task_that_was_given_up_goes_on_once() => Proof.Holds<GivenUpAgainstBudget>(atLeast: 50);

    [Fact]
    public void C6_given_up_against_budget_twin() => Proof.Catches<GivenUpAgainstBudget>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    /// <summary>A scope's end waits for a foreign Task that was given up. It ends at the moment at which the budget is over.</summary>
    private sealed class GivenUpAgainstBudget : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskCompletionSource _source = new();
        private readonly ManagedTask _task;

        public GivenUpAgainstBudget()
        {
            _task = _world.Start(() => _world.Runtime.RunScopeAsync("calls", async scope =>
            {
                try
                {
                    await _source.Task.WithTimeout(TimeSpan.FromMilliseconds(1));
                }
                catch (TaskTimeoutException)
                {
                    // it goes on
                }
            }));
            _world.Time.Advance(1);
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Blocked, "the scope's end waits");
            _world.Runtime.Engine.Abandoned.TryFind(_source.Task, out TaskRelay? relay).ShouldBeTrue();
            Thread("ender", relay!.End); // as the Task's end does, which would hide from the explorer what a continuation throws
            Thread("timer", () =>
            {
                _world.Time.Advance(10_000);
                _world.Work();
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _world.Runtime.Engine.Timers.Count.ShouldBe(0);
            _world.Runtime.ListAbandoned().ShouldBeEmpty();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A group with a deadline in one millisecond, and a task in it that would take an hour.</summary>
    private abstract class Timed : Model
    {
        protected Timed()
        {
            Group = TaskGroup.Open(World.Runtime.Engine.Root, "timed", opener: null);
            Sleeper = World.SpawnInto(Group, static async () => await Future.Delay(TimeSpan.FromHours(1)));
            World.Executor.RunReady();
            Set(1);
        }

        public override bool HasFineSteps => true;

        protected ModelWorld World { get; } = new();

        protected TaskGroup Group { get; }

        protected ManagedTask Sleeper { get; }

        protected void Set(int milliseconds) => Group.SetDeadline(World.Runtime.Engine.Timers.DueIn(TimeSpan.FromMilliseconds(milliseconds)));

        protected void ShouldHaveBeenCanceled()
        {
            World.Executor.RunReady();
            Sleeper.State.ShouldBe(TaskState.Canceled);
            Group.Cause.ShouldNotBeNull().Kind.ShouldBe(CancelKind.TimedOut);
            Set(5);
            World.Runtime.Engine.Timers.Count.ShouldBe(0, "a deadline that is over cannot be set again");
            Close();
        }

        protected void Close()
        {
            Group.TryClose(out _).ShouldBeTrue();
            World.ShouldBeEmpty();
        }
    }

    /// <summary>The time is over while somebody grants more of it.</summary>
    private sealed class MoveAgainstFire : Timed
    {
        public MoveAgainstFire()
        {
            Thread("mover", () =>
            {
                Set(10);
                Group.Deadline!.Within.ShouldBeGreaterThan(TimeSpan.Zero);
                _ = Group.HasDeadline; // either answer is right: the timer may be here
            });
            Thread("timer", () => World.Time.Advance(1));
        }

        public override void Check()
        {
            if (Group.Cause is null)
            {
                Group.Deadline!.WillExpire.ShouldBeTrue();
                Group.Deadline.Within.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(8));
                World.Time.Advance(8);
                Group.Cause.ShouldBeNull("the time that was granted is not over");
                World.Time.Advance(10);
            }

            ShouldHaveBeenCanceled();
        }
    }

    /// <summary>The time is over while somebody says that there is none any more.</summary>
    private sealed class SetPastAgainstFire : Timed
    {
        public SetPastAgainstFire()
        {
            Thread("mover", () =>
            {
                Set(0);
                Group.Deadline!.WillExpire.ShouldBeFalse();
            });
            Thread("timer", () => World.Time.Advance(1));
        }

        public override void Check()
        {
            ReferenceEquals(Group.Deadline!.Cause, Group.Cause).ShouldBeTrue("it was over twice: who waits for the scope would not be told of the deadline");
            ShouldHaveBeenCanceled();
        }
    }

    /// <summary>The time is over while somebody says that there is to be no deadline; later there is one again.</summary>
    private sealed class WithdrawAgainstFire : Timed
    {
        public WithdrawAgainstFire()
        {
            Thread("mover", () => Group.SetDeadline(TimerWheel.Never));
            Thread("timer", () => World.Time.Advance(1));
        }

        public override void Check()
        {
            if (Group.Cause is null)
            {
                World.Time.Advance(10);
                Group.Cause.ShouldBeNull("it was withdrawn");
                Group.HasDeadline.ShouldBeFalse();
                Group.Due.ShouldBe(TimerWheel.Never);
                Set(1);
                World.Time.Advance(2);
            }

            ShouldHaveBeenCanceled();
        }
    }

    /// <summary>The last task has ended and the group closes, while somebody grants more time.</summary>
    private sealed class MoveAgainstClose : Timed
    {
        public MoveAgainstClose()
        {
            Sleeper.Cancel();
            World.Executor.RunReady();
            Group.SetDeadline(TimerWheel.Never);
            Thread("closer", () => Group.TryClose(out _).ShouldBeTrue());
            Thread("mover", () => Set(10));
        }

        public override void Check()
        {
            World.Runtime.Engine.Timers.Count.ShouldBe(0);
            World.ShouldBeEmpty();
        }
    }

    /// <summary>Two tasks of a group call the first operations that may be abandoned.</summary>
    private sealed class TwoOperations : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskGroup _group;
        private readonly TaskGroup?[] _found = new TaskGroup?[2];

        public TwoOperations()
        {
            _group = TaskGroup.Open(_world.Runtime.Engine.Root, "calling", opener: null);
            Thread("a", () => _found[0] = Abandonment.OperationsOf(_group));
            Thread("b", () => _found[1] = Abandonment.OperationsOf(_group));
        }

        public override bool HasFineSteps => true;

        public override void Check()
        {
            ReferenceEquals(_found[0], _found[1]).ShouldBeTrue("each found a group of its own");
            ReferenceEquals(Abandonment.OperationsOf(_group), _found[0]).ShouldBeTrue("a third group was made");
            _group.TryClose(out TaskGroup? inside).ShouldBeFalse();
            ReferenceEquals(inside, _found[0]).ShouldBeTrue("it is not inside the group it was called from");
            inside!.TryClose(out _).ShouldBeTrue();
            _group.TryClose(out _).ShouldBeTrue("there is one group of operations and no other");
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A timed wait is refused, since the timers are gone, while its task is canceled.</summary>
    private sealed class RefusalOfTimed : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskCompletionSource _source = new();
        private readonly ManagedTask _task;

        public RefusalOfTimed()
        {
            _task = _world.Spawn(async () =>
            {
                await Future.Yield();
                await _source.Task.WithTimeout(TimeSpan.FromHours(1));
            });
            _world.Executor.StepOne();
            _world.Runtime.Engine.Timers.Dispose();
            Thread("worker", _world.Work);
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            _task.State.ShouldBeOneOf(TaskState.Canceled, TaskState.Failed);
            (_task.Exception is null or ObjectDisposedException).ShouldBeTrue($"{_task.Exception}");
            _source.SetResult(); // comes late, and wakes nobody
            _world.Executor.ReadyCount.ShouldBe(0);
            _world.ShouldBeEmpty();
        }
    }
}
