using Moirai.Ground;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>The spin gate: one at a time, and what one has written the next one sees.</summary>
public sealed class SpinGateModels
{
    [Fact]
    public void One_thread_at_a_time_is_behind_a_gate() => Proof.Holds<Turnstile>(atLeast: 1_000, budget: 3);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.TryEnter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.EnterContended", Flaw.CheckThenStore)]
    [InlineData("SpinGate.Exit", Flaw.Forgotten)]
    public void Turnstile_twin(string site, Flaw flaw) => Proof.Catches<Turnstile>(site, flaw, budget: 3);

    private sealed class Turnstile : Model
    {
        private SpinGate _gate;
        private int _inside;
        private int _count;
        private int _refused;

        public Turnstile()
        {
            Thread("first", Pass);
            Thread("second", Pass);
            Thread("third", () =>
            {
                if (_gate.TryEnter())
                {
                    Inside();
                }
                else
                {
                    _refused++;
                }
            });
        }

        public override void Check()
        {
            _count.ShouldBe(3 - _refused);
            _gate.TryEnter().ShouldBeTrue("the gate was left taken");
        }

        private void Pass()
        {
            _gate.Enter();
            Inside();
        }

        private void Inside()
        {
            Atomics.Add(ref _inside, 1).ShouldBe(1);
            int count = Atomics.Read(ref _count);
            Atomics.Write(ref _count, count + 1);
            Atomics.Add(ref _inside, -1).ShouldBe(0);
            _gate.Exit();
        }
    }
}
