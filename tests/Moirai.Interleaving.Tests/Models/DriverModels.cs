using Moirai.Interleaving.Exploring;
using Moirai.Timers;

namespace Moirai.Interleaving.Models;

/// <summary>What turns the wheel is told of every deadline that is earlier than its plan, and comes in time for each.</summary>
public sealed class DriverModels
{
    private static readonly TimeSpan s_millisecond = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void A4_S117_the_thread_of_a_queue_wakes_for_a_deadline_that_comes_while_it_goes_to_bed() => Proof.Holds<ArmAgainstSleep>(atLeast: 200);

    [Theory]
    [InlineData("TimerDriver.SleepUntil", Flaw.NoLock)]
    [InlineData("TimerDriver.Plan", Flaw.NoLock)]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    public void A4_arm_against_sleep_twin(string site, Flaw flaw) => Proof.Catches<ArmAgainstSleep>(site, flaw);

    [Fact]
    public void A4_a_deadline_that_comes_while_the_idle_thread_ends_gets_another_thread() => Proof.Holds<ArmAgainstEnd>(atLeast: 200);

    [Fact]
    public void A4_arm_against_end_twin() => Proof.Catches<ArmAgainstEnd>("TimerQueue.Turn", Flaw.Forgotten);

    [Fact]
    public void A4_a_worker_that_turns_the_wheel_beside_the_thread_makes_nothing_late() => Proof.Holds<TurnIfDueAgainstSleep>(atLeast: 500);

    [Theory]
    [InlineData("TimerDriver.SleepUntil", Flaw.NoLock)]
    [InlineData("TimerQueue.Turn", Flaw.Forgotten)]
    public void A4_turn_if_due_twin(string site, Flaw flaw) => Proof.Catches<TurnIfDueAgainstSleep>(site, flaw);

    [Fact]
    public void A4_the_timer_of_a_provider_is_set_for_the_earliest_of_deadlines_that_come_and_go_at_once() => Proof.Holds<ArmAgainstPlan>(atLeast: 200);

    [Theory]
    [InlineData("TimerDriver.Plan", Flaw.CheckThenStore)]
    [InlineData("TimerQueue.InsertLocked", Flaw.Forgotten)]
    [InlineData("TimerQueue.Planned", Flaw.Stale)]
    public void A4_arm_against_plan_twin(string site, Flaw flaw) => Proof.Catches<ArmAgainstPlan>(site, flaw);

    [Fact]
    public void A4_a_provider_that_fails_one_caller_is_asked_again_for_the_others() => Proof.Holds<ArmAgainstFailure>(atLeast: 50);

    [Fact]
    public void A4_arm_against_failure_twin() => Proof.Catches<ArmAgainstFailure>("TimerDriver.Plan", Flaw.CheckThenStore);

    [Fact]
    public void A4_a_queue_that_is_disposed_of_leaves_no_timer_set() => Proof.Holds<ArmAgainstDispose>(atLeast: 50);

    [Fact]
    public void A4_arm_against_dispose_twin() => Proof.Catches<ArmAgainstDispose>("TimerDriver.Set", Flaw.Blind);

    [Fact]
    public void A4_a_thread_that_could_not_be_started_is_started_for_the_next_who_waits() => Proof.Holds<StartFails>(atLeast: 20);

    [Fact]
    public void A4_start_fails_twin() => Proof.Catches<StartFails>("TimerQueue.Turn", Flaw.Forgotten);

    /// <summary>A queue with a thread of its own, under the clock of the run: time passes when nobody can do anything, so whatever is late was forgotten.</summary>
    private abstract class OnThread : Model
    {
        protected OnThread(int idle)
        {
            Queue = new TimerQueue(new RunClock(), TimeSpan.FromMilliseconds(idle), isOnThread: true);
        }

        public override bool HasFineSteps => true;

        protected TimerQueue Queue { get; }

        public override void Check()
        {
            Queue.Count.ShouldBe(0);
            Queue.MaxLag.ShouldBeLessThanOrEqualTo(2 * TimeSpan.TicksPerMillisecond, "a deadline was forgotten until something else woke the thread");
        }

        protected void Drive()
        {
            Run run = Run.Current!;
            while (Run.WaitForWork("waits to be started", () => run.Started.Count > 0))
            {
                run.Started.Dequeue()();
            }
        }

        protected void Arm(ModelWait wait, int milliseconds) => Queue.Arm(wait, Queue.DueIn(milliseconds * s_millisecond), wait.Park()).ShouldBeTrue();
    }

    /// <summary>A late deadline has started the thread; an earlier one comes.</summary>
    private sealed class ArmAgainstSleep : OnThread
    {
        private readonly ModelWait _late = new();
        private readonly ModelWait _early = new();

        public ArmAgainstSleep()
            : base(idle: 1_000)
        {
            Thread("driver", Drive);
            Thread("waiter", () =>
            {
                Arm(_late, 100);
                Arm(_early, 3);
            });
        }

        public override void Check()
        {
            base.Check();
            (_late.Resumes, _early.Resumes).ShouldBe((1, 1));
        }
    }

    /// <summary>A deadline comes at the moment at which the thread has had nothing to do for long enough.</summary>
    private sealed class ArmAgainstEnd : OnThread
    {
        private readonly ModelWait _first = new();
        private readonly ModelWait _second = new();

