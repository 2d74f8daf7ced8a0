using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>The ready queue and those who serve it: every frame is taken once, and none is left behind when nobody is bound to come.</summary>
public sealed class ReadyQueueModels
{
    [Fact]
    public void A_frame_that_is_pushed_while_the_pump_goes_off_duty_is_not_left_behind() => Proof.Holds<PushAgainstLeave>(atLeast: 400);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("SpinGate.Exit", Flaw.Forgotten)]
    public void Push_against_leave_twin(string site, Flaw flaw) => Proof.Catches<PushAgainstLeave>(site, flaw);

    [Fact]
    public void Of_two_pumps_that_help_each_other_each_frame_is_taken_by_one() => Proof.Holds<Steal>(atLeast: 500);

    [Fact]
    public void Steal_twin() => Proof.Catches<Steal>("SpinGate.Enter", Flaw.Forgotten);

    [Fact]
    public void Who_is_at_work_is_watched_over() => Proof.Holds<Watched>(atLeast: 500, budget: 4);

    [Theory]
    [InlineData("WatchedCount.EndWatch", Flaw.NoFence)]
    [InlineData("WatchedCount.Begin", Flaw.NoFence)]
    [InlineData("WatchedCount.Active", Flaw.Blind)]
    [InlineData("WatchedCount.EndWatch", Flaw.CheckThenStore)]
    public void Watched_twin(string site, Flaw flaw) => Proof.Catches<Watched>(site, flaw);

    private static Frame[] Frames(int count) => [.. Enumerable.Range(0, count).Select(static _ => new Still())];

    private sealed class Still : Frame
    {
        internal override string Method => "a frame that does nothing";

        internal override void MoveNext() => throw new NotSupportedException();

        internal override void Release() => throw new NotSupportedException();
    }

    /// <summary>A pump that finds nothing goes off duty while another thread pushes.</summary>
    private sealed class PushAgainstLeave : Model
    {
        private readonly ReadyQueue _queue = new();
        private readonly Frame[] _frames = Frames(2);
        private readonly List<Frame> _taken = [];
        private int _sentFor = 1;

        public PushAgainstLeave()
        {
            _queue.TryServe().ShouldBeTrue();
            Thread("pump", () =>
            {
                while (Run.WaitForWork("waits to be sent for", () => _sentFor > 0))
                {
                    _sentFor--;
                    while ((_queue.Pop(leaveIfEmpty: false) ?? _queue.Pop(leaveIfEmpty: true)) is { } frame)
                    {
                        _taken.Add(frame);
                    }
                }
            });
            Thread("pusher", () =>
            {
                Send(_queue.Push(_frames[0]));
                Send(_queue.PushChain(_frames[1], 1));
            });
        }

        public override void Check()
        {
            _taken.ShouldBe(_frames, ignoreOrder: true, "a frame was left behind, and nobody will come");
            _queue.IsServed.ShouldBeFalse();
            _sentFor.ShouldBe(0);
        }

        private void Send(bool nobodyServes) => _sentFor += nobodyServes ? 1 : 0;
    }

    /// <summary>One pump works off its queue, the other takes half of what is there.</summary>
    private sealed class Steal : Model
    {
        private readonly ReadyQueue _queue = new();
        private readonly ReadyQueue _helpers = new();
        private readonly Frame[] _frames = Frames(3);
        private readonly List<Frame> _taken = [];

        public Steal()
        {
            foreach (Frame frame in _frames)
            {
                _queue.Push(frame);
            }

            Thread("pump", () => TakeAll(_queue));
            Thread("helper", () =>
            {
                var loot = new ReadyQueue.Entry[2];
                _queue.Count.ShouldBeInRange(0, 3);
                _helpers.PushStolen(loot.AsSpan(0, _queue.StealHalf(loot)));
                TakeAll(_helpers);
            });
        }

        public override void Check()
        {
            _taken.ShouldBe(_frames, ignoreOrder: true);
            _queue.Count.ShouldBe(0);
            _helpers.Count.ShouldBe(0);
        }

        private void TakeAll(ReadyQueue queue)
        {
            while (queue.Pop(leaveIfEmpty: true) is { } frame)
            {
                _taken.Add(frame);
            }
        }
    }

    /// <summary>The watch is about to go because nobody is at work, and somebody begins.</summary>
    private sealed class Watched : Model
    {
        private WatchedCount _count;
        private int _watches = 1;

        public Watched()
        {
            _count.Begin().ShouldBeTrue();
            _count.End();
            Thread("first", Begin);
            Thread("second", () =>
            {
                Begin();
                _count.End();
            });
            Thread("watch", () => Watch(_count.EndWatch() ? 0 : -1));
        }

        public override void Check()
        {
            _count.Active.ShouldBe(1);
            _watches.ShouldBe(1);
        }

        private void Begin() => Watch(_count.Begin() ? 1 : 0);

        private void Watch(int change) => _watches += change;
    }
}
