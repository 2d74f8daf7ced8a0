using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>Frames that one pump takes over from another: run once, counted once, and kept by neither.</summary>
public sealed class StealingTests
{
    private const int Many = 100;
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task B4_neither_who_took_frames_over_nor_who_lost_them_keeps_the_tasks_when_they_have_ended()
    {
        await using var runtime = new TaskRuntime();
        WeakReference[] tasks = SpawnBehindABlockedStep(runtime, kept: null);
        await UntilAsync(() => runtime.TakeCensus().IsEmpty);
        foreach (WeakReference task in tasks)
        {
            Garbage.ShouldBeGone(task);
        }

        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public async Task B4_twin_a_queue_that_keeps_what_was_taken_from_it_is_caught()
    {
        await using var runtime = new TaskRuntime();
        List<ManagedTask> kept = [];
        WeakReference[] tasks = SpawnBehindABlockedStep(runtime, kept);
        Twin.IsCaught(() => Garbage.ShouldBeGone(tasks[^1]), "still reachable");
        GC.KeepAlive(kept);
    }

    [Fact]
    public async Task C4_the_steps_of_pumps_that_were_sent_for_in_need_are_counted_when_they_have_gone()
    {
        await using var runtime = new TaskRuntime();
        using var release = new ManualResetEventSlim();
        int pumps = ((ThreadPoolExecutor)runtime.Executor).Pumps.Length;
        using var blocked = new CountdownEvent(pumps);
        ManagedTask[] blocking = [.. Enumerable.Range(0, pumps).Select(_ => runtime.SpawnDetached(_ =>
        {
            blocked.Signal();
            release.Wait(Failsafe);
            return ValueTask.CompletedTask;
        }))];
        blocked.Wait(Failsafe).ShouldBeTrue();

        // All pumps are stuck: only one that was sent for in need can run these.
        for (int i = 0; i < Many; i++)
        {
            await runtime.SpawnDetached(static async _ => await Future.Yield());
        }

        release.Set();
        foreach (ManagedTask task in blocking)
        {
            await task;
        }

        await UntilAsync(() => runtime.Executor.StepCount >= pumps + (2 * Many)); // until the pump in need has found nothing more to do
        runtime.Executor.StepCount.ShouldBe(pumps + (2 * Many));
    }

    // Waits for a state of the runtime that no event tells of, without sleeping; what is asserted then fails if it never comes.
    private static async Task UntilAsync(Func<bool> condition)
    {
        using var failsafe = new CancellationTokenSource(Failsafe, TimeProvider.System);
        while (!condition() && !failsafe.IsCancellationRequested)
        {
            await Task.Yield();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] SpawnBehindABlockedStep(TaskRuntime runtime, List<ManagedTask>? kept)
    {
        using var ended = new CountdownEvent(Many);
        WeakReference[]? tasks = null;
        runtime.Run(SpawnAndBlockAsync(runtime, ended, kept, spawned => tasks = spawned));
        return tasks!;
    }

    private static async Future SpawnAndBlockAsync(TaskRuntime runtime, CountdownEvent ended, List<ManagedTask>? kept, Action<WeakReference[]> spawned)
    {
        spawned(Spawn(runtime, ended, kept)); // into the queue of the pump that runs this
        ended.Wait(Failsafe).ShouldBeTrue();  // while it is stuck here, another one runs them
        await Future.Completed();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] Spawn(TaskRuntime runtime, CountdownEvent ended, List<ManagedTask>? kept)
    {
        var tasks = new WeakReference[Many];
        for (int i = 0; i < Many; i++)
        {
            ManagedTask task = runtime.SpawnDetached(async _ =>
            {
                await Future.Completed();
                ended.Signal();
            });
            tasks[i] = new WeakReference(task);
            kept?.Add(task);
        }

        return tasks;
    }
}
