using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Cancellation against tokens, shields, joiners and failures: whoever is asked to stop hears it, once.</summary>
public sealed class CancelModels
{
    [Fact]
    public void S059_a_token_that_is_asked_for_while_its_task_is_canceled_is_canceled() => Proof.Holds<TokenAgainstCancel>(atLeast: 50);

    [Fact]
    public void S059_token_against_cancel_twin() => Proof.Catches<TokenAgainstCancel>("TaskExtras.Flags", Flaw.Blind, "asker");

    [Fact]
    public void S059_a_cancellation_that_comes_under_a_shield_is_heard_behind_it() => Proof.Holds<ShieldAgainstCancel>(atLeast: 500);

    [Theory]
    [InlineData("Cancellation.CancelOne", Flaw.NoFence, null)]
    [InlineData("TaskExtras.Flags", Flaw.Blind, "worker")]
    public void S059_shield_against_cancel_twin(string site, Flaw flaw, string? thread) => Proof.Catches<ShieldAgainstCancel>(site, flaw, thread);

    [Fact]
    public void A_token_from_outside_cancels_a_task_or_is_let_go_by_its_end() => Proof.Holds<OutsideTokenAgainstEnd>(atLeast: 200);

    [Fact]
    public void Outside_token_against_end_twin() => Proof.Catches<OutsideTokenAgainstEnd>("LifecycleWord.State", Flaw.Blind, "owner");

    [Fact]
    public void B4_a_joiner_that_is_canceled_while_the_task_ends_takes_no_other_with_it() => Proof.Holds<JoinerAgainstEnd>(atLeast: 500);

    [Fact]
    public void B4_joiner_against_end_twin() => Proof.Catches<JoinerAgainstEnd>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void C11_a_child_that_fails_while_another_begins_to_wait_cancels_it() => Proof.Holds<FailureAgainstPark>(atLeast: 1_000);

    [Fact]
    public void C11_failure_against_park_twin() => Proof.Catches<FailureAgainstPark>("Cancellation.CancelOne", Flaw.NoFence);

    [Fact]
    public void C1_a_slot_that_is_handed_to_a_waiter_that_is_canceled_goes_to_the_next() => Proof.Holds<HandOverAgainstCancel>(atLeast: 500);

    [Fact]
    public void C1_hand_over_against_cancel_twin() => Proof.Catches<HandOverAgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void C9_who_collects_is_woken_by_the_task_that_ends_meanwhile() => Proof.Holds<CollectAgainstEnd>(atLeast: 500);

    [Theory]
    [InlineData("LifecycleWord.Park", Flaw.Forgotten)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void C9_collect_against_end_twin(string site, Flaw flaw) => Proof.Catches<CollectAgainstEnd>(site, flaw);

    private sealed class TokenAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private CancellationToken _token;

        public TokenAgainstCancel()
        {
            // Spawned without a token: the first who asks makes the source.
            _task = _world.SpawnInto(_world.Runtime.Engine.Root, static async () => await Future.Delay(TimeSpan.FromHours(1)));
            _world.Executor.RunReady();
            Thread("asker", () => _token = _task.Token);
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            _token.CanBeCanceled.ShouldBeTrue();
            _token.IsCancellationRequested.ShouldBeTrue();
            _world.ShouldBeEmpty();
        }
    }

    private sealed class ShieldAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private bool _leftShield;

