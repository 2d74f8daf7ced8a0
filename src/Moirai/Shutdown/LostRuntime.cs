using Moirai.Execution;
using Moirai.Leaks;

namespace Moirai.Shutdown;

/// <summary>Notices that a runtime was lost: neither it nor anything that could wake one of its tasks can be reached any more, and nobody has stopped it.</summary>
/// <remarks>
/// The engine alone holds it, so the collector finds it when it finds the engine, with all that the suspended tasks have captured. .NET would let all of that go in silence. Here the finalizer has the runtime stopped as its dispose would have: tasks
/// are canceled, their clean-up runs, and then the collector may have them. One finalizable object a runtime; tasks pay nothing.
/// </remarks>
internal sealed class LostRuntime(Engine engine, StopBudgets budgets) : IDisposable
{
    ~LostRuntime()
    {
        if (!engine.IsStopped && !Environment.HasShutdownStarted)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static lost => lost.Stop(), this, preferLocal: false);
        }
    }

    /// <summary>What looks for leaks now and then; null where nobody has asked for it. Set once, by the roof.</summary>
    internal LeakWatch? Watch { get; init; }

    /// <summary>What raises alarms; null where nobody has asked for it. Only held here, so that it lives as long as the engine. Set once, by the roof.</summary>
    internal object? Watchdog { get; set; }

    /// <summary>Somebody stops the runtime in the orderly way.</summary>
    public void Dispose()
    {
        Watch?.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Stop()
    {
        List<ManagedTask> left = engine.Root.CollectTasks();
        if (left.Count == 0)
        {
            return; // nothing was left behind, so there is nothing to tell
        }

        ManagedTask first = left[0];
        engine.Publish(new RuntimeEvent(
            RuntimeEventKind.RuntimeLost,
            $"Runtime '{engine.Name}' was never disposed, and nobody holds it any more, nor anything that could wake one of its {left.Count} tasks (the first is {first.Title}, spawned at {first.SpawnSite}). "
            + "They are canceled now, so that their clean-up runs. Dispose runtimes",
            first.Id));
        left.Clear();
        _ = RuntimeStop.RunAsync(engine, budgets with { Drain = TimeSpan.Zero });
    }
}
