using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>Searches while everything goes on, on the thread pool: tasks hand promises to each other, wait for each other, are canceled and begin; now and then one is lost. Exactly those are found, each once.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class LeakStormTests
{
    private const int Pairs = 64;
    private const int Searches = 12;
    private const int LostEachTime = 5;

    [Fact]
    public async Task Leak_SearchesInAStormFindThoseWhoAreLostAndNobodyElse()
    {
        var events = new ConcurrentQueue<RuntimeEvent>();
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "storm", OnEvent = events.Enqueue });
        using var stop = new CancellationTokenSource();
        var cleanUps = new StrongBox<int>();
        for (int i = 0; i < Pairs; i++)
        {
            BeginPair(runtime, i, stop.Token);
        }

        int lost = 0;
        for (int i = 0; i < Searches; i++)
        {
            for (int k = 0; k < LostEachTime; k++)
            {
                Lose(runtime, cleanUps, k);
                lost++;
            }

            (await runtime.FindLeaksAsync()).Leaks.ShouldAllBe(static leak => leak.Name == "lost");
        }

        // What a worker has still had on its stack is found by the next search.
        for (int i = 0; i < 100 && Volatile.Read(ref cleanUps.Value) < lost; i++)
        {
            (await runtime.FindLeaksAsync()).Leaks.ShouldAllBe(static leak => leak.Name == "lost");
            await Task.Yield();
        }

        Volatile.Read(ref cleanUps.Value).ShouldBe(lost);
        events.Where(static e => e.Kind == RuntimeEventKind.Leaked).Select(static e => e.Task).Distinct().Count().ShouldBe(lost);
        await stop.CancelAsync();
        StopReport report = await runtime.StopAsync(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30));
        report.IsComplete.ShouldBeTrue(report.ToString());
        report.Leaks.ShouldBeEmpty();
        report.Failed.ShouldBe(lost, "the lost ones, and nobody else");
        runtime.TakeCensus().IsEmpty.ShouldBeTrue(runtime.TakeCensus().ToString());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(TaskRuntime runtime, StrongBox<int> cleanUps, int way) => _ = way switch
    {
        0 => runtime.SpawnDetached(LostAsync(cleanUps, new Notify().WaitAsync().AsFuture()), "lost"),
        1 => runtime.SpawnDetached(LostInPlainCodeAsync(cleanUps), "lost"),
        _ => runtime.SpawnDetached(LostAsync(cleanUps, AwaitAsync(new TaskCompletionSource().Task)), "lost"),
    };

    private static async Future LostAsync(StrongBox<int> cleanUps, Future wait)
    {
        try
        {
            await wait;
        }
        finally
        {
            Interlocked.Increment(ref cleanUps.Value);
        }
    }

    private static Func<CancellationToken, Task> LostInPlainCodeAsync(StrongBox<int> cleanUps) => async Task (_) =>
    {
        try
        {
            await new TaskCompletionSource().Task.ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Increment(ref cleanUps.Value);
        }
    };

    private static async Future AwaitAsync(Task what) => await what;

    // One makes promises and hands them over, the other keeps them; both by turns in one of several ways. Whatever one of them waits for the other, who runs or is ready, holds.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void BeginPair(TaskRuntime runtime, int number, CancellationToken stop)
    {
        var channel = new AsyncChannel<object>(1);
        _ = runtime.SpawnDetached(AskAsync(runtime, channel.Sender, number, stop), "asks");
        _ = runtime.SpawnDetached(AnswerAsync(channel.Receiver), "answers");
    }

    private static async Future AskAsync(TaskRuntime runtime, ChannelSender<object> answering, int number, CancellationToken stop)
    {
        using ChannelSender<object> sender = answering;
        for (int i = number; !stop.IsCancellationRequested; i++)
        {
            switch (i % 5)
            {
                case 0:
                    var promise = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    await sender.SendAsync(promise);
                    await promise.Task;
                    break;
                case 1:
                    var notify = new Notify();
                    await sender.SendAsync(notify);
                    await notify.WaitAsync();
                    break;
                case 2:
                    (OneShotSender<int> send, OneShotReceiver<int> receive) = OneShot.Create<int>();
                    await sender.SendAsync(send);
                    await receive.ReceiveAsync();
                    break;
                case 3:
                    await runtime.RunScopeAsync("inside", async scope =>
                    {
                        var inner = new TaskCompletionSource();
                        ManagedTask child = scope.Spawn(AwaitAsync(inner.Task));
                        await sender.SendAsync(inner);
                        await child;
                    });
                    break;
                default:
                    ManagedTask slept = runtime.SpawnDetached(static _ => Future.Delay(TimeSpan.FromTicks(1000)));
                    await slept;
                    break;
            }
        }
    }

    private static async Future AnswerAsync(ChannelReceiver<object> asked)
    {
        using ChannelReceiver<object> receiver = asked;
        try
        {
            while (true)
            {
                object question = await receiver.ReceiveAsync();
                await Future.Yield();
                switch (question)
                {
                    case TaskCompletionSource promise:
                        promise.SetResult();
                        break;
                    case Notify notify:
                        notify.NotifyOne();
                        break;
                    case OneShotSender<int> send:
                        send.TrySend(1);
                        break;
                }
            }
        }
        catch (ChannelClosedException)
        {
            // who asks has left
        }
    }
}
