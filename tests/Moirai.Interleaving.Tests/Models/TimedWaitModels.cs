using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>A wait in a primitive that time may end: what comes, the time and a cancellation end it once, and none of them ends the next wait.</summary>
public sealed class TimedWaitModels
{
    private static readonly TimeSpan s_millisecond = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void A1_of_what_comes_and_the_time_one_ends_a_timed_wait_and_neither_the_next() => Proof.Holds<AgainstSend>(atLeast: 500);

    [Theory]
    [InlineData("TimeWatch.EndWait", Flaw.Forgotten)]
    [InlineData("IWatchedWait.Fire", Flaw.Blind)]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    public void A1_against_send_twin(string site, Flaw flaw) => Proof.Catches<AgainstSend>(site, flaw);

    [Fact]
    public void A1_a_timed_wait_that_begins_while_its_time_goes_by_ends() => Proof.Holds<AgainstBegin>(atLeast: 100);

    [Theory]
    [InlineData("TimeWatch.TryBegin", Flaw.Forgotten)]
    [InlineData("TimeWatch.FireIfOver", Flaw.Blind)]
    public void A1_against_begin_twin(string site, Flaw flaw) => Proof.Catches<AgainstBegin>(site, flaw);

    [Fact]
    public void A1_a_timed_wait_whose_time_is_over_while_its_task_is_canceled_harms_nothing() => Proof.Holds<AgainstCancel>(atLeast: 500);

    [Fact]
    public void A1_against_cancel_twin() => Proof.Catches<AgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A1_a_token_that_is_canceled_while_a_timed_wait_begins_ends_it() => Proof.Holds<AgainstToken>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.Peek", Flaw.Blind)]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    public void A1_against_token_twin(string site, Flaw flaw) => Proof.Catches<AgainstToken>(site, flaw);

    [Fact]
    public void A1_a_wait_without_any_time_that_begins_while_something_is_sent_ends_at_once() => Proof.Holds<WithoutTime>(atLeast: 20);

    [Theory]
    [InlineData("TimeWatch.TryBegin", Flaw.Forgotten)]
    [InlineData("TimeWatch.FireIfOver", Flaw.Blind)]
    public void A1_without_time_twin(string site, Flaw flaw) => Proof.Catches<WithoutTime>(site, flaw);

    private abstract class OfTimedWait : Model
    {
        private readonly AsyncSemaphore _later = new(0, 1);

        protected ModelWorld World { get; } = new();

        protected int Received { get; private set; }

        protected int Late { get; private set; }

        protected async Future WaitTwiceAsync(OneShotReceiver<int> receiver, TimeSpan? within = null, CancellationToken token = default)
        {
            try
            {
                Received += await receiver.ReceiveAsync(token).WithTimeout(within ?? s_millisecond);
            }
            catch (TaskTimeoutException)
            {
                Late++;
            }
            catch (OperationCanceledException) when (token.IsCancellationRequested)
            {
                Late++;
            }

            await _later.AcquireAsync();
        }

        protected void ShouldWaitForWhatIsNext(ManagedTask task)
        {
            (Received + Late).ShouldBe(1);
            task.State.ShouldBe(TaskState.Blocked);
            _later.Waiting.ShouldBe(1, "the time of the first wait has ended the second");
            World.Runtime.Engine.Timers.Count.ShouldBe(0);
            _later.AddPermits(1);
            World.Executor.RunReady();
            task.State.ShouldBe(TaskState.Completed);
            World.ShouldBeEmpty();
        }
    }

    private sealed class AgainstSend : OfTimedWait
    {
        private readonly ManagedTask _task;

        public AgainstSend()
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _task = World.Start(() => WaitTwiceAsync(receiver));
            Thread("worker", World.Work);
            Thread("timer", () => World.Time.Advance(1));
            Thread("sender", () => sender.TrySend(1));
        }

        public override void Check()
        {
            World.Executor.RunReady();
            ShouldWaitForWhatIsNext(_task);
        }
    }

    private sealed class AgainstBegin : OfTimedWait
    {
        private readonly OneShotSender<int> _sender;
        private readonly ManagedTask _task;

        public AgainstBegin()
        {
            (_sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _task = World.Spawn(async () =>
            {
                await Future.Yield();
                await WaitTwiceAsync(receiver);
            });
            World.Executor.StepOne();
            Thread("worker", World.Work);
            Thread("timer", () => World.Time.Advance(1));
        }

        public override void Check()
        {
            World.Time.Advance(1); // it may have begun after the first
            World.Executor.RunReady();
            Late.ShouldBe(1);
            ShouldWaitForWhatIsNext(_task);
            GC.KeepAlive(_sender);
        }
    }

    private sealed class WithoutTime : OfTimedWait
    {
        private readonly ManagedTask _task;
        private readonly OneShotSender<int> _sender;
        private bool _isBegun;

        public WithoutTime()
        {
            (_sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _task = World.Spawn(async () =>
            {
                await Future.Yield();
                await WaitTwiceAsync(receiver, within: TimeSpan.Zero);
            });
            World.Executor.StepOne();
            Thread("worker", World.Work);
            Thread("sender", () => _isBegun = receiver.Waiting > 0 && _sender.TrySend(1));
        }

        public override void Check()
        {
            World.Executor.RunReady();
            Received.ShouldBeLessThanOrEqualTo(_isBegun ? 1 : 0);
            ShouldWaitForWhatIsNext(_task);
            GC.KeepAlive(_sender);
        }
    }

    private sealed class AgainstCancel : OfTimedWait
    {
        private readonly OneShotSender<int> _sender;
        private readonly ManagedTask _task;

        public AgainstCancel()
        {
            (_sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _task = World.Start(() => WaitTwiceAsync(receiver));
            Thread("worker", World.Work);
            Thread("timer", () => World.Time.Advance(1));
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Canceled);
            Received.ShouldBe(0);
            World.Runtime.Engine.Timers.Count.ShouldBe(0);
            World.ShouldBeEmpty();
            GC.KeepAlive(_sender);
        }
    }

    private sealed class AgainstToken : OfTimedWait
    {
        private readonly CancellationTokenSource _source = new();
        private readonly OneShotSender<int> _sender;
        private readonly ManagedTask _task;

        public AgainstToken()
        {
            (_sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            CancellationToken token = _source.Token;
            _task = World.Spawn(async () =>
            {
                await Future.Yield();
                await WaitTwiceAsync(receiver, token: token);
            });
            World.Executor.StepOne();
            Thread("worker", World.Work);
            Thread("canceller", () => _source.Cancel());
        }

        public override void Check()
        {
            World.Executor.RunReady();
            Late.ShouldBe(1);
            ShouldWaitForWhatIsNext(_task);
            _source.Dispose();
            GC.KeepAlive(_sender);
        }
    }
}
