using Moirai.Execution;
using Moirai.Interleaving.Exploring;
using Moirai.Wakers;

namespace Moirai.Interleaving.Models;

/// <summary>Plain code begins a wait while the task for which it runs is canceled, and while it is woken.</summary>
public sealed class PlainWaitModels
{
    [Fact]
    public void A_wait_of_plain_code_that_begins_while_its_task_is_canceled_ends_once() => Proof.Holds<TieAgainstCancel>(atLeast: 50);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.Forgotten)]
    [InlineData("CallbackNode.TryClaim", Flaw.CheckThenStore)]
    public void Tie_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<TieAgainstCancel>(site, flaw);

    private sealed class Seat : TiedSeat
    {
        public Seat(IWaitQueue queue)
            : base(captureSynchronization: false) => Queue = queue;

        public int Posted { get; private set; }

        public void Begin(ManagedTask task, Notify notify)
        {
            Tie(task);
            notify.Seat(this, armed: 0);
        }

        private protected override void Post() => Posted++;
    }

    private sealed class TieAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Notify _own = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;
        private readonly Seat _seat;

        public TieAgainstCancel()
        {
            _task = _world.Start(async () => await _own.WaitAsync());
            _seat = new Seat(_notify);
            Thread("plain", () => _seat.Begin(_task, _notify));
            Thread("canceller", () => _task.Cancel());
            Thread("waker", _notify.NotifyOne);
        }

        public override void Check()
        {
            _seat.Posted.ShouldBe(1);
            _notify.Waiting.ShouldBe(0);
            if (_seat.Signal == WaitSignal.Canceled)
            {
                _seat.IsArmed(0).ShouldBeFalse();
            }

            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Canceled);
            _world.ShouldBeEmpty();
        }
    }
}
