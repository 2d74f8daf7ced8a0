using System.Runtime.InteropServices;
using Moirai.Execution;

namespace Moirai.Leaks;

/// <summary>Looks for leaks after collections of the oldest generation that happen anyway.</summary>
/// <remarks>
/// A small object with a finalizer, which nobody holds and which registers itself anew, tells of each such collection: it grows old itself, and is then finalized by those alone. Collections that searches ask for
/// are not natural and start nothing. The object holds the watch weakly, and the engine holds the watch, so a runtime that is lost is lost with it.
/// </remarks>
internal sealed class LeakWatch : IDisposable
{
    private readonly Engine _engine;
    private readonly LeakPolicy _policy;
    private readonly TimeSpan _pause;
    private readonly WeakReference<Bell> _bell; // only for a look whether it is gone

    // What was told before, and is not told again. Used by one search at a time.
    private readonly HashSet<TaskId> _told = [];

    // 1 while a search goes on. Interlocked.
    private int _searching;
    private volatile bool _disposed;

    // Written by who has set _searching.
    private long _lastSearch;
    private int _natural;

    internal LeakWatch(Engine engine, LeakPolicy policy, TimeSpan pause)
    {
        _engine = engine;
        _policy = policy;
        _pause = pause;
        _natural = LeakScan.NaturalCollections;
        _lastSearch = engine.Provider.GetTimestamp();
        _bell = new WeakReference<Bell>(new Bell(this), trackResurrection: true);
    }

    /// <summary>How many searches have ended.</summary>
    internal int Searches { get; private set; }

    /// <summary>What rings after collections, for a look whether it is gone.</summary>
    internal WeakReference<Bell> BellForTests => _bell;

    /// <summary>Ends the watch. A search that goes on is not waited for.</summary>
    public void Dispose() => _disposed = true; // the bell goes with the next collection, which finds nobody who wants to hear of it

    /// <summary>There was a collection. Called by the finalizer's thread.</summary>
    /// <returns>False when nobody wants to hear of the next one.</returns>
    private bool Ring()
    {
        if (_disposed || Environment.HasShutdownStarted)
        {
            return false;
        }

        int natural = LeakScan.NaturalCollections;
        if (natural > _natural && _engine.Provider.GetElapsedTime(_lastSearch) >= _pause && Interlocked.Exchange(ref _searching, 1) == 0)
        {
            _natural = natural;
            ThreadPool.UnsafeQueueUserWorkItem(static watch => _ = watch.SearchAsync(), this, preferLocal: false);
        }

        return true;
    }

    private async Task SearchAsync()
    {
        try
        {
            await LeakScan.RunAsync(_engine, _engine.Root, _policy, _told).ConfigureAwait(false);
        }
        catch (Exception error) // nobody awaits a search that was not asked for
        {
            _engine.Publish(new RuntimeEvent(RuntimeEventKind.UnobservedFailure, $"The leak watch of runtime '{_engine.Name}' failed: {error.Message}", default, error));
        }

        _lastSearch = _engine.Provider.GetTimestamp();
        Searches++;
        Volatile.Write(ref _searching, 0);
    }

    /// <summary>Rings after collections of the oldest generation, once it has grown old.</summary>
    internal sealed class Bell(LeakWatch watch)
    {
        // A handle of its own: a WeakReference has a finalizer too, which may have run by the time of ours. Freed by the last ring.
        private GCHandle _watch = GCHandle.Alloc(watch, GCHandleType.Weak);

        ~Bell()
        {
            if (_watch.Target is LeakWatch watch && watch.Ring())
            {
                GC.ReRegisterForFinalize(this);
            }
            else
            {
                _watch.Free();
            }
        }
    }
}
