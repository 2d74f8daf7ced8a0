using Moirai.Execution;
using Moirai.Leaks;
using Moirai.Stories;

namespace Moirai.Shutdown;

/// <summary>How long each part of a stop may take, and what it does about leaks.</summary>
/// <param name="Drain">Tasks may end by themselves.</param>
/// <param name="Cancel">Canceled tasks may end.</param>
/// <param name="Abandon">Tasks that were proved to be leaked, and resumed, may end; what is left then is abandoned.</param>
/// <param name="Leaks">What is done about tasks that neither end nor can be canceled since nothing can wake them; null: nobody looks.</param>
/// <param name="Drained">Ends the draining before its time.</param>
internal readonly record struct StopBudgets(TimeSpan Drain, TimeSpan Cancel, TimeSpan Abandon, LeakPolicy? Leaks, CancellationToken Drained = default);

/// <summary>The order of a shutdown: stop intake, drain, cancel, prove and heal what can never end, abandon the rest, report.</summary>
internal static class RuntimeStop
{
    // How long what was resumed may take before the next search, in the first round; each round doubles it, so they are few.
    private static readonly TimeSpan s_firstRound = TimeSpan.FromMilliseconds(50);

    // How long the callbacks of tokens may take, in real time, before the tasks that they end are waited for: a stop that gives canceled tasks no time has told them all the same.
    private static readonly TimeSpan s_callbacks = TimeSpan.FromSeconds(1);

    internal static async Task<StopReport> RunAsync(Engine engine, StopBudgets budgets)
    {
        engine.IsStopped = true;
        engine.Root.StopIntake();

        using var clock = new Budget(engine.Provider);
        long before = Ended(engine);
        bool ended = await DrainAsync(engine, clock, budgets).ConfigureAwait(false);
        long drained = Ended(engine);
        long interrupted = 0;
        IReadOnlyList<LeakedTask> leaks = [];
        if (!ended)
        {
            await CancelAsync(engine).ConfigureAwait(false);
            ended = await WaitEmptyAsync(engine, clock, budgets.Cancel).ConfigureAwait(false);
            interrupted = Ended(engine) - drained;
            if (!ended && budgets.Leaks is { } policy)
            {
                leaks = await HealAsync(engine, clock, budgets.Abandon, policy).ConfigureAwait(false);
            }
        }

        StopReport report = Report(engine, leaks, drained - before, interrupted);
        engine.IsReported = true;
        return report;
    }

    private static async Task<bool> DrainAsync(Engine engine, Budget clock, StopBudgets budgets)
    {
        clock.Start(budgets.Drain);
        using CancellationTokenRegistration early = budgets.Drained.UnsafeRegister(static clock => ((Budget)clock!).End(), clock);
        return await WaitAsync(engine, clock.Over, new Emptiness(engine)).ConfigureAwait(false);
    }

    // Callbacks run on the thread pool; those that keep their thread go on, and nobody waits for them.
    private static async Task CancelAsync(Engine engine)
    {
        var deliveries = new TokenDeliveries();
        engine.Deliveries = deliveries;
        engine.Root.Cancel(Cancellation.Cause(CancelKind.RuntimeStopped, engine, null, $"runtime '{engine.Name}'"));
        using var patience = new Budget(TimeProvider.System);
        patience.Start(s_callbacks);
        await Task.WhenAny(deliveries.Close(), patience.Over).ConfigureAwait(false);
    }

