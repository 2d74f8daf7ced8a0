using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Where threads exchange frames that may serve again: each is given to one, none is lost while there is room. Decision 50.</summary>
public sealed class FrameDepotModels
{
    [Fact]
    public void A_chain_that_is_put_is_taken_once() => Proof.Holds<Exchange>(atLeast: 100);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    [InlineData("SpinGate.Exit", Flaw.Forgotten)]
    public void Exchange_twin(string site, Flaw flaw) => Proof.Catches<Exchange>(site, flaw);

    [Fact]
    public void Of_two_that_fill_the_last_place_one_is_refused() => Proof.Holds<LastPlace>(atLeast: 50);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    public void Last_place_twin(string site, Flaw flaw) => Proof.Catches<LastPlace>(site, flaw);

    private sealed class Still : Frame
    {
        internal override string Method => "a frame that does nothing";

        internal override void MoveNext() => throw new NotSupportedException();

        internal override void Release() => throw new NotSupportedException();
    }

    /// <summary>One thread puts what another takes, who puts back what it has got.</summary>
    private sealed class Exchange : Model
    {
        private readonly FrameDepot _depot = new();
        private readonly Frame[] _chains = [new Still(), new Still()];
        private readonly List<Frame> _taken = [];

        public Exchange()
        {
            _depot.TryPut(_chains[0]).ShouldBeTrue();
            Thread("puts", () =>
            {
                _depot.TryPut(_chains[1]).ShouldBeTrue();
                Take();
            });
            Thread("takes", Take);
        }

        public override void Check()
        {
            while (_depot.TryTake() is { } left)
            {
                _taken.Add(left);
            }

            _taken.ShouldBe(_chains, ignoreOrder: true);
        }

        private void Take()
        {
            if (_depot.TryTake() is { } chain)
            {
                _taken.Add(chain);
            }
        }
    }

    private sealed class LastPlace : Model
    {
        private readonly FrameDepot _depot = new();
        private int _put;

        public LastPlace()
        {
            while (_put < FrameDepot.MostChains - 1)
            {
                Put();
            }

            Thread("first", Put);
            Thread("second", Put);
        }

        public override void Check()
        {
            _put.ShouldBe(FrameDepot.MostChains);
            var taken = new HashSet<Frame>();
            while (_depot.TryTake() is { } chain)
            {
                taken.Add(chain).ShouldBeTrue();
            }

            taken.Count.ShouldBe(_put);
        }

        private void Put()
        {
            if (_depot.TryPut(new Still()))
            {
                _put++;
            }
        }
    }
}
