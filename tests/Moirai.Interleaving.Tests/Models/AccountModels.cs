using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Accounts of tasks: what is told of one belongs together, and what several threads book at once is all booked.</summary>
public sealed class AccountModels
{
    [Fact]
    public void C5_the_times_that_a_look_tells_belong_together() => Proof.Holds<LookAgainstRun>(atLeast: 50);

    [Theory]
    [InlineData("AccountCell.Telling.Complete", Flaw.Stale)]
    [InlineData("AccountCell.Booking.Turn", Flaw.Forgotten)]
    public void C5_look_against_run_twin(string site, Flaw flaw) => Proof.Catches<LookAgainstRun>(site, flaw);

    [Fact]
    public void C5_the_times_of_a_task_that_gives_way_belong_together() => Proof.Holds<LookAgainstYield>(atLeast: 50);

    [Fact]
    public void C5_look_against_yield_twin() => Proof.Catches<LookAgainstYield>("AccountCell.Booking.Stop", Flaw.Forgotten);

    [Fact]
    public void C5_the_times_of_a_task_whose_turn_comes_at_once_belong_together() => Proof.Holds<LookAgainstTurn>(atLeast: 5);

    [Fact]
    public void C5_look_against_turn_twin() => Proof.Catches<LookAgainstTurn>("AccountCell.Run", Flaw.Forgotten);

    [Fact]
    public void C5_the_times_of_a_task_with_plain_code_belong_together() => Proof.Holds<LookAgainstRunBesideThreads>(atLeast: 50);

    [Fact]
    public void C5_look_against_run_beside_threads_twin() => Proof.Catches<LookAgainstRunBesideThreads>("AccountCell.Booking.Write", Flaw.Forgotten);

    [Fact]
    public void C5_the_times_of_a_task_whose_plain_code_a_thread_takes_up_and_leaves_belong_together() => Proof.Holds<LookAgainstResume>(atLeast: 30, budget: 1);

    [Theory]
    [InlineData("AccountCell.Telling.Complete", Flaw.Stale)]
    [InlineData("AccountCell.Booking.BookEntry", Flaw.Forgotten)]
    [InlineData("AccountCell.Booking.BookLeave", Flaw.Forgotten)]
    public void C5_look_against_resume_twin(string site, Flaw flaw) => Proof.Catches<LookAgainstResume>(site, flaw);

    [Fact]
    public void C5_the_time_of_a_lent_thread_is_nobodys() => Proof.Holds<LookAgainstLoan>(atLeast: 200, budget: 1);

    [Theory]
    [InlineData("AccountCell.Telling.Complete", Flaw.Stale)]
    [InlineData("AccountCell.TakeBack", Flaw.Blind)]
    public void C5_look_against_loan_twin(string site, Flaw flaw) => Proof.Catches<LookAgainstLoan>(site, flaw);

    [Fact]
    public void C5_what_two_threads_do_for_a_task_at_once_is_all_booked() => Proof.Holds<TwoThreads>(atLeast: 200);

    [Theory]
    [InlineData("AccountCell.Booking.BookEntry", Flaw.Forgotten)]
    [InlineData("AccountCell.Booking.BookEntry", Flaw.CheckThenStore)]
    [InlineData("AccountCell.Booking.BookLeave", Flaw.CheckThenStore)]
    [InlineData("AccountCell.Booking.Change", Flaw.CheckThenStore)]
    [InlineData("AccountCell.ThreadLeaves", Flaw.Forgotten)]
    public void C5_two_threads_twin(string site, Flaw flaw) => Proof.Catches<TwoThreads>(site, flaw);

    [Fact]
    public void C5_polls_of_plain_code_that_come_at_once_are_all_counted() => Proof.Holds<TwoPolls>(atLeast: 5);

    [Theory]
    [InlineData("AccountCell.CountPoll", Flaw.Forgotten)]
    [InlineData("AccountCell.CountPollBesideIt", Flaw.CheckThenStore)]
    [InlineData("AccountCell.CloseBody", Flaw.Forgotten)]
    public void C5_two_polls_twin(string site, Flaw flaw) => Proof.Catches<TwoPolls>(site, flaw);

    [Fact]
    public void B4_who_spawns_in_the_context_of_a_task_that_ends_finds_the_context_without_it_or_none() => Proof.Holds<SpawnAgainstEnd>(atLeast: 5);

    [Theory]
    [InlineData("AccountCell.ForgetContexts", Flaw.Forgotten)]
    [InlineData("AccountCell.Flows", Flaw.Forgotten)]
    public void B4_spawn_against_end_twin(string site, Flaw flaw) => Proof.Catches<SpawnAgainstEnd>(site, flaw);

    [Fact]
    public void C5_an_account_whose_clock_fails_tells_no_times() => Proof.Holds<LookAgainstFailure>(atLeast: 5);

