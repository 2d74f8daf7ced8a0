using Moirai.Execution;

namespace Moirai.Scopes;

/// <summary>The order of a shutdown: stop intake, drain, cancel, report.</summary>
internal static class RuntimeStop
{
    internal static async Task<StopReport> RunAsync(Engine engine, TimeSpan drain, TimeSpan cancel)
    {
        engine.IsStopped = true;
        engine.Root.StopIntake();

        using var clock = new Budget(engine.Provider);
        bool ended = await WaitEmptyAsync(engine, clock, drain).ConfigureAwait(false);
        if (!ended)
        {
            engine.Root.Cancel(Cancellation.Cause(CancelKind.RuntimeStopped, engine, null, $"runtime '{engine.Name}'"));
            ended = await WaitEmptyAsync(engine, clock, cancel).ConfigureAwait(false);
        }

        List<ManagedTask> left = engine.Root.CollectTasks();
        GroupTotals totals = engine.Root.TakeTotals();
        var report = new StopReport(
            engine.Name,
            totals.Counts.Completed,
            totals.Counts.Failed,
            totals.Counts.Canceled,
            [.. left.Where(static task => !task.IsEnded).Select(static task => new LeftTask(task.Id, task.Name, task.State, task.SpawnSite, task.DescribeWait()))]) { Abandoned = Abandonment.List(engine) };
        if (report.Left.Count > 0)
        {
            engine.Publish(new RuntimeEvent(RuntimeEventKind.StopIncomplete, report.ToString(), report.Left[0].Id));
        }
        else
        {
            engine.Timers.Dispose();
        }

        return report;
    }

    private static async Task<bool> WaitEmptyAsync(Engine engine, Budget clock, TimeSpan budget)
    {
        clock.Start(budget);
        while (engine.Root.FirstBusy() is { } busy)
        {
            // A local executor runs only when somebody drives it; while its runtime is stopped, that is who stops it.
            var local = engine.Executor as LocalExecutor;
            while (local is not null && local.TryRunSlice() && !clock.Over.IsCompleted)
            {
                await Task.Yield(); // somebody who spins must not keep the caller
            }

            if (busy.IsEmpty)
            {
                continue;
            }

            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var seat = new CallbackNode(() => ended.TrySetResult(), flowContext: false, captureSynchronization: false);
            busy.JoinEmpty(seat, armed: 0);
            await (local is null ? Task.WhenAny(ended.Task, clock.Over) : Task.WhenAny(ended.Task, clock.Over, local.NextArrival())).ConfigureAwait(false);
            busy.GiveUp(seat);
            if (clock.Over.IsCompleted)
            {
                local?.TryRunSlice();
                return engine.Root.FirstBusy() is null;
            }
        }

        return true;
    }

    /// <summary>A timer that leaves nothing behind: it is disposed with its owner.</summary>
    private sealed class Budget(TimeProvider provider) : IDisposable
    {
        // What the platform's timers can do, about 49 days; a longer budget is over then.
        private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

        private ITimer? _timer;
        private TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal Task Over => _over.Task;

        internal void Start(TimeSpan budget)
        {
            _timer?.Dispose();
            _over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (budget == TimeSpan.Zero)
            {
                _over.SetResult();
                return;
            }

            if (budget != Timeout.InfiniteTimeSpan)
            {
                _timer = provider.CreateTimer(static state => ((TaskCompletionSource)state!).TrySetResult(), _over, budget < s_longest ? budget : s_longest, Timeout.InfiniteTimeSpan);
            }
        }

        public void Dispose() => _timer?.Dispose();
    }
}
