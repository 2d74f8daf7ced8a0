using Moirai.Execution;

namespace Moirai.Tests.Execution;

/// <summary>Where frames wait for their next call. Decision 50.</summary>
public sealed class FrameShelfTests
{
    [Fact]
    public void A_shelf_gives_each_frame_once_and_the_latest_first()
    {
        var shelf = new FrameShelf(new FrameFlow());
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
    public void There_is_an_end_to_how_many_are_kept()
    {
        var shelf = new FrameShelf(new FrameFlow());
        foreach (Frame frame in Frames(10_000))
        {
            shelf.Put(frame);
        }

        TakeAll(shelf).Count.ShouldBe(FrameShelf.Most);
    }

    [Fact]
    public void Frames_of_a_method_that_ends_where_it_begins_are_made_one_by_one()
    {
        var shelf = new FrameShelf(new FrameFlow());
        for (int round = 0; round < 100; round++)
        {
            foreach (Frame frame in Frames(FrameShelf.Most))
            {
                shelf.Put(frame);
            }

            shelf.RunLength.ShouldBe(1);
            TakeAll(shelf).Count.ShouldBe(FrameShelf.Most);
        }
    }

    [Fact]
    public void Once_more_have_ended_on_a_thread_than_it_has_use_for_all_threads_make_them_by_the_run()
    {
        var flow = new FrameFlow();
        var begins = new FrameShelf(flow);
        var ends = new FrameShelf(flow);
        foreach (Frame frame in Frames(FrameShelf.Most))
        {
            ends.Put(frame);
        }

        begins.RunLength.ShouldBe(1);
        ends.Put(new Idle());
        begins.RunLength.ShouldBe(FrameFlow.Run);
    }

    [Fact]
    public void A_run_is_used_up_before_another_is_made()
    {
        const int Calls = 10 * FrameFlow.Run;
        var executor = new LocalExecutor();
        var runtime = new TaskRuntime(new() { Executor = executor });
        SpawnAndRun(runtime, executor, 2 * FrameShelf.Most); // more at a time than a thread keeps: from here on they are made by the run

        long least = Enumerable.Range(0, 3).Min(_ => BytesOf(() => SpawnAndRun(runtime, executor, 1)));
        long each = BytesOf(() => SpawnAndRun(runtime, executor, Calls)) / Calls;
        each.ShouldBeLessThan(3 * least, "each call made a run of its own");
    }

    private static long BytesOf(Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static void SpawnAndRun(TaskRuntime runtime, LocalExecutor executor, int tasks)
    {
        for (int i = 0; i < tasks; i++)
        {
            _ = runtime.SpawnDetached(NothingAsync());
        }

        executor.RunUntilStalled();
    }

#pragma warning disable CS1998 // it never waits: its frame serves again
    private static async Future NothingAsync()
    {
    }
#pragma warning restore CS1998

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
