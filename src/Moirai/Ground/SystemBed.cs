namespace Moirai.Ground;

/// <summary>A lock on which a thread can sleep until it is called: the platform's monitor. The second seam, for the few places where a thread of our own sleeps.</summary>
internal sealed class SystemBed
{
    private readonly object _monitor = new();

    /// <summary>Whether frames serve several calls. They do not where interleavings are explored: each run begins with nothing.</summary>
    public static bool ReusesFrames => true;

    /// <summary>Takes the lock. Dispose of what comes back, to leave.</summary>
    public Held Enter()
    {
        Monitor.Enter(_monitor);
        return new Held(_monitor);
    }

    /// <summary>Lets go of the lock, sleeps, and takes the lock again. For who holds it.</summary>
    /// <param name="milliseconds">How long at most; <see cref="Timeout.Infinite"/> until called.</param>
    /// <returns>False when nobody called.</returns>
    public bool Sleep(int milliseconds) => Monitor.Wait(_monitor, milliseconds);

    /// <summary>Wakes all who sleep now. For who holds the lock.</summary>
    public void Call() => Monitor.PulseAll(_monitor);

    /// <summary>Starts a background thread for somebody who will sleep here. The execution context of the caller is not kept alive.</summary>
    public static Thread StartThread(string name, int stackSize, Action<object?> run, object state)
    {
        var thread = new Thread(new ParameterizedThreadStart(run), stackSize) { IsBackground = true, Name = name };
        thread.UnsafeStart(state);
        return thread;
    }

    /// <summary>The lock, taken.</summary>
    internal readonly ref struct Held(object monitor)
    {
        public void Dispose() => Monitor.Exit(monitor);
    }
}