    private static StopReport Report(Engine engine, IReadOnlyList<LeakedTask> leaks, long drained, long interrupted)
    {
        int unobserved = engine.Unseen.TellAll("before the runtime stopped");
        List<ManagedTask> left = engine.Root.CollectTasks();
        GroupTotals totals = engine.Root.TakeTotals();
        var report = new StopReport(
            engine.Name,
            totals.Counts.Completed,
            totals.Counts.Failed,
            totals.Counts.Canceled,
            [.. left.Where(static task => !task.IsEnded).Select(static task => OfLeft(task))])
        {
            Drained = drained,
            Interrupted = interrupted,
            Leaks = leaks,
            Unobserved = unobserved,
            Abandoned = Abandonment.List(engine),
        };
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

    private static LeftTask OfLeft(ManagedTask task) => new(
        task.Id, task.Name, task.State, task.SpawnSite, TaskStory.Frames(task), task.DescribeWait(), TaskStory.Waited(task), TaskStory.Holdings(task));

    private static long Ended(Engine engine)
    {
        GroupCounts counts = engine.Root.TakeTotals().Counts;
        return counts.Completed + counts.Failed + counts.Canceled;
    }

    /// <summary>Looks for what can never end, and waits for what was resumed; then looks again, as long as some of that has not ended and time is left. A clean-up may wait for something that was lost, too, and what ends may
    /// have been the last to hold what another waits for.</summary>
    private static async Task<IReadOnlyList<LeakedTask>> HealAsync(Engine engine, Budget clock, TimeSpan abandon, LeakPolicy policy)
    {
        var told = new HashSet<TaskId>();
        List<LeakedTask> leaks = [];
        using var round = new Budget(engine.Provider);
        TimeSpan patience = s_firstRound;
        HashSet<TaskId> resumed = [];
        bool over = false;
        clock.Start(abandon);
        while (!over && await SearchAsync(engine, policy, told).ConfigureAwait(false) is { } found)
        {
            leaks.AddRange(found.Leaks.Where(leak => !leaks.Exists(known => known.Id == leak.Id)));
            resumed.UnionWith(found.Leaks.Where(static leak => leak.Remedy is LeakRemedy.Resumed or LeakRemedy.ResumedPartly or LeakRemedy.Awaits).Select(static leak => leak.Id));
            List<ManagedTask> tasks = engine.Root.CollectTasks();
            tasks.RemoveAll(task => !resumed.Contains(task.Id) || task.HasLeft);
            if (tasks.Count == 0 && found.Leaks.All(leak => !resumed.Contains(leak.Id)))
            {
                break; // what is left, if anything is, waits for what is not lost
            }

            round.Start(patience);
            patience *= 2;
            await WaitAsync(engine, Task.WhenAny(clock.Over, round.Over), new Ends(tasks)).ConfigureAwait(false);
            over = clock.Over.IsCompleted || engine.Root.FirstBusy() is null;
        }

        leaks.Sort(static (one, other) => one.Id.CompareTo(other.Id));
        return leaks;
    }

    /// <returns>Null when the finalizers of the process do not get done; that was told.</returns>
    private static async Task<LeakReport?> SearchAsync(Engine engine, LeakPolicy policy, HashSet<TaskId> told)
    {
        try
        {
            return await LeakScan.RunAsync(engine, engine.Root, policy, told).ConfigureAwait(false);
        }
        catch (TimeoutException error)
        {
            engine.Publish(new RuntimeEvent(RuntimeEventKind.UnobservedFailure, $"The stop of runtime '{engine.Name}' has not looked for leaks: {error.Message}", default, error));
            return null;
        }
    }

    private static Task<bool> WaitEmptyAsync(Engine engine, Budget clock, TimeSpan budget)
    {
        clock.Start(budget);
        return WaitAsync(engine, clock.Over, new Emptiness(engine));
    }

    private static async Task<bool> WaitAsync(Engine engine, Task over, Awaited awaited)
    {
        while (!awaited.IsThere)
        {
            // A local executor runs only when somebody drives it; while its runtime is stopped, that is who stops it.
            var local = engine.Executor as LocalExecutor;
            while (local is not null && local.TryRunSlice() && !over.IsCompleted)
            {
                await Task.Yield(); // somebody who spins must not keep the caller
            }

            if (awaited.IsThere)
            {
                break;
            }

            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var seat = new CallbackNode(() => ended.TrySetResult(), flowContext: false, captureSynchronization: false);
            awaited.Join(seat);
            await (local is null ? Task.WhenAny(ended.Task, over) : Task.WhenAny(ended.Task, over, local.NextArrival())).ConfigureAwait(false);
            awaited.GiveUp(seat);
            if (over.IsCompleted)
            {
                local?.TryRunSlice();
                return awaited.IsThere;
            }
        }

        return true;
    }

    /// <summary>What a stop waits for, one step after the other.</summary>
    private abstract class Awaited
    {
        /// <summary>Whether it has come. Looks for what is to be joined next.</summary>
        internal abstract bool IsThere { get; }

        internal abstract void Join(CallbackNode seat);

        internal abstract void GiveUp(CallbackNode seat);
    }

    /// <summary>Nothing lives here any more.</summary>
    private sealed class Emptiness(Engine engine) : Awaited
    {
        private TaskGroup? _busy;

        internal override bool IsThere => (_busy = engine.Root.FirstBusy()) is null;

        internal override void Join(CallbackNode seat) => _busy!.JoinEmpty(seat, armed: 0);

        internal override void GiveUp(CallbackNode seat) => _busy!.GiveUp(seat);
    }

    /// <summary>These tasks have ended.</summary>
    private sealed class Ends(List<ManagedTask> tasks) : Awaited
    {
        private ManagedTask? _next;

        internal override bool IsThere => (_next = tasks.Find(static task => !task.HasLeft)) is null;

        internal override void Join(CallbackNode seat) => _next!.Join(seat, armed: 0);

        internal override void GiveUp(CallbackNode seat) => ((Wakers.IWaitQueue)_next!).Remove(seat);
    }

    /// <summary>A timer that leaves nothing behind: it is disposed with its owner.</summary>
    private sealed class Budget(TimeProvider provider) : IDisposable
    {
        // What the platform's timers can do, about 49 days; a longer budget is over then.
        private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

        private ITimer? _timer;
        private TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal Task Over => _over.Task;

        internal void End() => _over.TrySetResult();

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
