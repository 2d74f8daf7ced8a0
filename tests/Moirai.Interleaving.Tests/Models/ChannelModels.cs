using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Channels: an element that was sent is received once, or somebody is told that nobody will.</summary>
public sealed class ChannelModels
{
    [Fact]
    public void S163_what_is_sent_while_the_channel_is_closed_is_received_or_undelivered() => Proof.Holds<SendAgainstClose>(atLeast: 500);

    [Theory]
    [InlineData("ChannelCore.Close", Flaw.Forgotten)]
    public void S163_send_against_close_twin(string site, Flaw flaw) => Proof.Catches<SendAgainstClose>(site, flaw);

    [Fact]
    public void S163_a_rendezvous_whose_sender_is_canceled_happens_or_does_not() => Proof.Holds<RendezvousAgainstCancel>(atLeast: 500);

    [Theory]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void S163_rendezvous_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<RendezvousAgainstCancel>(site, flaw);

    [Fact]
    public void S163_who_comes_to_a_rendezvous_when_the_other_is_canceled_meets_it_or_waits_for_another() => Proof.Holds<ArriveAgainstCancel>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void S163_arrive_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<ArriveAgainstCancel>(site, flaw);

    [Fact]
    public void S163_two_who_meet_at_a_rendezvous_both_go_on() => Proof.Holds<Rendezvous>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void S163_rendezvous_twin(string site, Flaw flaw) => Proof.Catches<Rendezvous>(site, flaw);

    [Fact]
    public void S161_a_permit_serves_once_and_room_is_not_lost() => Proof.Holds<TwoUsesOfAPermit>(atLeast: 20);

    [Theory]
    [InlineData("ChannelPermit.Send", Flaw.CheckThenStore)]
    [InlineData("ChannelPermit.GiveBack", Flaw.CheckThenStore)]
    public void S161_two_uses_of_a_permit_twin(string site, Flaw flaw) => Proof.Catches<TwoUsesOfAPermit>(site, flaw);

