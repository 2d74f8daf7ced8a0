using System.Runtime.CompilerServices;
using Moirai.Leaks;

namespace Moirai.Tests.Shutdown;

/// <summary>Row B5: a stop keeps its times although code of the user's keeps a thread for ever: a callback of a token, a plain clean-up, a finalizer.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class HangingStopTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(30);

    private readonly TimeSpan _usual = LeakScan.FinalizersMayTake;
    private readonly ManualResetEventSlim _never = new();
    private readonly World _world = new();

    public void Dispose()
    {
        _never.Set(); // not disposed: threads that are let go now still come by
        LeakScan.FinalizersMayTake = _usual;
    }

    [Fact]
    public async Task B5_APlainCleanUpThatKeepsItsThreadDoesNotKeepTheStopWhichHasHealedIt()
    {
        Lose();
        StopReport report = await EndOfAsync(_world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero, 5 * Second), () => _world.Trace.Length > 0 && _world.Census.Live == 1);
        report.Leaks.Count.ShouldBe(2);
        report.Left.ShouldHaveSingleItem().Name.ShouldBe("keeps its thread");
        _world.Trace.ShouldBe(["the other has cleaned up"]);
        _never.Set();
        Eventually.Is(IsEmpty, Failsafe).ShouldBeTrue();
    }

    [Fact]
    public async Task B5_ACallbackThatKeepsItsThreadKeepsNeitherTheStopNorTheOtherTasks()
    {
        ManagedTask keeping = _world.Start(
            async token =>
            {
                _ = ManagedTask.CurrentToken.UnsafeRegister(static never => ((ManualResetEventSlim)never!).Wait(CancellationToken.None), _never);
                await Future.Delay(TimeSpan.FromHours(1));
            },
            "keeps the canceller");
        ManagedTask[] others = [.. Enumerable.Range(0, 5).Select(i => _world.Start(static async token =>
        {
            using CancellationTokenRegistration told = token.UnsafeRegister(static _ => { }, null);
            await Future.Delay(TimeSpan.FromHours(1));
        }))];
        StopReport report = await EndOfAsync(_world.Runtime.StopAsync(TimeSpan.Zero, 5 * Second), static () => true);
        report.Left.ShouldBeEmpty();
        others.ShouldAllBe(static task => task.State == TaskState.Canceled);
        keeping.State.ShouldBe(TaskState.Canceled, "its wait is one of ours, and needs no token");
    }

    [Fact]
    public async Task B5_AFinalizerThatNeverReturnsKeepsTheSearchNoLongerThanItsTime()
    {
        LeakScan.FinalizersMayTake = TimeSpan.FromMilliseconds(300);
        var held = new TaskCompletionSource();
        _ = _world.Runtime.SpawnDetached(AwaitAsync(held.Task), "deaf");
        _world.Run();
        LeaveBlockingFinalizer();
        await Should.ThrowAsync<TimeoutException>(_world.Runtime.FindLeaksAsync());

        LeaveBlockingFinalizer();
        StopReport report = await EndOfAsync(_world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero, 5 * Second), static () => true);
        report.Left.ShouldHaveSingleItem().Name.ShouldBe("deaf");
        _world.Events.ShouldContain(static e => e.Kind == RuntimeEventKind.UnobservedFailure && e.Message.Contains("finalizers", StringComparison.Ordinal));

        // Everybody holds on again, and the next search is not in the way of this one.
        _never.Set();
        GC.WaitForPendingFinalizers();
        held.SetResult();
        Eventually.Is(IsEmpty, Failsafe).ShouldBeTrue();
        (await new World().Runtime.FindLeaksAsync()).IsClean.ShouldBeTrue();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LeaveBlockingFinalizer() => _ = new Blocking(_never);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Lose()
    {
        _ = _world.Runtime.SpawnDetached(
            async Task (_) =>
            {
                try
                {
                    await Lost().ConfigureAwait(false);
                }
                finally
                {
                    _never.Wait(CancellationToken.None);
                }
            },
            "keeps its thread");
        _ = _world.Runtime.SpawnDetached(
            async Task (_) =>
            {
                try
                {
                    await Lost().ConfigureAwait(false);
                }
                finally
                {
                    _world.Log("the other has cleaned up");
                }
            },
            "other");
        _world.Run();
    }

    private static Task Lost() => new TaskCompletionSource().Task;

    private static async Future AwaitAsync(Task what) => await what;

    private bool IsEmpty()
    {
        _world.Run();
        return _world.Census.Live == 0;
    }

    // Lets the clock of the world go on, once what comes by way of the thread pool has come, until the stop is over. A stop that hangs fails here.
    private async Task<StopReport> EndOfAsync(Task<StopReport> stop, Func<bool> mayGoOn)
    {
        Eventually.Is(
            () =>
            {
                if (mayGoOn() && _world.Time.NextTimerIn is { } next && next < TimeSpan.FromMinutes(1))
                {
                    _world.Time.Advance(next);
                }

                return stop.IsCompleted;
            },
            Failsafe).ShouldBeTrue("the stop hangs");
        return await stop;
    }

    private sealed class Blocking(ManualResetEventSlim never)
    {
        ~Blocking() => never.Wait(CancellationToken.None);
    }
}