    [Fact]
    public void C5_look_against_failure_twin() => Proof.Catches<LookAgainstFailure>("AccountCell.Booking.ReadOther", Flaw.Forgotten);

    [Fact]
    public void C7_how_long_plain_code_is_quiet_is_told_from_when_a_thread_left_it() => Proof.Holds<LookAgainstLeave>(atLeast: 3);

    [Fact]
    public void C7_look_against_leave_twin() => Proof.Catches<LookAgainstLeave>("AccountCell.ThreadLeaves", Flaw.Forgotten);

    private abstract class OfCell : Model
    {
        protected OfCell(bool hasClock, bool isExact = true) => Cell = new AccountCell(TaskLabel.Of("task", "method", null, "model", 0), hasClock ? Clock : null, isExact: isExact);

        protected CellClock Clock { get; } = new();

        protected AccountCell Cell { get; }

        protected TaskAccount Look() => Cell.Complete(new TaskAccount { Level = AccountingLevel.Exact, State = TaskState.Running }, Clock);
    }

    /// <summary>Ten milliseconds after the birth of a task something changes, while somebody looks. What the account says must be true of the time that it tells.</summary>
    private abstract class Timed : OfCell
    {
        protected Timed()
            : base(hasClock: true) => Thread("looker", () => ShouldBelongTogether(Look()));

        public override void Check()
        {
            Clock.Set(30);
            ShouldBelongTogether(Look());
        }

        protected abstract (int Busy, int Ready) At(int age);

        private void ShouldBelongTogether(TaskAccount account)
        {
            (int busy, int ready) = At((int)account.Age!.Value.TotalMilliseconds);
            (account.Busy, account.Ready).ShouldBe((TimeSpan.FromMilliseconds(busy), TimeSpan.FromMilliseconds(ready)), account.ToString());
        }
    }

    /// <summary>It was ready, and runs.</summary>
    private sealed class LookAgainstRun : Timed
    {
        public LookAgainstRun()
        {
            Clock.Set(10);
            Thread("owner", () => Cell.Run(AccountCell.Unread));
        }

        protected override (int Busy, int Ready) At(int age) => (age - 10, 10);
    }

    /// <summary>It ran, and gives way.</summary>
    private sealed class LookAgainstYield : Timed
    {
        public LookAgainstYield()
        {
            Cell.Run(AccountCell.Unread);
            Clock.Set(10);
            Thread("owner", () => Cell.GiveWay());
        }

        protected override (int Busy, int Ready) At(int age) => (10, age - 10);
    }

    /// <summary>It has given way, comes to a queue, and runs on at the moment at which it gave way.</summary>
    private sealed class LookAgainstTurn : Timed
    {
        public LookAgainstTurn()
        {
            Cell.Run(AccountCell.Unread);
            Clock.Set(10);
            long now = Cell.GiveWay();
            Thread("owner", () =>
            {
                Cell.BecomeReady();
                Cell.Run(now);
            });
        }

        protected override (int Busy, int Ready) At(int age) => (age, 0);
    }

    /// <summary>A thread takes up its plain code while it is ready, and leaves it two milliseconds later.</summary>
    private sealed class LookAgainstResume : Timed
    {
        public LookAgainstResume()
        {
            Cell.BeginToFlow();
            Clock.Set(10);
            Thread("resumer", () =>
            {
                Cell.ThreadEnters(takesUp: true, thread: null);
                Clock.Set(12);
                Cell.ThreadLeaves(thread: null);
            });
        }

        protected override (int Busy, int Ready) At(int age) => age > 12 ? (2, age - 2) : (age - 10, 10);
    }

    /// <summary>It was ready, its cell flows with plain code already, and runs.</summary>
    private sealed class LookAgainstRunBesideThreads : Timed
    {
        public LookAgainstRunBesideThreads()
        {
            Cell.BeginToFlow();
            Clock.Set(10);
            Thread("owner", () => Cell.Run(AccountCell.Unread));
        }

        protected override (int Busy, int Ready) At(int age) => (age - 10, 10);
    }

    /// <summary>It ran, and lends its thread to another for two milliseconds.</summary>
    private sealed class LookAgainstLoan : Timed
    {
        public LookAgainstLoan()
        {
            Cell.Run(AccountCell.Unread);
            Clock.Set(10);
            Thread("owner", () =>
            {
                Cell.Lend();
                Clock.Set(12);
                Cell.TakeBack();
            });
        }

        protected override (int Busy, int Ready) At(int age) => (age > 12 ? age - 2 : 10, 0);
    }

    /// <summary>Two threads take up plain code of one task, and leave it.</summary>
    private sealed class TwoThreads : OfCell
    {
        public TwoThreads()
            : base(hasClock: true)
        {
            Cell.BeginToFlow();
            Thread("one", PassThrough);
            Thread("other", PassThrough);
        }

