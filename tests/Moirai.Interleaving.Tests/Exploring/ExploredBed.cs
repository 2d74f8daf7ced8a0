using System.Runtime.CompilerServices;

namespace Moirai.Interleaving.Exploring;

/// <summary>The lock on which threads sleep, as the explorer has it: a thread that waits for it gives its turn away, and a sleep is over when somebody calls, or when all the others
/// cannot go on either.</summary>
internal sealed class ExploredBed
{
    // Who holds the lock; a thread that belongs to no run needs none.
    private object? _holder;

    // Grows with each call.
    private int _calls;

    /// <summary>What one run has left on a shelf would change the next.</summary>
    public static bool ReusesFrames => false;

    public Held Enter([CallerMemberName] string member = "", [CallerFilePath] string file = "")
    {
        if (Run.Current is not { } run)
        {
            return default;
        }

        string site = $"{Path.GetFileNameWithoutExtension(file)}.{member}";
        run.Step($"locks in {site}");
        run.LandAll();
        if (run.IsMutated(Flaw.NoLock, site))
        {
            run.EndStep();
            return default;
        }

        if (_holder is not null)
        {
            Run.WaitUntil($"waits for the lock in {site}", () => _holder is null);
        }

        _holder = run;
        return new Held(this, run);
    }

    public bool Sleep(int milliseconds)
    {
        Run run = Run.Current ?? throw new InvalidOperationException("Only a thread of a model can sleep.");
        run.Step("goes to bed");
        object? holder = _holder;
        _holder = null;
        int calls = _calls;
        run.SleepUntil("sleeps", milliseconds, () => _calls != calls);
        bool called = _calls != calls;
        if (holder is not null)
        {
            if (_holder is not null)
            {
                Run.WaitUntil("waits for the lock after its sleep", () => _holder is null);
            }

            _holder = holder;
        }

        run.EndStep();
        return called;
    }

    public void Call() => _calls++;

    /// <summary>A thread of the model plays it, see <see cref="Run.Started"/>.</summary>
    public static Thread StartThread(string name, int stackSize, Action<object?> run, object state)
    {
        if (Run.Current!.FailsNextStart)
        {
            Run.Current.FailsNextStart = false;
            throw new InsufficientExecutionStackException("no more threads");
        }

        Run.Current.Started.Enqueue(() => run(state));
        return new Thread(new ParameterizedThreadStart(run), stackSize) { IsBackground = true, Name = name };
    }

    internal readonly ref struct Held(ExploredBed bed, Run run)
    {
        public void Dispose()
        {
            if (bed is not null)
            {
                run.LandAll();
                bed._holder = null;
            }
        }
    }
}
