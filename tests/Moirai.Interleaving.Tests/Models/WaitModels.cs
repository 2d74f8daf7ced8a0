using Moirai.Execution;
using Moirai.Interleaving.Exploring;
using Moirai.Wakers;

namespace Moirai.Interleaving.Models;

/// <summary>The other places in which a task can wait, each against those who may end the wait.</summary>
public sealed class WaitModels
{
    private static readonly TimeSpan s_millisecond = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void C6_a_foreign_task_that_completes_while_its_wait_is_interrupted_ends_it_once() => Proof.Holds<TaskAgainstCancel>(atLeast: 100);

    [Fact]
    public void C6_task_against_cancel_twin() => Proof.Catches<TaskAgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void C6_S059_a_cancellation_reaches_a_task_that_begins_to_wait_for_a_foreign_one() => Proof.Holds<CancelAgainstTask>(atLeast: 200);

    [Fact]
    public void C6_S059_cancel_against_task_twin() => Proof.Catches<CancelAgainstTask>("Cancellation.CancelOne", Flaw.NoFence);

    [Fact]
    public void S059_a_wait_that_is_refused_while_its_task_is_canceled_ends_once() => Proof.Holds<RefusalAgainstCancel>(atLeast: 100);

    [Fact]
    public void S059_refusal_against_cancel_twin() => Proof.Catches<RefusalAgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A_foreign_wait_that_is_refused_after_it_was_ended_ends_once() => Proof.Holds<RefusalAgainstForeign>(atLeast: 50);

    [Fact]
    public void Refusal_against_foreign_twin() => Proof.Catches<RefusalAgainstForeign>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void C1_who_begins_to_wait_for_a_slot_while_slots_are_closed_is_told() => Proof.Holds<WaitAgainstClose>(atLeast: 100);

    [Fact]
    public void C1_wait_against_close_twin() => Proof.Catches<WaitAgainstClose>("LifecycleWord.IsArmed", Flaw.Blind);

    [Fact]
    public void B4_who_awaits_a_task_that_ends_goes_on_once() => Proof.Holds<JoinAgainstEnd>(atLeast: 500);

