namespace Moirai.Tests.Sync;

/// <summary>Tasks and plain code on several threads send, receive, reserve and are canceled: each element is received once or undelivered once, and nothing is left.</summary>
public sealed class ChannelStormTests(ITestOutputHelper output)
{
    private const int Lanes = 6;
    private const int PerLane = 700;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public async Task S163_each_element_is_received_once_or_undelivered_once_whatever_is_canceled(int capacity) =>
        (await StormAsync(capacity, static _ => false)).ShouldBe(0);

    [Fact]
    public async Task S163_twin_a_hook_that_is_called_twice_or_never_is_caught()
    {
        int wrong = await StormAsync(1, static element => element % 10 == 0);
        Should.Throw<ShouldAssertException>(() => wrong.ShouldBe(0));
    }

    [Fact]
    public void S139_what_a_channel_continues_may_use_it() => Continue(static _ => { });

    [Fact]
    public void S139_twin_a_channel_that_continues_its_waiters_under_a_lock_is_caught() => Should.Throw<ShouldAssertException>(() =>
    {
        using var held = new SemaphoreSlim(0, 1);
        Continue(_ => held.Wait(0).ShouldBeTrue());
    });

    [Fact]
    public void S139_the_hook_may_use_the_channel()
    {
        AsyncChannel<int>? channel = null;
        bool called = false;
        channel = new AsyncChannel<int>(2, "orders", _ =>
        {
            channel!.Receiver.Dispose();
            channel.Sender.TryComplete().ShouldBeFalse();
            channel.ToString().ShouldBe("channel 'orders', closed, 0 of 2 (0 waiting to send, 0 to receive)");
            called = true;
        });
        channel.Sender.TrySend(1).ShouldBeTrue();
        channel.Receiver.Dispose();
        called.ShouldBeTrue();
    }

    /// <returns>How many elements were not received once or undelivered once.</returns>
    private async Task<int> StormAsync(int capacity, Func<int, bool> plant)
    {
        int seed = Environment.ProcessId ^ (int)TimeProvider.System.GetTimestamp();
        output.WriteLine($"seed {seed}");
        int[] fates = new int[Lanes * PerLane];
        int undelivered = 0;
        AsyncChannel<int> channel = new(capacity, "raced", element =>
        {
            Interlocked.Increment(ref undelivered);
            Interlocked.Add(ref fates[element], plant(element) ? 2 : 1);
        });
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("storm", async scope =>
        {
            List<ManagedTask> lanes = [];
            ManagedTask[] readers = [.. Enumerable.Range(0, 3).Select(i => scope.Spawn(ReadAsync(channel.Receiver, fates)))];
            Task plain = PlainReadAsync(channel.Receiver, fates);
            for (int lane = 0; lane < Lanes; lane++)
            {
                int first = lane * PerLane;
                var random = new Random(seed + lane);
                lanes.Add(scope.Spawn(async _ =>
                {
                    for (int i = first; i < first + PerLane; i++)
                    {
                        await OneAsync(runtime, channel, i, random, fates);
                    }
                }));
            }

            foreach (ManagedTask lane in lanes)
            {
                await lane;
            }

            channel.Sender.Complete();
            foreach (ManagedTask reader in readers)
            {
                await reader;
            }

            await plain;
        });
        output.WriteLine($"{undelivered} undelivered");
        undelivered.ShouldBeInRange(1, fates.Length - 1); // else nothing was raced
        (channel.Sender.Waiting, channel.Receiver.Waiting, channel.Sender.Count, channel.Sender.Core.ParkedCount).ShouldBe((0, 0, 0, 0));
        channel.Receiver.IsEnded.ShouldBeTrue();
        World.ShouldBeEmpty(runtime);
        return fates.Count(static fate => fate != 1);
    }

    private static async Future OneAsync(TaskRuntime runtime, AsyncChannel<int> channel, int element, Random random, int[] fates)
    {
        int way = random.Next(8);
        bool begun = false;
        ManagedTask task = runtime.SpawnDetached(async _ =>
        {
            begun = true;
            if (way == 0 && channel.Sender.Capacity > 0)
            {
                using ChannelPermit<int> permit = await channel.Sender.ReserveAsync();
                permit.Send(element);
            }
            else if (way == 1)
            {
                using var source = new CancellationTokenSource();
                if (element % 2 == 0)
                {
                    await source.CancelAsync(); // some are undelivered for certain, others by a race
                }

                Task cancel = Task.Run(source.Cancel);
                try
                {
                    await channel.Sender.SendAsync(element, source.Token);
                }
                catch (OperationCanceledException)
                {
                    // the hook has it
                }

                await cancel;
            }
            else
            {
                await channel.Sender.SendAsync(element);
            }
        });
        ManagedTask reader = runtime.SpawnDetached(async _ =>
        {
            int got = await channel.Receiver.ReceiveAsync();
            Interlocked.Increment(ref fates[got]);
        });
        Task canceled = way > 5 ? Task.Run(() => task.Cancel("storm")) : Task.CompletedTask;
        if (random.Next(2) == 0)
        {
            await Future.Yield();
        }

        reader.Cancel("storm");
        await canceled;
        await EndOf(task);
        if (!begun)
        {
            fates[element]++; // it was canceled before it could send
        }

        await EndOf(reader);
    }

    private static async Future EndOf(ManagedTask task)
    {
        try
        {
            await task;
        }
        catch (ManagedTaskCanceledException)
        {
            task.IsEnded.ShouldBeTrue();
        }
    }

    private static Func<CancellationToken, Future> ReadAsync(ChannelReceiver<int> receiver, int[] fates) => async _ =>
    {
        await foreach (int got in receiver)
        {
            Interlocked.Increment(ref fates[got]);
        }
    };

    private static async Task PlainReadAsync(ChannelReceiver<int> receiver, int[] fates)
    {
        await foreach (int got in receiver.ReceiveAllAsync(TestContext.Current.CancellationToken))
        {
            Interlocked.Increment(ref fates[got]);
        }
    }

    private static void Continue(Action<AsyncChannel<int>> inside)
    {
        var channel = new AsyncChannel<int>(1, "orders");
        Exception? error = null;
        SynchronizationContext? outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new Inline());
        Task reader = ReadAsync();
        SynchronizationContext.SetSynchronizationContext(outer);
        channel.Sender.TrySend(1).ShouldBeTrue();
        reader.IsCompletedSuccessfully.ShouldBeTrue();
        if (error is not null)
        {
            throw error;
        }

        async Task ReadAsync()
        {
            (await channel.Receiver.ReceiveAsync()).ShouldBe(1);
            try
            {
                channel.Sender.TrySend(2).ShouldBeTrue();
                (await channel.Receiver.ReceiveAsync()).ShouldBe(2);
                inside(channel);
                channel.Receiver.Dispose();
            }
            catch (ShouldAssertException failed)
            {
                error = failed;
            }
        }
    }

    /// <summary>Runs what is posted at once, inside whoever posts it: the worst that user code can do.</summary>
    private sealed class Inline : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => d(state);
    }
}
