using System.Runtime.CompilerServices;
using Moirai.Wakers;

namespace Moirai.Tests.Wakers;

/// <summary>What a waker that somebody keeps has of its task once that has ended: the number, and nothing else.</summary>
public sealed class EndedWakerTests
{
    public enum Ending
    {
        Completes,
        Fails,
        IsCanceled,
    }

    [Theory]
    [InlineData(Ending.Completes)]
    [InlineData(Ending.Fails)]
    [InlineData(Ending.IsCanceled)]
    public void B3_a_kept_waker_keeps_neither_frame_nor_handle_nor_outcome(Ending ending)
    {
        var world = new World();
        (Waker waker, AtomicWaker place, WeakReference[] gone) = End(world, ending, static (waker, _) => waker);
        Array.ForEach(gone, Garbage.ShouldBeGone);
        waker.Task.Value.ShouldBePositive();
        long steps = world.Census.Steps;
        Parallel.For(0, 1_000, _ =>
        {
            waker.Wake();
            place.Register(waker);
            place.Wake();
        });
        world.Run().ShouldBe(0);
        world.Census.Steps.ShouldBe(steps);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Ending.Completes)]
    [InlineData(Ending.Fails)]
    [InlineData(Ending.IsCanceled)]
    public void B3_twin_a_waker_that_holds_the_frame_is_caught(Ending ending)
    {
        var world = new World();
        (Waker waker, AtomicWaker place, WeakReference[] gone) = End(world, ending, static (waker, task) => new Waker(new Holding(waker, task.Leaf!)));
        Should.Throw<ShouldAssertException>(() => Array.ForEach(gone, Garbage.ShouldBeGone));
        waker.Wake();
        place.Wake();
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(Ending.Completes)]
    [InlineData(Ending.Fails)]
    [InlineData(Ending.IsCanceled)]
    public void B3_twin_a_waker_that_holds_the_handle_is_caught(Ending ending)
    {
        var world = new World();
        (Waker waker, _, WeakReference[] gone) = End(world, ending, static (waker, task) => new Waker(new Holding(waker, task)));
        Should.Throw<ShouldAssertException>(() => Array.ForEach(gone, Garbage.ShouldBeGone));
        waker.Wake();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void B3_a_waker_of_an_ended_task_wakes_no_other_task_that_waits_at_the_same_place()
    {
        var world = new World();
        (Waker waker, _, _) = End(world, Ending.Completes, static (waker, _) => waker);
        int asked = 0;
        ManagedTask next = world.Start(_ => Future.FromPoll(_ => ++asked == 2));
        waker.Wake();
        world.Run().ShouldBe(0);
        asked.ShouldBe(1);
        next.Cancel();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void B3_a_waker_of_an_earlier_wait_lets_a_later_look_once_in_vain_and_disturbs_no_wait_of_another_kind()
    {
        var world = new World();
        Waker old = default;
        int asked = 0;
        var slots = new TaskSlotManager(1, "one");
        ManagedTask task = world.Start(async _ =>
        {
            await Future.FromPoll(waker =>
            {
                old = waker;
                return asked == 1;
            });
            await Future.FromPoll(_ => asked++ == 2);
            await Future.Delay(TimeSpan.FromSeconds(1));
            using (await slots.AcquireAsync())
            {
                await slots.AcquireAsync();
            }
        });
        asked = 1;
        Wake(expectedSteps: 1);
        asked.ShouldBe(2, "the second wait has looked once");
        Wake(expectedSteps: 1);
        task.DescribeWait().ShouldContain("timer");
        Wake(expectedSteps: 0);
        world.Advance(1);
        task.DescribeWait().ShouldContain("slot");
        Wake(expectedSteps: 0);
        task.Cancel();
        world.ShouldBeEmpty();

        void Wake(int expectedSteps)
        {
            old.Wake();
            old.Wake();
            world.Run().ShouldBe(expectedSteps);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (Waker Waker, AtomicWaker Place, WeakReference[] Gone) End(World world, Ending ending, Func<Waker, ManagedTask, Waker> keep)
    {
        var place = new AtomicWaker();
        Waker kept = default;
        bool open = false;
        var local = new object();
        var result = new object();
        ManagedTask<object> task = world.Runtime.SpawnDetached(WaitAsync(local, result, waker =>
        {
            kept = waker;
            place.Register(waker);
            return !open ? Poll<object>.Pending : ending == Ending.Fails ? throw new FormatException("as planned") : Poll<object>.Ready(local);
        }));
        world.Run();
        Waker own = kept;
        kept = keep(own, task);
        place.Take();
        place.Register(kept);
        WeakReference[] gone = [new(local), new(result), new(task), new(task.Leaf)];
        if (ending == Ending.IsCanceled)
        {
            task.Cancel();
        }
        else
        {
            open = true;
            own.Wake();
        }

        world.Run();
        task.State.ShouldBe(ending switch
        {
            Ending.Completes => TaskState.Completed,
            Ending.Fails => TaskState.Failed,
            _ => TaskState.Canceled,
        });
        return (kept, place, gone);

        static async Future<object> WaitAsync(object local, object result, Func<Waker, Poll<object>> poll)
        {
            await Future.FromPoll(poll);
            GC.KeepAlive(local);
            return result;
        }
    }

    private sealed class Holding(Waker inner, object held) : WakeTarget(inner.Task)
    {
        internal override void Wake()
        {
            GC.KeepAlive(held);
            inner.Wake();
        }
    }
}
