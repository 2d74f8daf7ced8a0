using Moirai.Ground;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>The spin gate: one at a time, and what one has written the next one sees.</summary>
public sealed class SpinGateModels
{
    [Fact]
    public void One_thread_at_a_time_is_behind_a_gate() => Proof.Holds<Turnstile>(atLeast: 500);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.EnterContended", Flaw.CheckThenStore)]
    [InlineData("SpinGate.EnterContended", Flaw.Forgotten)]
    [InlineData("SpinGate.Exit", Flaw.Forgotten)]
    public void Turnstile_twin(string site, Flaw flaw) => Proof.Catches<Turnstile>(site, flaw);

    [Fact]
    public void Who_only_tries_a_gate_enters_alone_or_not_at_all() => Proof.Holds<Trial>(atLeast: 20);

    [Theory]
    [InlineData("SpinGate.TryEnter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.TryEnter", Flaw.Forgotten)]
    public void Trial_twin(string site, Flaw flaw) => Proof.Catches<Trial>(site, flaw);

    private abstract class Guarded : Model
    {
        private int _inside;
        private int _passed;

        protected SpinGate Gate;

        protected int Refused { get; set; }

        public override void Check()
        {
            _passed.ShouldBe(Threads.Count - Refused);
            Gate.TryEnter().ShouldBeTrue("the gate was left taken");
        }

        protected void Pass()
        {
            Gate.Enter();
            Leave();
        }

        /// <summary>For who is inside.</summary>
        protected void Leave()
        {
            Atomics.Add(ref _inside, 1).ShouldBe(1);
            _passed++;
            Atomics.Add(ref _inside, -1).ShouldBe(0);
            Gate.Exit();
        }
    }

    /// <summary>One is inside, two want to enter.</summary>
    private sealed class Turnstile : Guarded
    {
        public Turnstile()
        {
            Gate.Enter();
            Thread("first", Leave);
            Thread("second", Pass);
            Thread("third", Pass);
        }
    }

    private sealed class Trial : Guarded
    {
        public Trial()
        {
            Thread("first", Pass);
            Thread("second", () =>
            {
                if (Gate.TryEnter())
                {
                    Leave();
                }
                else
                {
                    Refused++;
                }
            });
        }
    }
}
