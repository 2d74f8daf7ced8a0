using System.Runtime.CompilerServices;
using Moirai.Ground;

namespace Moirai.Execution;

/// <summary>A thread that looks every few milliseconds whether a pump is stuck in one step while frames wait behind it.</summary>
/// <remarks>One for the process, started when the first executor has work, ended when all have been idle for a while. It holds no executor: one that has
/// work is held by the threads that do it, and one that merely becomes unreachable is collected.</remarks>
internal static class PumpMonitor
{
    private const int PeriodMilliseconds = 10;
    private const int IdleRoundsBeforeUnwatching = 100;

    private static readonly Lock s_gate = new();

    // Under the gate.
    private static readonly List<Watched> s_watched = [];
    private static bool s_running;

    internal static void Watch(ThreadPoolExecutor executor)
    {
        lock (s_gate)
        {
            s_watched.Add(new Watched(executor));
            if (!s_running)
            {
                s_running = true;
                var thread = new Thread(Run) { IsBackground = true, Name = "Moirai monitor" };
                thread.UnsafeStart();
            }
        }
    }

    private static void Run()
    {
        while (true)
        {
            Clock.Pause(PeriodMilliseconds);
            Watched[] round;
            lock (s_gate)
            {
                if (s_watched.Count == 0)
                {
                    s_running = false;
                    return;
                }

                round = [.. s_watched];
            }

            foreach (Watched watched in round)
            {
                Look(watched);
            }
        }
    }

    // Its own method: no executor is left on the stack of the thread while that sleeps.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Look(Watched watched)
    {
        if (watched.Executor is { } executor)
        {
            watched.IdleRounds = executor.Inspect() ? 0 : watched.IdleRounds + 1;
            if (watched.IdleRounds <= IdleRoundsBeforeUnwatching)
            {
                return;
            }
        }

        lock (s_gate)
        {
            s_watched.Remove(watched);
        }

        if (watched.Executor is { } idle && idle.EndWatch())
        {
            Watch(idle);
        }
    }

    private sealed class Watched(ThreadPoolExecutor executor)
    {
        private readonly WeakReference<ThreadPoolExecutor> _executor = new(executor);

        internal ThreadPoolExecutor? Executor => _executor.TryGetTarget(out ThreadPoolExecutor? target) ? target : null;

        internal int IdleRounds { get; set; }
    }
}