    [Fact]
    public void S163_what_is_there_when_the_receiver_is_disposed_is_undelivered_once() => Proof.Holds<DropAgainstReceive>(atLeast: 50);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("ChannelCore.IsDropped", Flaw.Blind)]
    public void S163_drop_against_receive_twin(string site, Flaw flaw) => Proof.Catches<DropAgainstReceive>(site, flaw);

    private abstract class OfChannel : Model
    {
        protected OfChannel(int capacity) => Channel = new AsyncChannel<int>(capacity, undelivered: Undelivered.Add);

        public override bool HasFineSteps => true;

        protected ModelWorld World { get; } = new();

        protected AsyncChannel<int> Channel { get; }

        protected List<int> Received { get; } = [];

        protected List<int> Undelivered { get; } = [];

        protected async Future ReceiveAsync() => Received.Add(await Channel.Receiver.ReceiveAsync());

        /// <summary>Each element is in one place.</summary>
        protected void ShouldAccountFor(params int[] elements)
        {
            World.Executor.RunReady();
            List<int> left = [];
            while (Channel.Receiver.TryReceive(out int element))
            {
                left.Add(element);
            }

            Received.Concat(Undelivered).Concat(left).Order().ShouldBe(elements);
            Channel.Sender.Core.ParkedCount.ShouldBe(0);
            (Channel.Sender.Waiting, Channel.Receiver.Waiting).ShouldBe((0, 0));
            World.ShouldBeEmpty();
        }
    }

    /// <summary>The channel is full: somebody waits to send, somebody comes to receive, and somebody closes it.</summary>
    private sealed class SendAgainstClose : OfChannel
    {
        private readonly ManagedTask _sender;
        private readonly ManagedTask _receiver;

        public SendAgainstClose()
            : base(capacity: 1)
        {
            Channel.Sender.TrySend(1).ShouldBeTrue();
            _sender = World.Start(async () => await Channel.Sender.SendAsync(2));
            _receiver = World.Spawn(async () =>
            {
                await ReceiveAsync();
                await ReceiveAsync();
            });
            Thread("worker", World.Executor.StepOne);
            Thread("closer", () => Channel.Receiver.Close().ShouldBeTrue());
        }

        public override void Check()
        {
            World.Executor.RunReady();
            (_sender.State == TaskState.Completed).ShouldBe(Undelivered.Count == 0);
            (_sender.State == TaskState.Completed || _sender.Exception is ChannelClosedException).ShouldBeTrue($"{_sender} {_sender.Exception}");
            (_receiver.State == TaskState.Completed || _receiver.Exception is ChannelClosedException).ShouldBeTrue($"{_receiver} {_receiver.Exception}");
            ShouldAccountFor(1, 2);
        }
    }

    private sealed class RendezvousAgainstCancel : OfChannel
    {
        private readonly ManagedTask _sender;
        private readonly ManagedTask _second;
        private readonly ManagedTask _receiver;

        public RendezvousAgainstCancel()
            : base(capacity: 0)
        {
            _sender = World.Start(async () => await Channel.Sender.SendAsync(1));
            _receiver = World.Spawn(ReceiveAsync);
            _second = World.Spawn(async () => await Channel.Sender.SendAsync(2));
            Thread("worker", World.Executor.StepOne);
            Thread("canceller", () =>
            {
                _sender.Cancel();
                World.Executor.StepOne(); // the second, or the first on its way out
            });
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _receiver.State.ShouldBe(TaskState.Completed, "one of the two was there to send");
            Received.Count.ShouldBe(1);
            (_sender.State == TaskState.Canceled).ShouldBe(Undelivered.Contains(1));
            if (_second.State == TaskState.Blocked)
            {
                _second.Cancel();
                World.Executor.RunReady();
                Undelivered.ShouldContain(2);
            }

            ShouldAccountFor(1, 2);
        }
    }

    /// <summary>A sender waits. A receiver that has used up its turns comes without having asked before, while the sender is canceled.</summary>
    private sealed class ArriveAgainstCancel : OfChannel
    {
        private readonly ManagedTask _sender;
        private readonly ManagedTask _receiver;

        public ArriveAgainstCancel()
            : base(capacity: 0)
        {
            _sender = World.Start(async () => await Channel.Sender.SendAsync(1));
            _receiver = World.Spawn(() => ModelWorld.WithoutTurns(ReceiveAsync));
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("canceller", () => _sender.Cancel());
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _receiver.State.ShouldBe(_sender.State == TaskState.Canceled ? TaskState.Blocked : TaskState.Completed);
            if (_sender.State == TaskState.Canceled)
            {
                World.Start(async () => await Channel.Sender.SendAsync(2)).State.ShouldBe(TaskState.Completed, "the receiver is there");
                _receiver.State.ShouldBe(TaskState.Completed);
                ShouldAccountFor(1, 2);
            }
            else
            {
                ShouldAccountFor(1);
            }
        }
    }

    private sealed class Rendezvous : OfChannel
    {
        private readonly ManagedTask _sender;
        private readonly ManagedTask _receiver;

        public Rendezvous()
            : base(capacity: 0)
        {
            _sender = World.Spawn(async () => await Channel.Sender.SendAsync(1));
            _receiver = World.Spawn(ReceiveAsync);
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            (_sender.State, _receiver.State).ShouldBe((TaskState.Completed, TaskState.Completed));
            ShouldAccountFor(1);
        }
    }

    private sealed class TwoUsesOfAPermit : OfChannel
    {
        private bool _sent;

        public TwoUsesOfAPermit()
            : base(capacity: 1)
        {
            ChannelPermit<int>? permit = null;
            World.Start(async () => permit = await Channel.Sender.ReserveAsync());
            Channel.Sender.TrySend(9).ShouldBeFalse("its room is kept");
            Thread("sender", () =>
            {
                try
                {
                    permit!.Send(1);
                    _sent = true;
                }
                catch (InvalidOperationException)
                {
                    // it was given back
                }
            });
            Thread("disposer", permit!.Dispose);
        }

        public override void Check()
        {
            ShouldAccountFor(_sent ? [1] : []);
            Channel.Sender.TrySend(2).ShouldBeTrue("the room is free again");
            Channel.Sender.TrySend(3).ShouldBeFalse("there is room for one");
        }
    }

    private sealed class DropAgainstReceive : OfChannel
    {
        public DropAgainstReceive()
            : base(capacity: 2)
        {
            Channel.Sender.TrySend(1).ShouldBeTrue();
            Channel.Sender.TrySend(2).ShouldBeTrue();
            Thread("dropper", Channel.Receiver.Dispose);
            Thread("receiver", () =>
            {
                try
                {
                    if (!Channel.Receiver.TryReceive(out int element))
                    {
                        Run.Fail("nothing is there, and nobody says why");
                    }

                    Received.Add(element);
                }
                catch (ObjectDisposedException)
                {
                    // the other was faster
                }
            });
        }

        public override void Check()
        {
            Received.Concat(Undelivered).Order().ShouldBe([1, 2]);
            Channel.Receiver.IsEnded.ShouldBeTrue();
        }
    }
}
