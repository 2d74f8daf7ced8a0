using Moirai.Execution;

namespace Moirai.Tests.Execution;

/// <summary>Where frames wait for their next call. Decision 50.</summary>
public sealed class FrameShelfTests
{
    private const int OnAShelf = 2 * FrameShelf.Chain;

    [Fact]
    public void A_shelf_gives_each_frame_once_and_the_latest_first()
    {
        var shelf = new FrameShelf(new FrameDepot());
        Frame[] frames = Frames(3);
        foreach (Frame frame in frames)
        {
            shelf.Put(frame);
        }

        Frame?[] taken = [shelf.TryTake(), shelf.TryTake(), shelf.TryTake(), shelf.TryTake()];
        taken.ShouldBe([frames[2], frames[1], frames[0], null]);
        taken[..3].ShouldAllBe(static frame => frame!.Next == null);
    }

    [Fact]
    public void What_one_thread_ends_another_gets_in_full_chains()
    {
        var depot = new FrameDepot();
        var ends = new FrameShelf(depot);
        var begins = new FrameShelf(depot);
        Frame[] frames = Frames(OnAShelf + 1);
        foreach (Frame frame in frames[..^1])
        {
            ends.Put(frame);
        }

        begins.TryTake().ShouldBeNull("what a thread may need itself it does not give away");
        ends.Put(frames[^1]);
        List<Frame> taken = TakeAll(begins);
        taken.Count.ShouldBe(FrameShelf.Chain);
        taken.AddRange(TakeAll(ends));
        taken.ShouldBe(frames, ignoreOrder: true);
    }

    [Fact]
    public void There_is_an_end_to_how_many_are_kept()
    {
        var depot = new FrameDepot();
        var shelf = new FrameShelf(depot);
        foreach (Frame frame in Frames(10_000))
        {
            shelf.Put(frame);
        }

        TakeAll(shelf).Count.ShouldBeInRange(FrameDepot.MostChains * FrameShelf.Chain, OnAShelf + (FrameDepot.MostChains * FrameShelf.Chain));
        TakeAll(new FrameShelf(depot)).ShouldBeEmpty();
    }

    [Fact]
    public void Who_puts_and_takes_around_a_full_shelf_does_not_go_to_the_depot()
    {
        var depot = new FrameDepot();
        var shelf = new FrameShelf(depot);
        foreach (Frame frame in Frames(FrameShelf.Chain))
        {
            shelf.Put(frame);
        }

        for (int i = 0; i < 100; i++)
        {
            shelf.Put(new Idle());
            shelf.TryTake().ShouldNotBeNull();
            shelf.TryTake().ShouldNotBeNull();
            shelf.Put(new Idle());
        }

        depot.TryTake().ShouldBeNull();
    }

    private static Frame[] Frames(int count) => [.. Enumerable.Range(0, count).Select(static _ => new Idle())];

    private static List<Frame> TakeAll(FrameShelf shelf)
    {
        var taken = new List<Frame>();
        while (shelf.TryTake() is { } frame)
        {
            taken.Add(frame);
        }

        return taken;
    }

    private sealed class Idle : Frame
    {
        internal override string Method => "idle";

        internal override void MoveNext() => throw new NotSupportedException();

        internal override void Release() => throw new NotSupportedException();
    }
}
