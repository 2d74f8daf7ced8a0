using Moirai.Interleaving.Exploring;
using Moirai.Lifecycle;

namespace Moirai.Interleaving.Models;

/// <summary>The lifecycle word: out of Blocked one party moves it, and a claim that comes late moves nothing.</summary>
public sealed class LifecycleWordModels
{
    [Fact]
    public void A4_of_three_parties_that_claim_one_wait_exactly_one_wins() => Proof.Holds<ThreeClaims>(atLeast: 500, budget: 4);

    [Fact]
    public void A4_three_claims_twin_with_a_claim_that_looks_before_it_stores() =>
        Proof.Catches<ThreeClaims>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A4_a_claim_of_a_wait_that_is_over_does_not_touch_the_next_one() => Proof.Holds<LateClaim>(atLeast: 100, budget: 4);

    [Fact]
    public void A4_late_claim_twin_with_a_claim_that_looks_before_it_stores() =>
        Proof.Catches<LateClaim>("LifecycleWord.TryWake", Flaw.CheckThenStore);

    [Fact]
    public void A4_late_claim_twin_with_a_wait_that_is_not_stored() => Proof.Catches<LateClaim>("LifecycleWord.Park", Flaw.Forgotten);

    private static LifecycleWord Running()
    {
        var word = default(LifecycleWord);
        word.Move(TaskEvent.Enqueue);
        word.Move(TaskEvent.Start);
        return word;
    }

    /// <summary>What was waited for, the timer and a cancellation come at once.</summary>
    private sealed class ThreeClaims : Model
    {
        private LifecycleWord _word = Running();
        private int _winners;

        public ThreeClaims()
        {
            int armed = _word.Park(interruptible: true);
            Thread("completion", () => Count(_word.TryWake()));
            Thread("timer", () => Count(_word.IsArmed(armed) && _word.TryWake(armed)));
            Thread("cancellation", () => Count(_word.TryInterrupt()));
        }

        public override void Check()
        {
            _winners.ShouldBe(1);
            _word.State.ShouldBe(TaskState.Ready);
        }

        private void Count(bool won) => _winners += won ? 1 : 0;
    }

    /// <summary>One party wins, and the task goes on to its next wait while another still thinks of the first one.</summary>
    private sealed class LateClaim : Model
    {
        private LifecycleWord _word = Running();
        private int _firstWon;
        private bool _isReady;

        public LateClaim()
        {
            int first = _word.Park(interruptible: true);
            int second = 0;
            Thread("winner", () =>
            {
                if (_word.TryWake(first))
                {
                    _firstWon++;
                    _isReady = true;
                }
            });
            Thread("late", () =>
            {
                if (_word.TryWake(first))
                {
                    _firstWon++;
                    _isReady = true;
                }
            });
            Thread("task", () =>
            {
                Run.WaitUntil("waits to be ready", () => _isReady);
                _word.Move(TaskEvent.Start);
                second = _word.Park(interruptible: true);
                _word.Starts.ShouldBe(2);
            });
            Second = () => second;
        }

        private Func<int> Second { get; }

        public override void Check()
        {
            _firstWon.ShouldBe(1);
            _word.IsArmed(Second()).ShouldBeTrue("the second wait was ended by a claim of the first");
        }
    }
}
