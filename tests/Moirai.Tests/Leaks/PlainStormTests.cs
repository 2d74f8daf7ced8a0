using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>Searches while plain code waits, is canceled and begins anew on all threads, with collections in between: nobody who lives is told of, whoever is lost is, and all that was taken comes back.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class PlainStormTests
{
    private const int Workers = 48;
    private const int Searches = 10;

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task Leak_SearchesAmongPlainCodeThatIsCanceledFindThoseWhoAreLostAndNobodyElse(int oneThread)
    {
        int seed = Environment.TickCount;
#pragma warning disable CA5394 // an order of events, not a secret
        var random = new Random(seed);
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "storm", Executor = oneThread == 1 ? new LocalExecutor() : new ThreadPoolExecutor() });
        using var stop = new CancellationTokenSource();
        Thread? driver = oneThread == 1 ? Drive(runtime, stop.Token) : null;
        var stage = new Stage();
        var workers = new ManagedTask[Workers];
        int lost = 0;
        int cleanedUp = 0;
        for (int search = 0; search < Searches; search++)
        {
            for (int i = 0; i < Workers; i++)
            {
                if (workers[i] is null or { IsEnded: true })
                {
                    workers[i] = runtime.SpawnDetached(_ => WorkAsync(stage, stop.Token), "worker");
                }
                else if (random.Next(4) == 0)
                {
                    workers[i].Cancel();
                }
            }

            string[] names = Lose(runtime, () => Interlocked.Increment(ref cleanedUp), search, random.Next(3));
            lost += names.Length;
            await Eventually.IsAsync(() => runtime.Engine.Root.CollectTasks().TrueForAll(task => !task.Name.StartsWith("lost", StringComparison.Ordinal) || task.State == TaskState.Blocked));
            GC.Collect(random.Next(3));
            HashSet<string> found = [];
            for (int i = 0; i < 50 && found.Count < names.Length; i++)
            {
                LeakReport report = await runtime.FindLeaksAsync(); // the thread that has started one may have it on its stack for a moment
                report.Leaks.ShouldAllBe(static leak => leak.Name.StartsWith("lost", StringComparison.Ordinal), $"seed {seed}: {report}");
                found.UnionWith(report.Leaks.Select(static leak => leak.Name));
            }

            found.Order().ShouldBe(names.Order(), $"seed {seed}");
        }
#pragma warning restore CA5394

        await Eventually.IsAsync(() => Volatile.Read(ref cleanedUp) == lost);
        foreach (ManagedTask worker in workers)
        {
            worker.Cancel();
            await Eventually.IsAsync(() => worker.IsEnded);
            worker.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
        }

        stage.ShouldBeWhole($"seed {seed}");
        await Eventually.IsAsync(() => runtime.TakeCensus().Live == 0);
        runtime.TakeCensus().IsBalanced.ShouldBeTrue($"seed {seed}");
        await stop.CancelAsync();
        driver?.Join();
    }

    private static Thread Drive(TaskRuntime runtime, CancellationToken stop)
    {
        var executor = (LocalExecutor)runtime.Engine.Executor;
        var thread = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                executor.RunUntilStalled();
                Thread.Yield();
            }
        });
        thread.Start();
        return thread;
    }

    private static async Task WorkAsync(Stage stage, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            using (await stage.Permits.AcquireAsync())
            {
                await Future.Delay(TimeSpan.FromMilliseconds(1));
                using (await stage.Mutex.LockAsync())
                {
                    await Future.Yield();
                }
            }

            await stage.Channel.Sender.SendAsync(1);
            _ = await stage.Channel.Receiver.ReceiveAsync();
        }
    }

    // In a method of its own: what is on the stack counts as held.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string[] Lose(TaskRuntime runtime, Action cleanedUp, int search, int kind)
    {
        string[] names = [$"lost {search} a", $"lost {search} b"];
        var tasks = new ManagedTask?[2];
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        for (int i = 0; i < 2; i++)
        {
            int other = 1 - i;
            tasks[i] = runtime.SpawnDetached(_ => LostAsync(tasks, other, gate.Task, cleanedUp, kind), names[i]);
        }

        gate.SetResult();
        return names;
    }

    private static async Task LostAsync(ManagedTask?[] tasks, int other, Task gate, Action cleanedUp, int kind)
    {
        try
        {
            await gate.ConfigureAwait(false);
            switch (kind)
            {
                case 0:
                    await tasks[other]!.AsTask().ConfigureAwait(false);
                    break;
                case 1:
                    await tasks[other]!;
                    break;
                default:
                    await new Notify().WaitAsync();
                    break;
            }
        }
        finally
        {
            cleanedUp();
        }
    }

    private sealed class Stage
    {
        public AsyncSemaphore Permits { get; } = new(3);

        public AsyncMutex Mutex { get; } = new();

        public AsyncChannel<int> Channel { get; } = new(2);

        public void ShouldBeWhole(string why)
        {
            Permits.Waiting.ShouldBe(0, why);
            Permits.Available.ShouldBe(3, why);
            Mutex.Waiting.ShouldBe(0, why);
            Mutex.TryLock(out _).ShouldBeTrue(why);
            Channel.Sender.Waiting.ShouldBe(0, why);
            Channel.Receiver.Waiting.ShouldBe(0, why);
        }
    }
}
