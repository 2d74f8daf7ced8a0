using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Parties that come to a barrier, or are canceled in the moment of coming.</summary>
public sealed class BarrierModels
{
    [Fact]
    public void S159_a_party_that_is_canceled_in_the_moment_of_coming_has_come_or_not_and_the_other_knows() => Proof.Holds<ComeAgainstCancel>(atLeast: 200);

    [Fact]
    public void S159_come_against_cancel_twin() => Proof.Catches<ComeAgainstCancel>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void S159_a_party_that_is_canceled_while_the_last_one_comes_has_come_or_not_and_the_last_knows() => Proof.Holds<CancelAgainstLast>(atLeast: 200);

    [Fact]
    public void S159_cancel_against_last_twin() => Proof.Catches<CancelAgainstLast>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    /// <summary>Two parties of which one may be canceled.</summary>
    private abstract class OfTwo : Model
    {
        private readonly AsyncBarrier _barrier = new(2);
        private int _leaders;

        protected ModelWorld World { get; } = new();

        protected ManagedTask? Stays { get; init; }

        protected ManagedTask? Goes { get; init; }

        public override void Check()
        {
            World.Executor.RunReady();
            if (Goes!.State == TaskState.Canceled)
            {
                Stays!.State.ShouldBe(TaskState.Blocked, "who is canceled has not come");
                _barrier.Waiting.ShouldBe(1);
                World.Start(ComeAsync).State.ShouldBe(TaskState.Completed, "another comes in its place");
            }
            else
            {
                Goes.State.ShouldBe(TaskState.Completed);
            }

            Stays!.State.ShouldBe(TaskState.Completed);
            _leaders.ShouldBe(1, "each generation has one leader");
            World.ShouldBeEmpty();
        }

        protected async Future ComeAsync()
        {
            if (await _barrier.WaitAsync())
            {
                _leaders++;
            }
        }
    }

    /// <summary>One waits. The other has used up its turns, so it did not ask before and comes now, and is canceled.</summary>
    private sealed class ComeAgainstCancel : OfTwo
    {
        public ComeAgainstCancel()
        {
            Stays = World.Start(ComeAsync);
            Goes = World.Spawn(() => ModelWorld.WithoutTurns(ComeAsync));
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("canceller", () => Goes.Cancel());
        }
    }

    /// <summary>One waits and is canceled, while the other comes.</summary>
    private sealed class CancelAgainstLast : OfTwo
    {
        public CancelAgainstLast()
        {
            Goes = World.Start(ComeAsync);
            Stays = World.Spawn(ComeAsync);
            Thread("worker", World.Executor.StepOne);
            Thread("canceller", () => Goes.Cancel());
        }
    }
}
