using Moirai.Execution;

namespace Moirai.Diagnostics;

/// <summary>The runtimes of this process, for who asks from outside. Held weakly: being known keeps nothing alive.</summary>
internal static class RuntimeRoster
{
    private static readonly Lock s_gate = new();

    // Guarded by the gate.
    private static readonly List<WeakReference<Engine>> s_engines = [];
    private static int s_nextSweep = 16;

    internal static void Add(Engine engine)
    {
        lock (s_gate)
        {
            if (s_engines.Count >= s_nextSweep)
            {
                s_engines.RemoveAll(static weak => !weak.TryGetTarget(out _));
                s_nextSweep = Math.Max(16, s_engines.Count * 2);
            }

            s_engines.Add(new WeakReference<Engine>(engine));
        }
    }

    /// <summary>Those that have not been stopped, the oldest first.</summary>
    internal static List<Engine> Running() => Known().FindAll(static engine => !engine.IsStopped);

    /// <summary>All that are still there, the oldest first.</summary>
    internal static List<Engine> Known()
    {
        List<Engine> known = [];
        lock (s_gate)
        {
            foreach (WeakReference<Engine> weak in s_engines)
            {
                if (weak.TryGetTarget(out Engine? engine))
                {
                    known.Add(engine);
                }
            }
        }

        return known;
    }
}