    [Theory]
    [InlineData("ManagedTask.Joining.MarkLeft", Flaw.Forgotten)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    [InlineData("LifecycleWord.State", Flaw.Stale)]
    public void B4_join_against_end_twin(string site, Flaw flaw) => Proof.Catches<JoinAgainstEnd>(site, flaw);

    [Fact]
    public void C4_a_task_that_is_canceled_while_it_ends_has_one_outcome() => Proof.Holds<CancelAgainstEnd>(atLeast: 200);

    [Fact]
    public void C4_cancel_against_end_twin() => Proof.Catches<CancelAgainstEnd>("SpinGate.Enter", Flaw.Forgotten);

    [Fact]
    public void C1_a_slot_that_is_given_back_by_two_is_given_back_once() => Proof.Holds<TwoReturns>(atLeast: 20);

    [Fact]
    public void C1_two_returns_twin() => Proof.Catches<TwoReturns>("TaskSlotManager.Dispose", Flaw.CheckThenStore);

    [Fact]
    public void A_callback_that_two_events_claim_runs_once() => Proof.Holds<TwoClaims>(atLeast: 3, budget: 4);

    [Fact]
    public void Two_claims_twin() => Proof.Catches<TwoClaims>("CallbackNode.TryClaim", Flaw.CheckThenStore);

    [Fact]
    public void C9_of_two_who_collect_one_is_told_that_it_is_too_late() => Proof.Holds<TwoCollectors>(atLeast: 100);

    [Fact]
    public void C9_two_collectors_twin() => Proof.Catches<TwoCollectors>("TaskCollector.BeginCollecting", Flaw.CheckThenStore);

    /// <summary>A task waits for a foreign one under a timeout; that completes, and the time is over.</summary>
    private sealed class TaskAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskCompletionSource _source = new();
        private readonly ManagedTask _task;

        public TaskAgainstCancel()
        {
            // Registered before: a continuation of a task that has completed would go to the thread pool, where nobody hands on turns.
            _task = _world.Start(async () => await _source.Task.WithTimeout(s_millisecond));
            Thread("source", () => Run.CallForeign(_source.SetResult));
            Thread("timer", () => _world.Time.Advance(1));
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Failed);
            (_task.Exception is null or TaskTimeoutException).ShouldBeTrue();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task is canceled while it begins to wait for a foreign one.</summary>
    private sealed class CancelAgainstTask : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskCompletionSource _source = new();
        private readonly ManagedTask _task;

        public CancelAgainstTask()
        {
            _task = _world.Spawn(async () =>
            {
                await Future.Yield();
                await _source.Task.WithTimeout(Timeout.InfiniteTimeSpan);
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            _task.State.ShouldBe(TaskState.Canceled);
            _world.ShouldBeEmpty();
            _source.SetResult(); // comes late, and wakes nobody
            _world.Executor.ReadyCount.ShouldBe(0);
        }
    }

    /// <summary>A wait is refused with an exception, since the timers are gone, while its task is canceled.</summary>
    private sealed class RefusalAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;

        public RefusalAgainstCancel()
        {
            _task = _world.Spawn(static async () =>
            {
                await Future.Yield();
                await Future.Delay(TimeSpan.FromHours(1));
            });
            _world.Executor.StepOne();
            _world.Runtime.Engine.Timers.Dispose();
            Thread("worker", _world.Work);
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            _task.State.ShouldBeOneOf(TaskState.Failed, TaskState.Canceled);
            (_task.Exception is null or ObjectDisposedException).ShouldBeTrue($"{_task.Exception}");
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>Foreign code takes a continuation, calls it, and throws as if it had not taken it.</summary>
    private sealed class RefusalAgainstForeign : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private Action? _continuation;
        private int _goneOn;

        public RefusalAgainstForeign()
        {
            _task = _world.Spawn(async () =>
            {
                await Future.Yield();
                try
                {
                    await new TakesAndThrows(this);
                }
                catch (NotSupportedException)
                {
                    // told at the await
                }

                _goneOn++;
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("foreign", () =>
            {
                Run.WaitUntil("waits for the continuation", () => _continuation is not null);
                _continuation!();
            });
        }

        public override void Check()
        {
            _goneOn.ShouldBe(1);
            _task.State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }

        private sealed class TakesAndThrows(RefusalAgainstForeign model) : System.Runtime.CompilerServices.INotifyCompletion
        {
            public bool IsCompleted => false;

            public TakesAndThrows GetAwaiter() => this;

            public void GetResult()
            {
                // nothing to give
            }

            public void OnCompleted(Action continuation)
            {
                model._continuation = continuation;
                Run.Current!.Step("is about to throw");
                throw new NotSupportedException();
            }
        }
    }

    /// <summary>Slots are closed while somebody begins to wait for one.</summary>
    private sealed class WaitAgainstClose : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskSlotManager _slots = new(1, "slots");
        private readonly ManagedTask _task;

        public WaitAgainstClose()
        {
            _slots.TryAcquire(out SlotLease? _).ShouldBeTrue();
            _task = _world.Spawn(async () =>
            {
                await Future.Yield();
                await _slots.AcquireAsync();
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("closer", () =>
            {
                _slots.Close();
                _slots.IsClosed.ShouldBeTrue();
            });
        }

        public override void Check()
        {
            _task.State.ShouldBe(TaskState.Failed, "who waits for a slot was not told that there will be none");
            _slots.Waiting.ShouldBe(0);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>One worker ends the task that the task of another worker is about to await.</summary>
    private sealed class JoinAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _joiner;
        private int _goneOn;

        public JoinAgainstEnd()
        {
            ManagedTask task = _world.Spawn(static async () => await Future.Yield());
            _joiner = _world.Spawn(async () =>
            {
                await Future.Yield();
                await task;
                task.HasLeft.ShouldBeTrue();
                _goneOn++;
            });
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("other worker", _world.Work);
        }

        public override void Check()
        {
            _goneOn.ShouldBe(1);
            _joiner.State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }
    }

    private sealed class CancelAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private CancellationToken _token;
        private bool _wasFirst;

        public CancelAgainstEnd()
        {
            _task = _world.Runtime.SpawnDetached(async token =>
            {
                _token = token;
                await Future.Yield();
                token.ThrowIfCancellationRequested();
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("canceller", () => _wasFirst = _task.Cancel());
        }

        public override void Check()
        {
            _task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _token.IsCancellationRequested.ShouldBe(_wasFirst);
            if (!_wasFirst)
            {
                _task.State.ShouldBe(TaskState.Completed);
            }

            (_task.CancelCause is not null).ShouldBe(_wasFirst);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A lease is disposed by two at once, while two wait for a slot.</summary>
    private sealed class TwoReturns : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskSlotManager _slots = new(1, "slots");
        private int _got;

        public TwoReturns()
        {
            _slots.TryAcquire(out SlotLease? lease).ShouldBeTrue();
            _world.Start(HoldAsync);
            _world.Start(HoldAsync);
            Thread("first", lease!.Dispose);
            Thread("second", lease.Dispose);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _got.ShouldBe(1, "one slot was given to two");
        }

        // Keeps it for ever.
        private async Future HoldAsync()
        {
            await _slots.AcquireAsync();
            _got++;
            await Future.Delay(TimeSpan.FromHours(1));
        }
    }

    private sealed class TwoClaims : Model
    {
        private int _won;

        public TwoClaims()
        {
            var node = new CallbackNode(static () => { }, flowContext: false, captureSynchronization: false);
            Thread("first", () => Claim(node));
            Thread("second", () => Claim(node));
        }

        public override void Check() => _won.ShouldBe(1);

        private void Claim(WaitNode node)
        {
            if (node.IsArmed(0) && node.TryClaim())
            {
                _won++;
            }
        }
    }

    private sealed class TwoCollectors : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask[] _tasks;

        public TwoCollectors()
        {
            TaskScope scope = _world.Runtime.OpenScope("scope");
            var collector = new TaskCollector<int>(scope);
            _tasks = [_world.Spawn(CollectAsync), _world.Spawn(CollectAsync)];
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", _world.Executor.StepOne);

            async Future CollectAsync()
            {
                await Future.Yield();
                await collector.CollectAsync();
            }
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _tasks.Count(static task => task.State == TaskState.Completed).ShouldBe(1);
            _tasks.Count(static task => task.Exception is InvalidOperationException).ShouldBe(1);
        }
    }
}
