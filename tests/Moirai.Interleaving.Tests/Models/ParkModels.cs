using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>A task that is about to wait, against somebody who cancels it: one of them sees the other, and only one acts.</summary>
public sealed class ParkModels
{
    [Fact]
    public void S059_a_cancellation_reaches_a_task_that_is_about_to_wait() => Proof.Holds<ParkAgainstCancel>(atLeast: 500);

    [Theory]
    [InlineData("LifecycleWord.Park", Flaw.NoFence, null)]
    [InlineData("Cancellation.CancelOne", Flaw.NoFence, null)]
    [InlineData("TaskExtras.Flags", Flaw.Blind, "worker")]
    [InlineData("LifecycleWord.IsArmed", Flaw.Stale, "worker")]
    public void S059_park_against_cancel_twin(string site, Flaw flaw, string? thread) => Proof.Catches<ParkAgainstCancel>(site, flaw, thread);

    [Fact]
    public void A4_a_timeout_reaches_a_task_that_is_about_to_wait() => Proof.Holds<ParkAgainstTimeout>(atLeast: 500);

    [Theory]
    [InlineData("LifecycleWord.Park", Flaw.NoFence, null)]
    [InlineData("CancelRegion.Expire", Flaw.NoFence, null)]
    [InlineData("TaskExtras.Flags", Flaw.Blind, "worker")]
    [InlineData("LifecycleWord.IsArmed", Flaw.Stale, "worker")]
    public void A4_park_against_timeout_twin(string site, Flaw flaw, string? thread) => Proof.Catches<ParkAgainstTimeout>(site, flaw, thread);

    private sealed class ParkAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private bool _canceled;

        public ParkAgainstCancel()
        {
            _task = _world.Spawn(async () =>
            {
                await Future.Yield();
                await Future.Delay(TimeSpan.FromHours(1));
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("canceller", () => _canceled = _task.Cancel());
        }

        public override void Check()
        {
            _canceled.ShouldBeTrue();
            _task.State.ShouldBe(TaskState.Canceled, "the cancellation did not reach the wait");
            _world.ShouldBeEmpty();
        }
    }

    private sealed class ParkAgainstTimeout : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;

        public ParkAgainstTimeout()
        {
            _task = _world.Spawn(async () => await WaitLongAsync().WithTimeout(TimeSpan.FromMilliseconds(1)));
            _world.Executor.StepOne();
            Thread("worker", _world.Work);
            Thread("timer", () => _world.Time.Advance(1));
        }

        public override void Check()
        {
            _task.State.ShouldBe(TaskState.Failed, "the timeout did not reach the wait");
            _task.Exception.ShouldBeOfType<TaskTimeoutException>();
            _world.ShouldBeEmpty();
        }

        private static async Future WaitLongAsync()
        {
            await Future.Yield();
            await Future.Delay(TimeSpan.FromHours(1));
        }
    }
}
