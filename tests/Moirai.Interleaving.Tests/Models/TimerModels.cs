using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>A timer that fires while its task is canceled, ends or has moved on wakes nothing and harms nothing.</summary>
public sealed class TimerModels
{
    private static readonly TimeSpan s_millisecond = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void A4_a_timer_that_fires_while_its_task_is_canceled_harms_nothing() => Proof.Holds<AgainstCancel>(atLeast: 1_000);

    [Fact]
    public void A4_timer_against_cancel_twin() => Proof.Catches<AgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A4_a_timer_that_fires_while_its_task_ends_harms_nothing() => Proof.Holds<AgainstEnd>(atLeast: 500);

    [Theory]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    public void A4_timer_against_end_twin(string site, Flaw flaw) => Proof.Catches<AgainstEnd>(site, flaw);

    [Fact]
    public void A4_of_completion_timer_and_cancellation_exactly_one_ends_a_wait() => Proof.Holds<ThreeParties>(atLeast: 1_000);

    [Fact]
    public void A4_three_parties_twin() => Proof.Catches<ThreeParties>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A4_a_timer_that_fires_when_its_task_has_moved_on_leaves_the_next_wait_alone() => Proof.Holds<AgainstNextWait>(atLeast: 500);

    [Fact]
    public void A4_timer_against_next_wait_twin() => Proof.Catches<AgainstNextWait>("SpinGate.Enter", Flaw.Forgotten, "timer");

    [Fact]
    public void A4_a_timeout_that_begins_while_its_time_goes_by_is_not_lost() => Proof.Holds<AgainstArm>(atLeast: 400);

    [Theory]
    [InlineData("TimeoutFrame.MoveNext", Flaw.Forgotten)]
    [InlineData("LifecycleWord.Park", Flaw.NoFence)]
    public void A4_timer_against_arm_twin(string site, Flaw flaw) => Proof.Catches<AgainstArm>(site, flaw);

    [Fact]
    public void A4_two_timers_of_one_wait_end_it_once() => Proof.Holds<TwoTimers>(atLeast: 100);

    [Fact]
    public void A4_two_timers_twin() => Proof.Catches<TwoTimers>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    private static async Future YieldAsync() => await Future.Yield();

    private sealed class AgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;

        public AgainstCancel()
        {
            _task = _world.Start(async () => await Future.Delay(s_millisecond));
            Thread("worker", _world.Work);
            Thread("timer", () => _world.Time.Advance(1));
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            _task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>What is timed completes, and with it the task, at the moment at which its time is over.</summary>
    private sealed class AgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private Waker _waker;
        private int _isDone;

        public AgainstEnd()
        {
            _task = _world.Start(async () => await WaitAsync().WithTimeout(s_millisecond));
            Thread("worker", _world.Work);
            Thread("timer", () => _world.Time.Advance(1));
            Thread("completion", () =>
            {
                Atomics.Write(ref _isDone, 1);
                _waker.Wake();
            });
        }

        public override void Check()
        {
            _task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Failed);
            (_task.Exception is null or TaskTimeoutException).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }

        private Future WaitAsync() => Future.FromPoll(waker =>
        {
            _waker = waker;
            return Atomics.Read(ref _isDone) != 0;
        });
    }

    private sealed class ThreeParties : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskSlotManager _slots = new(1, "slots");
        private readonly ManagedTask _task;
        private int _got;
        private int _late;

        public ThreeParties()
        {
            _slots.TryAcquire(out SlotLease? held).ShouldBeTrue();
            _task = _world.Start(WaitAsync);
            Thread("completion", () => held!.Dispose());
            Thread("timer", () => _world.Time.Advance(1));
            Thread("cancellation", () => _task.Cancel());
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            int canceled = _task.State == TaskState.Canceled ? 1 : 0;
            (_got + _late + canceled).ShouldBe(1, $"{_task}: got {_got}, late {_late}");
            _slots.InUse.ShouldBe(0);
            _slots.Waiting.ShouldBe(0);
            _world.ShouldBeEmpty();
        }

        private async Future WaitAsync()
        {
            try
            {
                using SlotLease lease = await _slots.AcquireAsync().WithTimeout(s_millisecond);
                _got++;
            }
            catch (TaskTimeoutException)
            {
                _late++;
            }
        }
    }

    /// <summary>A timeout begins while the time goes by that it is for.</summary>
    private sealed class AgainstArm : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;

        public AgainstArm()
        {
            _task = _world.Spawn(static async () =>
            {
                await Future.Yield();
                await Future.Delay(TimeSpan.FromHours(1)).AsFuture().WithTimeout(s_millisecond);
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("timer", () => _world.Time.Advance(1));
        }

        public override void Check()
        {
            _world.Time.Advance(1); // it may have begun after the first
            _world.Executor.RunReady();
            _task.Exception.ShouldBeOfType<TaskTimeoutException>();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>The timed stretch is over when its time is, and the task goes on to a wait which that timer is not for.</summary>
    private sealed class AgainstNextWait : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private int _ended;

        public AgainstNextWait()
        {
            _task = _world.Spawn(WaitTwiceAsync);
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("timer", () => _world.Time.Advance(1));
        }

        public override void Check()
        {
            _ended.ShouldBe(1);
            _task.State.ShouldBe(TaskState.Blocked, "the timer of the first wait has ended the second");
            _world.Runtime.Engine.Timers.Count.ShouldBe(1);
            _task.Cancel();
            _world.ShouldBeEmpty();
        }

        private async Future WaitTwiceAsync()
        {
            await YieldAsync().WithTimeout(s_millisecond);
            _ended++;
            await Future.Delay(TimeSpan.FromHours(1));
            _ended++;
        }
    }

    /// <summary>A wait and the stretch around it are over at almost the same time; what turned the wheel for the one is still at it when the other is due.</summary>
    private sealed class TwoTimers : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private int _ended;

        public TwoTimers()
        {
            _task = _world.Start(WaitAsync);
            Thread("timer", () => _world.Time.Advance(1));
            Thread("worker", () =>
            {
                _world.Time.Advance(1);
                _world.Runtime.Engine.Timers.Turn();
            });
        }

        public override void Check()
        {
            _world.ShouldBeEmpty();
            _ended.ShouldBe(1);
            _task.State.ShouldBe(TaskState.Completed);
        }

        private async Future WaitAsync()
        {
            try
            {
                await Future.Delay(2 * s_millisecond).AsFuture().WithTimeout(s_millisecond);
            }
            catch (TaskTimeoutException)
            {
                // whichever comes first
            }

            _ended++;
        }
    }
}