        public ArmAgainstEnd()
            : base(idle: 10)
        {
            Thread("driver", Drive);
            Thread("waiter", () =>
            {
                Arm(_first, 0);
                Run.Current!.SleepUntil("does something else", 10, () => false);
                Arm(_second, 3);
            });
        }

        public override void Check()
        {
            base.Check();
            (_first.Resumes, _second.Resumes).ShouldBe((1, 1));
        }
    }

    /// <summary>The machine has no thread to give for the first deadline; for the next it has.</summary>
    private sealed class StartFails : OnThread
    {
        private readonly ModelWait _told = new();
        private readonly ModelWait _second = new();
        private readonly ModelWait _third = new();

        public StartFails()
            : base(idle: 1_000)
        {
            Thread("driver", Drive);
            Thread("waiter", () =>
            {
                Run.Current!.FailsNextStart = true;
                Should.Throw<InsufficientExecutionStackException>(() => Arm(_told, 3));
                Queue.Count.ShouldBe(0, "who was told is not linked any more");
                Arm(_second, 3);
                Run.Current!.SleepUntil("does something else", 10, () => false);
                Arm(_third, 3);
            });
        }

        public override void Check()
        {
            base.Check();
            (_told.Resumes, _second.Resumes, _third.Resumes).ShouldBe((0, 1, 1));
        }
    }

    /// <summary>A worker that is awake turns the wheel when a turn is due, and waits for time again.</summary>
    private sealed class TurnIfDueAgainstSleep : OnThread
    {
        private readonly ModelWait _first = new();
        private readonly ModelWait _second = new();

        public TurnIfDueAgainstSleep()
            : base(idle: 1_000)
        {
            Thread("driver", Drive);
            Thread("worker", () =>
            {
                Arm(_first, 5);
                Run.Current!.SleepUntil("works", 5, () => false);
                Queue.TurnIfDue(Queue.Now);
                Arm(_second, 3);
            });
        }

        public override void Check()
        {
            base.Check();
            (_first.Resumes, _second.Resumes).ShouldBe((1, 1));
        }
    }

    /// <summary>A queue under a clock that is not the system's.</summary>
    private abstract class ByProvider : Model
    {
        protected ByProvider() => Queue = new TimerQueue(Time);

        protected ModelTime Time { get; } = new();

        protected TimerQueue Queue { get; }

        protected ModelWait Early { get; } = new();

        protected ModelWait Late { get; } = new();

        protected void Arm(ModelWait wait, int milliseconds) => Queue.Arm(wait, Queue.DueIn(milliseconds * s_millisecond), wait.Park()).ShouldBeTrue();

        protected static long Ticks(int milliseconds) => milliseconds * TimeSpan.TicksPerMillisecond;
    }

    /// <summary>Two deadlines come at once, and a third goes.</summary>
    private sealed class ArmAgainstPlan : ByProvider
    {
        public ArmAgainstPlan()
        {
            var gone = new ModelWait();
            Arm(gone, 1);
            Thread("late", () =>
            {
                gone.TryClaim().ShouldBeTrue();
                Queue.Remove(gone);
                Queue.Replan();
                Arm(Late, 100);
            });
            Thread("early", () => Arm(Early, 3));
        }

        public override void Check()
        {
            Time.NextDue.ShouldBe(Ticks(3));
            Time.Advance(3);
            Early.Resumes.ShouldBe(1);
            Time.NextDue.ShouldBe(Ticks(100));
            Time.Advance(97);
            Late.Resumes.ShouldBe(1);
            Queue.Count.ShouldBe(0);
        }
    }

    /// <summary>The provider fails for one of two; the other may have left its wish to it.</summary>
    private sealed class ArmAgainstFailure : ByProvider
    {
        private int _told;
        private int _set;

        public ArmAgainstFailure()
        {
            Time.FailsNext = true;
            Thread("late", () => TryArm(Late, 100));
            Thread("early", () => TryArm(Early, 3));
        }

        public override void Check()
        {
            (_told, _set).ShouldBe((1, 1));
            Queue.Count.ShouldBe(1, "who was told is not linked any more");
            Arm(new ModelWait(), 1_000);
            Time.NextDue.ShouldNotBeNull().ShouldBeLessThanOrEqualTo(Ticks(100), "the next who arms sets the timer for those who rely on it");
        }

        private void TryArm(ModelWait wait, int milliseconds)
        {
            try
            {
                Arm(wait, milliseconds);
                _set++;
            }
            catch (InvalidOperationException)
            {
                _told++;
            }
        }
    }

    private sealed class ArmAgainstDispose : ByProvider
    {
        private bool _isRefused;

        public ArmAgainstDispose()
        {
            Thread("waiter", () =>
            {
                try
                {
                    Arm(Early, 3);
                }
                catch (ObjectDisposedException)
                {
                    _isRefused = true;
                }
            });
            Thread("owner", Queue.Dispose);
        }

        public override void Check()
        {
            Time.Timers.ShouldBe(0);
            Queue.Count.ShouldBe(_isRefused ? 0 : 1);
        }
    }

    /// <summary>The clock of the run.</summary>
    private sealed class RunClock : TimeProvider
    {
        private Run? _run;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp()
        {
            _run ??= Run.Current;
            return (_run?.Now ?? 0) * TimeSpan.TicksPerMillisecond;
        }
    }
}
