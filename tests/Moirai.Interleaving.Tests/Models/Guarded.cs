using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>What a lock guards: says so when two are there at a time.</summary>
internal sealed class Guarded
{
    private int _inside;

    public int Passed { get; private set; }

    public void Pass()
    {
        if (Atomics.Read(ref _inside) != 0)
        {
            Run.Fail("two are inside");
        }

        Atomics.Write(ref _inside, 1);
        Passed++;
        Atomics.Write(ref _inside, 0);
    }
}

/// <summary>Where continuations of plain code go: a thread of the model runs them.</summary>
internal sealed class ModelContext : SynchronizationContext
{
    private readonly Queue<Action> _ready = new();

    public override void Post(SendOrPostCallback d, object? state)
    {
        Run.Current?.LandAll(); // the lock of a real one is a fence
        _ready.Enqueue(() => d(state));
    }

    /// <summary>Begins plain code whose continuations come here, and runs it to its first wait.</summary>
    public Task Start(Func<Task> body)
    {
        SynchronizationContext? outer = Current;
        SetSynchronizationContext(this);
        try
        {
            return body();
        }
        finally
        {
            SetSynchronizationContext(outer);
        }
    }

    public void Work()
    {
        while (Run.WaitForWork("waits for a continuation", () => _ready.Count > 0))
        {
            _ready.Dequeue()();
        }
    }

    /// <returns>Whether there was anything.</returns>
    public bool RunReady()
    {
        bool any = false;
        while (_ready.TryDequeue(out Action? next))
        {
            any = true;
            next();
        }

        return any;
    }
}
