using Moirai.Execution;
using Moirai.Ground;

namespace Moirai.Alarms;

/// <summary>Raises the alarms of one engine: looks, judges, keeps the book, tells.</summary>
/// <remarks>Safe from any thread; one look at a time. The engine holds it, and it the engine; who has it look now and then holds it weakly, so a runtime that is lost is lost with it.</remarks>
internal sealed class Watchdog : IDisposable
{
    // Looking must not cost more than a hundredth of one processor.
    private const int RestPerWork = 99;

    private readonly Engine _engine;
    private readonly AlarmLimits _limits;
    private readonly Lock _gate = new();

    // Under the gate.
    private readonly WatchGatherer _gatherer;
    private readonly AlarmBook _book;

    // Replaced as a whole, under the gate.
    private Action<Alarm>[] _subscribers;
    private ITimer? _timer;

    // How long the look before took, in milliseconds. Of who looks; two who look at once may lose one.
    private long _tookBefore;
    private volatile bool _disposed;

    internal Watchdog(Engine engine, AlarmLimits limits)
    {
        _engine = engine;
        _limits = limits;
        _gatherer = new WatchGatherer(engine, limits);
        _book = new AlarmBook(limits.RepeatAfter);
        _subscribers = limits.OnAlarm is { } first ? [first] : [];
    }

    /// <summary>Where what a subscriber throws goes.</summary>
    internal required Action<Exception> OnFault { get; init; }

    /// <summary>From one look to the next at the least, in milliseconds.</summary>
    internal int Every => (int)Math.Min(int.MaxValue, _limits.Every.TotalMilliseconds);

    internal bool IsDisposed => _disposed;

    /// <summary>The alarms that are there.</summary>
    internal List<Alarm> Open
    {
        get
        {
            lock (_gate)
            {
                return _book.Open;
            }
        }
    }

    /// <summary>Has the dog look from now on: by the thread under the system clock, else by the provider's timer.</summary>
    internal void Begin()
    {
        if (ReferenceEquals(_engine.Provider, TimeProvider.System))
        {
            WatchdogThread.Watch(this);
        }
        else
        {
            _timer = _engine.Provider.CreateTimer(
                static weak => ((WeakReference<Watchdog>)weak!).Target()?.Look(), new WeakReference<Watchdog>(this), _limits.Every, _limits.Every);
        }
    }

    /// <summary>Looks once, and tells what is new.</summary>
    /// <returns>How long to rest, in milliseconds.</returns>
    internal int Look()
    {
        long began = Clock.CoarseMilliseconds;
        List<Alarm> told;
        Action<Alarm>[] subscribers;
        lock (_gate)
        {
            if (_disposed)
            {
                return Every;
            }

            told = _book.Take(AlarmRules.Judge(_gatherer.Look()), _engine.Provider.GetUtcNow(), new TimeSpan(_engine.Timers.Now));
            subscribers = _subscribers;
        }

        foreach (Alarm alarm in told)
        {
            Tell(alarm, subscribers);
        }

        // The first look pays for much that later ones find done (code is compiled, symbols are read): it must not put off the second by a hundred times that.
        long took = Clock.CoarseMilliseconds - began;
        long usual = Math.Min(took, _tookBefore);
        _tookBefore = took;
        return (int)Math.Max(Every, Math.Min(int.MaxValue, usual * RestPerWork));
    }

    internal IDisposable Subscribe(Action<Alarm> subscriber)
    {
        lock (_gate)
        {
            _subscribers = [.. _subscribers, subscriber];
        }

        return new Subscription(this, subscriber);
    }

    /// <summary>Looks no more. What was there is told as over: nobody would ever say so.</summary>
    public void Dispose()
    {
        List<Alarm> over;
        Action<Alarm>[] subscribers;
        lock (_gate)
        {
            _disposed = true;
            over = _book.Take([], default, default);
            subscribers = _subscribers;
            _subscribers = [];
        }

        _timer?.Dispose();
        foreach (Alarm alarm in over)
        {
            Tell(alarm, subscribers);
        }
    }

    private void Tell(Alarm alarm, Action<Alarm>[] subscribers)
    {
        _engine.Publish(new RuntimeEvent(alarm.Phase == AlarmPhase.Cleared ? RuntimeEventKind.AlarmCleared : RuntimeEventKind.Alarm, alarm.ToString(), alarm.Task) { Subject = alarm });
        if (alarm is { Phase: AlarmPhase.Raised, Kind: AlarmKind.BlockedTooLong or AlarmKind.WorkerHeld, Task.Value: not 0 })
        {
            LifeProbe.Current?.NoteLongWait(_engine, alarm.Task, alarm.Kind == AlarmKind.WorkerHeld, alarm.ToString());
        }

        foreach (Action<Alarm> subscriber in subscribers)
        {
            try
            {
                subscriber(alarm);
            }
            catch (Exception error) // a watcher's fault must not reach the others, nor end the watch
            {
                OnFault(error);
            }
        }
    }

    private sealed class Subscription(Watchdog dog, Action<Alarm> subscriber) : IDisposable
    {
        private int _over;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _over, 1) != 0)
            {
                return;
            }

            lock (dog._gate)
            {
                var left = dog._subscribers.ToList();
                left.Remove(subscriber);
                dog._subscribers = [.. left];
            }
        }
    }
}

/// <summary>Has watchdogs look, from a thread of its own: also while the thread pool is starved. One for the process; it ends when there is no watchdog any more.</summary>
internal static class WatchdogThread
{
    private const int LongestPause = 500;
    private const int StackSize = 1024 * 1024;

    private static readonly Lock s_gate = new();

    // Under the gate.
    private static readonly List<Watched> s_watched = [];
    private static bool s_running;

    internal static void Watch(Watchdog dog)
    {
        lock (s_gate)
        {
            s_watched.Add(new Watched(dog));
            if (!s_running)
            {
                s_running = true;
                Bed.StartThread("Moirai watchdog", StackSize, static _ => Run(), s_watched);
            }
        }
    }

    private static void Run()
    {
        while (true)
        {
            Watched[] round;
            lock (s_gate)
            {
                s_watched.RemoveAll(static watched => watched.IsOver);
                if (s_watched.Count == 0)
                {
                    s_running = false;
                    return;
                }

                round = [.. s_watched];
            }

            int pause = LongestPause;
            foreach (Watched watched in round)
            {
                pause = Math.Min(pause, watched.LookIfDue());
            }

            Clock.Pause(Math.Max(1, pause));
        }
    }

    private sealed class Watched(Watchdog dog)
    {
        private readonly WeakReference<Watchdog> _dog = new(dog);
        private long _due = Clock.CoarseMilliseconds + dog.Every;

        internal bool IsOver => _dog.Target() is null or { IsDisposed: true };

        /// <summary>Looks when it is time.</summary>
        /// <returns>In how many milliseconds it will be.</returns>
        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)] // no watchdog is left on the stack while the thread sleeps
        internal int LookIfDue()
        {
            long left = _due - Clock.CoarseMilliseconds;
            if (left <= 0 && _dog.Target() is { } dog)
            {
                left = dog.Look();
                _due = Clock.CoarseMilliseconds + left;
            }

            return (int)Math.Clamp(left, 1, int.MaxValue);
        }
    }
}

/// <summary>Weak references, read in one word.</summary>
internal static class Weak
{
    internal static T? Target<T>(this WeakReference<T> weak)
        where T : class => weak.TryGetTarget(out T? target) ? target : null;
}
