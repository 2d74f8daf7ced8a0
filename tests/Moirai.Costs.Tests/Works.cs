using Moirai.Costs.Counting;

namespace Moirai.Costs;

/// <summary>The operations whose costs are asserted. Each does one operation for each <see cref="Meter.Next"/>.</summary>
internal static partial class Works
{
    /// <summary>How the names of those end that run on the thread pool.</summary>
    public const string OnPool = ", on the thread pool";

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    public static IReadOnlyDictionary<string, Action<CostWorld, Meter>> All { get; } = new Dictionary<string, Action<CostWorld, Meter>>
    {
        ["spawn to end"] = static (world, meter) => world.Run(SpawnAsync(world.Runtime, meter)),
        ["spawn with a handle, and join"] = static (world, meter) => world.Run(JoinAsync(world.Runtime, meter)),
        ["spawn of a delegate that takes a token"] = static (world, meter) => world.Run(SpawnWithTokenAsync(world.Runtime, meter)),
        ["spawn into a pool"] = static (world, meter) => world.Run(SpawnIntoPoolAsync(world.Runtime, meter)),
        ["call of a future"] = static (world, meter) => world.Run(CallAsync(meter)),
        ["await of an ended task"] = static (world, meter) => world.Run(AwaitEndedAsync(world.Runtime, meter)),
        ["yield"] = static (world, meter) => world.Run(YieldAsync(meter)),
        ["delay"] = Delay,
        ["timeout that is not reached"] = static (world, meter) => world.Run(TimeoutAsync(meter)),
        ["lock and unlock"] = static (world, meter) => world.Run(LockAsync(new AsyncMutex(), meter)),
        ["lock and unlock, contended"] = LockContended,
        ["permit and back"] = static (world, meter) => world.Run(AcquireAsync(new AsyncSemaphore(1), meter)),
        ["permit and back, contended"] = AcquireContended,
        ["scope, empty"] = static (world, meter) => world.Run(ScopeAsync(world.Runtime, meter)),
        ["scope with one child"] = static (world, meter) => world.Run(ScopeOfOneAsync(world.Runtime, meter)),
        ["send and receive"] = static (world, meter) => world.Run(SendAndReceiveAsync(meter)),
        ["send and receive, each waits"] = SendToWaiting,
        ["atomic waker, the same again"] = static (world, meter) => world.Run(RegisterSame(meter)),
        ["atomic waker, taken"] = static (world, meter) => world.Run(RegisterAndTake(meter)),
        ["spawn into an open scope"] = static (world, meter) => world.Run(SpawnIntoScopeAsync(world.Runtime, meter)),
        ["wake by a waker"] = WakeByWaker,
        ["wake by a notification"] = WakeByNotification,
        ["await of a foreign task"] = static (world, meter) => AwaitForeign(world, meter, AwaitAllAsync),
        ["timeout around a foreign task, not reached"] = static (world, meter) => AwaitForeign(world, meter, TimeAllAsync),
        ["one-shot, sent and received"] = static (world, meter) => world.Run(SendOnceAsync(meter)),
        ["one-shot, answered by a task in time"] = static (world, meter) => world.Run(AnswerInTimeAsync(world.Runtime, meter)),
        ["collect of one result"] = static (world, meter) => world.Run(CollectAsync(world.Runtime, meter)),
        ["spawn to end" + OnPool] = static (_, meter) => CostWorld.RunOnPool(runtime => SpawnAsync(runtime, meter)),
        ["yield" + OnPool] = static (_, meter) => CostWorld.RunOnPool(_ => YieldAsync(meter)),
        ["cancel of a waiting task"] = Cancel,
    };

    private static async Future SpawnAsync(TaskRuntime runtime, Meter meter)
    {
        while (meter.Next())
        {
            _ = runtime.SpawnDetached(NothingAsync());
            await Future.Yield();
        }
    }

    private static async Future JoinAsync(TaskRuntime runtime, Meter meter)
    {
        int sum = 0;
        while (meter.Next())
        {
            sum += await runtime.SpawnDetached(OneAsync());
        }

        sum.ShouldBeGreaterThan(Meter.Times);
    }

    private static async Future SpawnWithTokenAsync(TaskRuntime runtime, Meter meter)
    {
        while (meter.Next())
        {
            _ = runtime.SpawnDetached(static _ => NothingAsync());
            await Future.Yield();
        }
    }

    private static async Future SpawnIntoPoolAsync(TaskRuntime runtime, Meter meter)
    {
        await using TaskPool pool = runtime.CreatePool("pool", 4);
        while (meter.Next())
        {
            await pool.SpawnAsync(NothingAsync());
            await Future.Yield();
        }

        await pool.DrainAsync();
    }

    private static async Future CallAsync(Meter meter)
    {
        while (meter.Next())
        {
            await NothingAsync();
        }
    }

