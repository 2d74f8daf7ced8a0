using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>A polled operation against those who wake it: no wake is lost, and one that comes late wakes nothing.</summary>
public sealed class PollModels
{
    [Fact]
    public void D3_a_wake_before_during_or_after_a_poll_is_not_lost() => Proof.Holds<WakeAgainstPoll>(atLeast: 500);

    [Theory]
    [InlineData("TaskWakeTarget.Reset", Flaw.NoFence)]
    [InlineData("TaskWakeTarget.Wake", Flaw.NoFence)]
    [InlineData("TaskWakeTarget.IsWokenMeanwhile", Flaw.Blind)]
    [InlineData("LifecycleWord.Park", Flaw.NoFence)]
    public void D3_wake_against_poll_twin(string site, Flaw flaw) => Proof.Catches<WakeAgainstPoll>(site, flaw);

    [Fact]
    public void D3_B3_a_wake_that_comes_late_leaves_the_next_wait_alone() => Proof.Holds<LateWake>(atLeast: 200);

    [Fact]
    public void D3_B3_late_wake_twin() => Proof.Catches<LateWake>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void D3_S059_a_wake_and_a_cancellation_end_a_polled_wait_once() => Proof.Holds<WakeAgainstCancel>(atLeast: 200);

    [Fact]
    public void D3_S059_wake_against_cancel_twin() => Proof.Catches<WakeAgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A_continuation_that_foreign_code_calls_twice_goes_on_once() => Proof.Holds<CalledTwice>(atLeast: 200);

    [Fact]
    public void Called_twice_twin() => Proof.Catches<CalledTwice>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    private abstract class Polled : Model
    {
        private int _isDone;
        private Waker _waker;

        protected Polled()
        {
            Task = World.Start(BodyAsync);
        }

        protected ModelWorld World { get; } = new();

        protected ManagedTask Task { get; }

        protected abstract Future BodyAsync();

        protected Future PollAsync() => Future.FromPoll(waker =>
        {
            _waker = waker;
            return Atomics.Read(ref _isDone) != 0;
        });

        protected void Wake() => _waker.Wake();

        protected void Complete()
        {
            Atomics.Write(ref _isDone, 1);
            Wake();
        }
    }

    /// <summary>One wakes for nothing, so that the operation is polled again while the other completes it.</summary>
    private sealed class WakeAgainstPoll : Polled
    {
        public WakeAgainstPoll()
        {
            Thread("worker", World.Work);
            Thread("restless", Wake);
            Thread("source", Complete);
        }

        public override void Check()
        {
            Task.State.ShouldBe(TaskState.Completed, "the wake was lost");
            World.ShouldBeEmpty();
        }

        protected override async Future BodyAsync() => await PollAsync();
    }

    /// <summary>Two wake for the same thing; the task has gone on to its next wait when the second comes.</summary>
    private sealed class LateWake : Polled
    {
        public LateWake()
        {
            Thread("worker", World.Work);
            Thread("source", Complete);
            Thread("late", Wake);
        }

        public override void Check()
        {
            Task.State.ShouldBe(TaskState.Blocked);
            World.Runtime.Engine.Timers.Count.ShouldBe(1, "a late wake has ended the next wait");
            Task.Cancel();
            World.ShouldBeEmpty();
        }

        protected override async Future BodyAsync()
        {
            await PollAsync();
            await Future.Delay(TimeSpan.FromHours(1));
        }
    }

    private sealed class WakeAgainstCancel : Polled
    {
        public WakeAgainstCancel()
        {
            Thread("worker", World.Work);
            Thread("source", Complete);
            Thread("canceller", () => Task.Cancel());
        }

        public override void Check()
        {
            Task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            World.ShouldBeEmpty();
        }

        protected override async Future BodyAsync() => await PollAsync();
    }

    /// <summary>Foreign code calls a continuation twice, against the rules; the body calls another method that waits on foreign code too.</summary>
    private sealed class CalledTwice : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private readonly Foreign _first = new();
        private readonly Foreign _second = new();
        private int _ended;

        public CalledTwice()
        {
            _task = _world.Start(BodyAsync);
            Action continuation = _first.Continuation!;
            Thread("worker", _world.Work);
            Thread("once", continuation);
            Thread("twice", continuation);
        }

        public override void Check()
        {
            _task.State.ShouldBe(TaskState.Blocked, "the second call has ended a wait that it was not for");
            _ended.ShouldBe(1);
            _second.Continuation!();
            _world.Executor.RunReady();
            _ended.ShouldBe(2);
            _world.ShouldBeEmpty();
        }

        private async Future BodyAsync()
        {
            await _first;
            _ended++;
            await InsideAsync();
            _ended++;
        }

        private async Future InsideAsync() => await _second;
    }

    private sealed class Foreign : System.Runtime.CompilerServices.INotifyCompletion
    {
        public Action? Continuation { get; private set; }

        public bool IsCompleted => false;

        public Foreign GetAwaiter() => this;

        public void GetResult()
        {
            // nothing to give
        }

        public void OnCompleted(Action continuation) => Continuation = continuation;
    }
}
