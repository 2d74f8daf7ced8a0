using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Intervals and delays that are moved while somebody waits, begins to wait, and goes on.</summary>
public sealed class MovableModels
{
    [Fact]
    public void S119_a_reset_while_a_tick_is_taken_begins_the_new_rhythm() => Proof.Holds<ResetAgainstTake>(atLeast: 50);

    [Fact]
    public void S119_reset_against_take_twin() => Proof.Catches<ResetAgainstTake>("MovableWait.TryMove", Flaw.Stale);

    [Fact]
    public void S119_of_two_who_begin_to_wait_at_once_one_is_refused() => Proof.Holds<TwoWait>(atLeast: 50);

    [Theory]
    [InlineData("MovableWait.Seat", Flaw.Blind)]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    public void S119_two_wait_twin(string site, Flaw flaw) => Proof.Catches<TwoWait>(site, flaw);

    [Fact]
    public void S111_a_delay_that_is_moved_while_somebody_begins_to_wait_ends_at_its_new_time() => Proof.Holds<ResetAgainstWait>(atLeast: 50);

    [Theory]
    [InlineData("MovableWait.MoveLocked", Flaw.Forgotten)]
    [InlineData("MovableWait.Seat", Flaw.Forgotten)]
    public void S111_reset_against_wait_twin(string site, Flaw flaw) => Proof.Catches<ResetAgainstWait>(site, flaw);

    /// <summary>A tick's time has come. Its waiter takes it, while somebody begins the rhythm anew.</summary>
    private sealed class ResetAgainstTake : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask<IntervalTick> _task;
        private Interval? _interval;

        public ResetAgainstTake()
        {
            _task = _world.Runtime.SpawnDetached(async ct =>
            {
                _interval = new Interval(TimeSpan.FromMilliseconds(10));
                return await _interval.NextAsync();
            });
            _world.Executor.RunReady();
            _world.Time.Advance(10);
            Thread("worker", _world.Work);
            Thread("resetter", () => _interval!.Reset(TimeSpan.FromMilliseconds(100)));
        }

        public override void Check()
        {
            _task.State.ShouldBe(TaskState.Completed);
            ManagedTask<IntervalTick> next = _world.Runtime.SpawnDetached(async ct => await _interval!.NextAsync());
            _world.Executor.RunReady();
            _world.Time.Advance(99);
            _world.Executor.RunReady();
            next.State.ShouldBe(TaskState.Blocked, "the reset was lost");
            _world.Time.Advance(1);
            _world.Executor.RunReady();
            next.Result.Number.ShouldBe(2);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>Two tasks come for the same tick.</summary>
    private sealed class TwoWait : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask[] _tasks = new ManagedTask[2];
        private Interval? _interval;

        public TwoWait()
        {
            _world.Start(async () =>
            {
                _interval = new Interval(TimeSpan.FromHours(1));
                await Future.Completed();
            });
            for (int i = 0; i < 2; i++)
            {
                _tasks[i] = _world.Spawn(async () => await _interval!.NextAsync());
            }

            Thread("a", _world.Executor.StepOne);
            Thread("b", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _tasks.Count(static task => task.Exception is InvalidOperationException).ShouldBe(1, "who came second was not refused");
            _interval!.Reset(TimeSpan.Zero);
            _world.Time.Advance(0);
            _world.Executor.RunReady();
            _tasks.Count(static task => task.State == TaskState.Completed).ShouldBe(1, "who waits is unknown to the reset");
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task begins to wait for a delay that is moved to an earlier end meanwhile.</summary>
    private sealed class ResetAgainstWait : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private ResettableDelay? _sleep;

        public ResetAgainstWait()
        {
            _world.Start(async () =>
            {
                _sleep = new ResettableDelay(TimeSpan.FromHours(1));
                await Future.Completed();
            });
            _task = _world.Spawn(async () => await _sleep!);
            Thread("worker", _world.Executor.StepOne);
            Thread("resetter", () => _sleep!.Reset(TimeSpan.FromMilliseconds(5)));
        }

        public override bool HasFineSteps => true;

        public override void Check()
        {
            _world.Time.Advance(4);
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Blocked);
            _world.Time.Advance(1);
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed, "the new end is unknown to who waits");
            _world.ShouldBeEmpty();
        }
    }
}