    private static async Future AwaitEndedAsync(TaskRuntime runtime, Meter meter)
    {
        ManagedTask<int> ended = runtime.SpawnDetached(OneAsync());
        await ended;
        while (meter.Next())
        {
            await ended;
        }
    }

    private static async Future YieldAsync(Meter meter)
    {
        while (meter.Next())
        {
            await Future.Yield();
        }
    }

    private static async Future TimeoutAsync(Meter meter)
    {
        while (meter.Next())
        {
            await YieldOnceAsync().WithTimeout(Long);
        }
    }

    private static async Future LockAsync(AsyncMutex mutex, Meter meter)
    {
        while (meter.Next())
        {
            using (await mutex.LockAsync())
            {
                // Nothing to guard.
            }
        }
    }

    private static void LockContended(CostWorld world, Meter meter)
    {
        var mutex = new AsyncMutex();
        _ = world.Runtime.SpawnDetached(HoldAsync(mutex, meter));
        world.Run(HoldAsync(mutex, meter));
    }

    private static async Future HoldAsync(AsyncMutex mutex, Meter meter)
    {
        while (meter.Next())
        {
            using (await mutex.LockAsync())
            {
                await Future.Yield();
            }
        }
    }

    private static async Future AcquireAsync(AsyncSemaphore semaphore, Meter meter)
    {
        while (meter.Next())
        {
            using (await semaphore.AcquireAsync())
            {
                // Nothing to guard.
            }
        }
    }

    private static void AcquireContended(CostWorld world, Meter meter)
    {
        var semaphore = new AsyncSemaphore(1);
        _ = world.Runtime.SpawnDetached(KeepAsync(semaphore, meter));
        world.Run(KeepAsync(semaphore, meter));
    }

    private static async Future KeepAsync(AsyncSemaphore semaphore, Meter meter)
    {
        while (meter.Next())
        {
            using (await semaphore.AcquireAsync())
            {
                await Future.Yield();
            }
        }
    }

    private static async Future ScopeAsync(TaskRuntime runtime, Meter meter)
    {
        while (meter.Next())
        {
            await runtime.RunScopeAsync("scope", static _ => NothingAsync());
        }
    }

    private static async Future ScopeOfOneAsync(TaskRuntime runtime, Meter meter)
    {
        while (meter.Next())
        {
            await runtime.RunScopeAsync("scope", static scope =>
            {
                _ = scope.Spawn(NothingAsync());
                return NothingAsync();
            });
        }
    }

    private static async Future SendAndReceiveAsync(Meter meter)
    {
        var (sender, receiver) = new AsyncChannel<int>(1);
        while (meter.Next())
        {
            await sender.SendAsync(1);
            await receiver.ReceiveAsync();
        }
    }

    private static void SendToWaiting(CostWorld world, Meter meter)
    {
        var (sender, receiver) = new AsyncChannel<int>(1);
        ManagedTask all = world.Runtime.SpawnDetached(ReceiveAllAsync(receiver));
        world.Run(SendAllAsync(sender, meter));
        all.IsEnded.ShouldBeTrue();
    }

    private static async Future ReceiveAllAsync(ChannelReceiver<int> receiver)
    {
        await foreach (int element in receiver)
        {
            _ = element;
        }
    }

    private static async Future SendAllAsync(ChannelSender<int> sender, Meter meter)
    {
        while (meter.Next())
        {
            await sender.SendAsync(1);
            await Future.Yield();
        }

        sender.Complete();
    }

    private static async Future SpawnIntoScopeAsync(TaskRuntime runtime, Meter meter) => await runtime.RunScopeAsync("scope", async scope =>
    {
        while (meter.Next())
        {
            _ = scope.Spawn(NothingAsync());
            await Future.Yield();
        }
    });

    private static async Future SendOnceAsync(Meter meter)
    {
        while (meter.Next())
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            sender.TrySend(1);
            await receiver.ReceiveAsync();
        }
    }

    private static async Future AnswerInTimeAsync(TaskRuntime runtime, Meter meter)
    {
        while (meter.Next())
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _ = runtime.SpawnDetached(SendAsync(sender));
            await receiver.ReceiveAsync().WithTimeout(TimeSpan.FromSeconds(30));
        }
    }

    private static async Future CollectAsync(TaskRuntime runtime, Meter meter) => await runtime.RunScopeAsync("scope", async scope =>
    {
        while (meter.Next())
        {
            var collector = new TaskCollector<int>(scope);
            _ = collector.Add(OneAsync());
            await collector.CollectAsync();
        }
    });

    private static async Future YieldOnceAsync() => await Future.Yield();

#pragma warning disable CS1998 // an async method that waits for nothing is what is to be counted
    private static async Future SendAsync(OneShotSender<int> sender) => sender.TrySend(1);

    private static async Future NothingAsync()
    {
    }

    private static async Future<int> OneAsync() => 1;
#pragma warning restore CS1998
}