        public override bool HasFineSteps => true;

        public override void Check()
        {
            Cell.Polls.ShouldBe(2);
            Look().Threads.ShouldBe(0);
            (Cell.ThreadInside is null).ShouldBeTrue("who has left is not inside");
        }

        private void PassThrough()
        {
            StepContext context = StepContext.Current;
            Cell.SeeInside(context);
            Cell.ThreadEnters(takesUp: true, context);
            Cell.ThreadLeaves(context);
            ReferenceEquals(Cell.ThreadInside, context).ShouldBeFalse("it has left");
            Cell.Polls.ShouldBeInRange(1, 2);
        }
    }

    /// <summary>Where no times are kept: two threads take up plain code, one of them twice, while the body ends whose last step is ours and not the task's.</summary>
    private sealed class TwoPolls : OfCell
    {
        public TwoPolls()
            : base(hasClock: false)
        {
            var world = new ModelWorld();
            ManagedTask task = world.Start(async () => await Future.Yield());
            Thread("one", () =>
            {
                Cell.ThreadEnters(takesUp: true, StepContext.Current);
                Cell.ThreadEnters(takesUp: true, StepContext.Current);
            });
            Thread("other", () =>
            {
                Cell.ThreadEnters(takesUp: true, thread: null);
                Cell.CloseBody(task);
            });
        }

        public override void Check() => Cell.Polls.ShouldBe(3 - 1);
    }

    /// <summary>Where polls are counted and threads are followed: one thread leaves at ten milliseconds, while somebody looks.</summary>
    private sealed class LookAgainstLeave : OfCell
    {
        public LookAgainstLeave()
            : base(hasClock: true, isExact: false)
        {
            Clock.Set(10);
            Thread("leaver", () =>
            {
                Cell.ThreadEnters(takesUp: true, thread: null);
                Cell.ThreadLeaves(thread: null);
            });
            Thread("looker", () => (QuietAt(30) is null or { TotalMilliseconds: 20 }).ShouldBeTrue());
        }

        public override void Check() => QuietAt(30).ShouldBe(TimeSpan.FromMilliseconds(20));

        private TimeSpan? QuietAt(int milliseconds) => Cell.QuietFor(milliseconds * TimeSpan.TicksPerMillisecond);
    }

    private sealed class SpawnAgainstEnd : OfCell
    {
        private readonly ExecutionContext _without;
        private readonly ExecutionContext _with;

        public SpawnAgainstEnd()
            : base(hasClock: false)
        {
            var flows = new AsyncLocal<int> { Value = 1 };
            _without = ExecutionContext.Capture()!;
            flows.Value = 2;
            _with = ExecutionContext.Capture()!;
            flows.Value = 0;
            Thread("owner", () =>
            {
                Cell.Flows(_without, _with);
                ReferenceEquals(Cell.ContextWithout(_with), _without).ShouldBeTrue();
                Cell.End();
            });
            Thread("spawner", () =>
            {
                (Cell.ContextWithout(_without) is null).ShouldBeTrue();
                ReferenceEquals(Cell.ContextWithout(_with) ?? _without, _without).ShouldBeTrue();
            });
        }

        public override void Check() => (Cell.ContextWithout(_with) is null).ShouldBeTrue("what has ended keeps no ambient values");
    }

    private sealed class LookAgainstFailure : OfCell
    {
        private bool _failed;

        public LookAgainstFailure()
            : base(hasClock: true)
        {
            Thread("owner", () =>
            {
                Clock.Fails = true;
                Cell.Run(AccountCell.Unread);
                Clock.Fails = false;
                Atomics.Write(ref _failed, true);
            });
            Thread("looker", () =>
            {
                bool failed = Atomics.Read(ref _failed);
                TimeSpan? busy = Look().Busy;
                (busy is null || (!failed && busy == TimeSpan.Zero)).ShouldBeTrue($"busy {busy}");
            });
        }

        public override void Check() => Look().Busy.ShouldBeNull();
    }

    /// <summary>A clock that a thread of the model moves: what it shows is seen by others no earlier than what was done before.</summary>
    private sealed class CellClock : TimeProvider
    {
        private const int MostReads = 1_000;

        private long _now;
        private int _reads;

        public bool Fails { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Set(int milliseconds) => Atomics.Write(ref _now, milliseconds * TimeSpan.TicksPerMillisecond);

        // Who looks reads it once a try. A version that stays odd, since a fault has torn it, is not looked at for ever.
        public override long GetTimestamp() => Fails || ++_reads > MostReads ? throw new InvalidOperationException("the clock fails") : Atomics.Read(ref _now);

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;
    }
}