        public ShieldAgainstCancel()
        {
            _task = _world.Spawn(async () =>
            {
                await Future.Yield();
                using (ManagedTask.Shield())
                {
                    await Future.Yield();
                }

                _leftShield = true;
                await Future.Delay(TimeSpan.FromHours(1));
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("canceller", () => _task.Cancel());
        }

        public override void Check()
        {
            _leftShield.ShouldBeTrue();
            _task.State.ShouldBe(TaskState.Canceled);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task is tied to a token that is canceled, while it ends.</summary>
    private sealed class OutsideTokenAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly CancellationTokenSource _outside = new();
        private readonly ManagedTask _task;

        public OutsideTokenAgainstEnd()
        {
            _task = _world.Spawn(static async () =>
            {
                await Future.Yield();
                await Future.Yield();
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("owner", () =>
            {
                _task.CancelWith(_outside.Token);
                _outside.Cancel();
            });
        }

        public override void Check()
        {
            _task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            (_task.Extras?.Links is null).ShouldBeTrue("the token still leads to a task that has ended");
            (_task.CancelCause?.Kind ?? CancelKind.TokenCanceled).ShouldBe(CancelKind.TokenCanceled);
            if (_task.State == TaskState.Canceled)
            {
                _task.CancelCause.ShouldNotBeNull();
            }

            _world.ShouldBeEmpty();
        }
    }

    /// <summary>Three wait for a task; the one in the middle is canceled.</summary>
    private sealed class JoinerAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private readonly ManagedTask[] _joiners;

        public JoinerAgainstEnd()
        {
            _task = _world.Spawn(static async () => await Future.Yield());
            _world.Executor.StepOne();
            _joiners = [_world.Spawn(JoinAsync), _world.Spawn(JoinAsync), _world.Spawn(JoinAsync)];

            // All but the task itself, which is first in the queue: each begins to wait for it.
            _world.Executor.Requeue();
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("worker", _world.Executor.StepOne);
            Thread("canceller", () => _joiners[1].Cancel());
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _joiners[0].State.ShouldBe(TaskState.Completed);
            _joiners[1].State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _joiners[2].State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }

        private async Future JoinAsync() => await _task;
    }

    /// <summary>One child of a scope fails on one worker while another, on a second worker, begins to wait.</summary>
    private sealed class FailureAgainstPark : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _owner;

        public FailureAgainstPark()
        {
            _owner = _world.Spawn(() => _world.Runtime.RunScopeAsync("scope", static async scope =>
            {
                _ = scope.Spawn(static async _ =>
                {
                    await Future.Yield();
                    throw new NotSupportedException();
                });
                _ = scope.Spawn(static async _ =>
                {
                    await Future.Yield();
                    await Future.Delay(TimeSpan.FromHours(1));
                });
                await Future.Delay(TimeSpan.FromHours(1));
            }));
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("first worker", _world.Executor.StepOne);
            Thread("second worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _owner.State.ShouldBe(TaskState.Failed, "the failure has not reached all");
            _owner.Exception.ShouldBeOfType<NotSupportedException>();
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task of a full pool ends while the first of two who wait to spawn into it is canceled.</summary>
    private sealed class HandOverAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly TaskPool _pool;
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;

        public HandOverAgainstCancel()
        {
            _pool = _world.Runtime.CreatePool("pool", 1);
            _pool.TrySpawn(static async _ => await Future.Yield(), out ManagedTask? _).ShouldBeTrue();
            _world.Executor.StepOne();
            _first = _world.Spawn(SpawnAsync);
            _second = _world.Spawn(SpawnAsync);
            _world.Executor.Requeue();
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("worker", _world.Executor.StepOne);
            Thread("canceller", () => _first.Cancel());
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _first.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _second.State.ShouldBe(TaskState.Completed, "the slot was lost");
            _pool.Slots.InUse.ShouldBe(0);
            _pool.Slots.Waiting.ShouldBe(0);
            _pool.Counts.Completed.ShouldBe(_first.State == TaskState.Completed ? 3 : 2);
        }

        private async Future SpawnAsync() => await _pool.SpawnAsync(static async _ => await Future.Yield());
    }

    /// <summary>The only task of a collector ends on one worker while another begins to collect.</summary>
    private sealed class CollectAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _owner;
        private IReadOnlyList<int>? _results;

        public CollectAgainstEnd()
        {
            TaskScope scope = _world.Runtime.OpenScope("scope");
            var collector = new TaskCollector<int>(scope);
            collector.Add(static async _ =>
            {
                await Future.Yield();
                return 7;
            });
            _owner = _world.Spawn(async () =>
            {
                await Future.Yield();
                _results = await collector.CollectAsync();
                await scope.DisposeAsync();
            });
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("first worker", _world.Executor.StepOne);
            Thread("second worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _owner.State.ShouldBe(TaskState.Completed);
            _results.ShouldBe([7]);
            _world.ShouldBeEmpty();
        }
    }
}
