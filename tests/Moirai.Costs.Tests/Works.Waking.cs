using Moirai.Costs.Counting;

namespace Moirai.Costs;

/// <content>Those in which a task waits and is woken from outside.</content>
internal static partial class Works
{
    private static void Delay(CostWorld world, Meter meter)
    {
        bool over = false;
        ManagedTask sleeper = world.Runtime.SpawnDetached(SleepAsync(() => over));
        while (meter.Next())
        {
            world.Run();
            world.Clock.Turn(Moment);
        }

        over = true;
        world.Run();
        sleeper.IsEnded.ShouldBeTrue();
    }

    private static async Future SleepAsync(Func<bool> isOver)
    {
        while (!isOver())
        {
            await Future.Delay(Moment);
        }
    }

    private static Future RegisterSame(Meter meter) => Future.FromPoll(waker =>
    {
        var slot = new AtomicWaker();
        while (meter.Next())
        {
            slot.Register(waker);
        }

        return true;
    });

    private static Future RegisterAndTake(Meter meter) => Future.FromPoll(waker =>
    {
        var slot = new AtomicWaker();
        while (meter.Next())
        {
            slot.Register(waker);
            _ = slot.Take();
        }

        return true;
    });

    private static void WakeByWaker(CostWorld world, Meter meter)
    {
        Waker kept = default;
        bool over = false;
        ManagedTask waiter = world.Runtime.SpawnDetached(Future.FromPoll(waker =>
        {
            kept = waker;
            return over;
        }));
        world.Run();
        while (meter.Next())
        {
            kept.Wake();
            world.Run();
        }

        over = true;
        kept.Wake();
        world.Run();
        waiter.IsEnded.ShouldBeTrue();
    }

    private static void WakeByNotification(CostWorld world, Meter meter)
    {
        var notify = new Notify();
        bool over = false;
        ManagedTask waiter = world.Runtime.SpawnDetached(AwaitNotificationsAsync(notify, () => over));
        world.Run();
        while (meter.Next())
        {
            notify.NotifyOne();
            world.Run();
        }

        over = true;
        notify.NotifyOne();
        world.Run();
        waiter.IsEnded.ShouldBeTrue();
    }

    private static async Future AwaitNotificationsAsync(Notify notify, Func<bool> isOver)
    {
        while (!isOver())
        {
            await notify.WaitAsync();
        }
    }

    private static void AwaitForeign(CostWorld world, Meter meter, Func<TaskCompletionSource[], Future> awaitAll)
    {
        TaskCompletionSource[] promises = Array.ConvertAll(new object[Meter.All + 1], static _ => new TaskCompletionSource());
        ManagedTask waiter = world.Runtime.SpawnDetached(awaitAll(promises));
        world.Run();
        for (int i = 0; meter.Next(); i++)
        {
            promises[i].SetResult();
            world.Run();
        }

        promises[^1].SetResult();
        world.Run();
        waiter.IsEnded.ShouldBeTrue();
    }

    private static async Future AwaitAllAsync(TaskCompletionSource[] promises)
    {
        foreach (TaskCompletionSource promise in promises)
        {
            await promise.Task;
        }
    }

    private static async Future TimeAllAsync(TaskCompletionSource[] promises)
    {
        foreach (TaskCompletionSource promise in promises)
        {
            await promise.Task.WithTimeout(Long);
        }
    }

    private static void Cancel(CostWorld world, Meter meter)
    {
        int canceled = 0;
        while (meter.Next())
        {
            ManagedTask task = world.Runtime.SpawnDetached(ForeverAsync());
            world.Run();
            task.Cancel();
            world.Run();
            canceled += task.State == TaskState.Canceled ? 1 : 0;
        }

        canceled.ShouldBeGreaterThan(Meter.Times);
    }

    private static async Future ForeverAsync() => await Future.Delay(Timeout.InfiniteTimeSpan);
}
