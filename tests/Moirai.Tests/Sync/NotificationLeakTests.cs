using System.Runtime.CompilerServices;

namespace Moirai.Tests.Sync;

/// <summary>What long-lived tasks, one-shots and races keep of waits that were given up and of values that were received: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class NotificationLeakTests
{
    [Fact]
    public void A_value_that_was_received_is_not_kept_and_neither_is_one_that_nobody_wants()
    {
        (OneShotSender<object> Sender, OneShotReceiver<object> Receiver) received = OneShot.Create<object>();
        (OneShotSender<object> Sender, OneShotReceiver<object> Receiver) unwanted = OneShot.Create<object>();
        WeakReference first = Send(received.Sender);
        WeakReference second = Send(unwanted.Sender);
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(first));
        Receive(received.Receiver);
        unwanted.Receiver.Dispose();
        Garbage.ShouldBeGone(first);
        Garbage.ShouldBeGone(second);
        GC.KeepAlive(received);
        GC.KeepAlive(unwanted);
    }

    [Fact]
    public void S169_canceled_waits_on_one_long_lived_task_retain_nothing()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask longLived = world.Start(async _ => await gate.WaitAsync());
        Garbage.ShouldBeGone(CancelWaits(world, async tracked =>
        {
            await longLived;
            GC.KeepAlive(tracked);
        }));
        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S169_canceled_waits_of_one_long_lived_task_retain_nothing()
    {
        var world = new World();
        var notify = new Notify("items");
        ManagedTask other = world.Start(async _ => await notify.WaitAsync());
        int before = Retained(rounds: 10);
        int after = Retained(rounds: 10_000);
        after.ShouldBe(before);
        other.State.ShouldBe(TaskState.Blocked);
        notify.NotifyWaiters();
        world.ShouldBeEmpty();

        // One task waits again and again, for a primitive, for another task, and in races; each wait is given up.
        int Retained(int rounds)
        {
            var tracked = new WeakReference[rounds];
            bool done = false;
            ManagedTask task = world.Spawn(async _ =>
            {
                for (int i = 0; i < rounds; i++)
                {
                    tracked[i] = await GiveUpAsync(notify, other, i % 3);
                }

                done = true;
                await notify.WaitAsync();
            });
            world.Run();
            while (!done)
            {
                world.Advance(0.001);
            }

            notify.Waiting.ShouldBe(2);
            notify.CopyWaiters()[0].ShouldBe(other);
            GC.Collect();
            int alive = tracked.Count(one => one.IsAlive);
            world.Timers.ShouldBe(0);
            task.Cancel();
            world.Run();
            return alive;
        }
    }

    [Fact]
    public void S169_twin_waits_that_stay_registered_are_caught()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask longLived = world.Start(async _ => await gate.WaitAsync());
        WeakReference tracked = CancelWaits(
            world,
            async tracked =>
            {
                await longLived;
                GC.KeepAlive(tracked);
            },
            cancel: static task => task.Word.TryInterrupt());
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(longLived);
    }

    [Fact]
    public void S167_the_losers_of_a_race_are_released() => Garbage.ShouldBeGone(Race(static race => race.FirstCompletedAsync()));

    [Fact]
    public void S167_twin_a_race_that_leaves_its_losers_is_caught() =>
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(Race(static race => race.FirstCompletedAsync(), stuck: true)));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Receive(OneShotReceiver<object> receiver) => receiver.TryReceive(out object _).ShouldBeTrue();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Send(OneShotSender<object> sender)
    {
        var value = new object();
        sender.TrySend(value).ShouldBeTrue();
        return new WeakReference(value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference CancelWaits(World world, Func<object, Future> wait, Action<ManagedTask>? cancel = null)
    {
        WeakReference? last = null;
        for (int i = 0; i < 1_000; i++)
        {
            var tracked = new object();
            last = new WeakReference(tracked);
            ManagedTask task = world.Runtime.SpawnDetached(wait(tracked));
            world.Run();
            if (cancel is null)
            {
                task.Cancel();
            }
            else
            {
                cancel(task);
            }

            world.Run();
        }

        return last!;
    }

    private static async Future<WeakReference> GiveUpAsync(Notify notify, ManagedTask other, int how)
    {
        var tracked = new object();
        try
        {
            Future wait = how switch
            {
                0 => notify.WaitAsync().AsFuture(),
                1 => KeepingAsync(other, tracked),
                _ => RacingAsync(notify, tracked),
            };
            await wait.WithTimeout(TimeSpan.FromMilliseconds(1));
        }
        catch (TaskTimeoutException)
        {
            // given up
        }

        return new WeakReference(tracked);
    }

    private static async Future KeepingAsync(ManagedTask other, object tracked)
    {
        await other;
        GC.KeepAlive(tracked);
    }

    private static async Future RacingAsync(Notify notify, object tracked) => await new Race<int>()
        .Add(async _ =>
        {
            await notify.WaitAsync();
            return tracked.GetHashCode();
        })
        .FirstCompletedAsync();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Race(Func<Race<int>, Future<TaskOutcome<int>>> run, bool stuck = false)
    {
        var world = new World();
        var tracked = new object();
        Race<int> race = new Race<int>(order: RaceOrder.Biased)
            .Add(LosingAsync(tracked, stuck))
            .Add(Future.FromResult(1));
        ManagedTask<TaskOutcome<int>> racer = world.Spawn(async _ => await run(race));
        world.Run();
        racer.IsEnded.ShouldBe(!stuck); // it waits for its losers
        if (!stuck)
        {
            world.ShouldBeEmpty();
            s_kept = null;
        }
        else
        {
            s_kept = (world, racer);
        }

        return new WeakReference(tracked);
    }

    private static object? s_kept;

    private static async Future<int> LosingAsync(object tracked, bool stuck)
    {
        using (stuck ? ManagedTask.Shield() : default)
        {
            await Moirai.Tests.Results.RaceTests.NeverAsync();
        }

        GC.KeepAlive(tracked);
        return 0;
    }
}
