using Microsoft.Extensions.Logging;
using Moirai.Dashboard.Frames;

namespace Moirai.Dashboard.Watching;

/// <summary>What all observers share.</summary>
/// <param name="Interval">From look to look, at the least.</param>
/// <param name="MaxWatchers">How many may watch one runtime.</param>
/// <param name="AllowsCommands">Whether the page offers commands.</param>
/// <param name="Time">The clock of the looks.</param>
/// <param name="Stopping">The host stops, and with it every stream.</param>
internal sealed record ObserverSettings(TimeSpan Interval, int MaxWatchers, bool AllowsCommands, TimeProvider Time, CancellationToken Stopping);

/// <summary>Looks at one runtime for all who watch it: one look for all of them, none when there are none.</summary>
/// <remarks>The looks are a loop on the thread pool. It begins with the first watcher and ends at the first look that nobody waits for; until then who comes again is shown the last frame, and causes no look of his own.</remarks>
internal sealed partial class Observer
{
    /// <summary>Between two looks the tasks of the sample are looked at this often.</summary>
    internal static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(100);

    // Frames list fewer; the rest is there for who filters.
    private const int MostRows = 2_000;
    private const int MostTasks = 400;

    private readonly Lock _gate = new();
    private readonly ObserverSettings _settings;
    private readonly ILogger _log;

    // Guarded by the gate.
    private readonly List<Watcher> _watchers = [];
    private bool _isLooking;
    private byte[]? _lastFrame;
    private RuntimeSnapshot? _lastSnapshot;
    private long _looks;

    internal Observer(string key, TaskRuntime runtime, ObserverSettings settings, ILogger log)
    {
        (Key, Runtime, _settings, _log) = (key, runtime, settings, log);
        Findings = new Findings(runtime);
        Questions = new Turnstile(settings.Time, settings.Interval);
        Handles = new Handles(runtime, new Turnstile(settings.Time, TimeSpan.Zero));
    }

    internal string Key { get; }

    internal TaskRuntime Runtime { get; }

    internal Findings Findings { get; }

    /// <summary>Through which whole snapshots go that are no frames.</summary>
    internal Turnstile Questions { get; }

    internal Handles Handles { get; }

    /// <summary>How many looks were taken, ever.</summary>
    internal long Looks => Interlocked.Read(ref _looks);

    internal int WatcherCount
    {
        get
        {
            lock (_gate)
            {
                return _watchers.Count;
            }
        }
    }

    /// <summary>Whether anything of it is still there: a loop, a frame, a snapshot.</summary>
    internal bool IsIdle
    {
        get
        {
            lock (_gate)
            {
                return !_isLooking && _lastFrame is null && _lastSnapshot is null && _watchers.Count == 0;
            }
        }
    }

    /// <summary>The snapshot of the last frame, while somebody watches.</summary>
    internal RuntimeSnapshot? LastSnapshot
    {
        get
        {
            lock (_gate)
            {
                return _lastSnapshot;
            }
        }
    }

    /// <summary>Lets one more watch; null when there are too many, or the host stops.</summary>
    internal Watcher? Watch()
    {
        lock (_gate)
        {
            if (_watchers.Count >= _settings.MaxWatchers || _settings.Stopping.IsCancellationRequested)
            {
                return null;
            }

            var watcher = new Watcher(this);
            _watchers.Add(watcher);
            if (_lastFrame is { } frame)
            {
                watcher.Offer(frame);
            }

            if (!_isLooking)
            {
                _isLooking = true;

                // What came with the first request must not stay with the loop: its context, its task.
                using (ExecutionContext.SuppressFlow())
                {
                    _ = Task.Run(LookAsync, CancellationToken.None);
                }
            }

            return watcher;
        }
    }

    internal void Leave(Watcher watcher)
    {
        lock (_gate)
        {
            _watchers.Remove(watcher);
        }
    }

    private async Task LookAsync()
    {
        try
        {
            var lives = new Lives(Runtime, _settings.Time);
            while (Begin())
            {
                long began = _settings.Time.GetTimestamp();
                Show(lives);
                await RestAsync(Pace.PauseAfter(_settings.Time.GetElapsedTime(began), _settings.Interval), lives).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_settings.Stopping.IsCancellationRequested)
        {
            End(); // so every stream ends, and the server waits for none
        }
        catch (Exception error) // ours: the streams end, and pages that come again begin anew
        {
            LookFailed(error, Key);
            End();
        }
    }

    // Whether there is anybody to look for. If not, nothing stays.
    private bool Begin()
    {
        lock (_gate)
        {
            if (_watchers.Count > 0)
            {
                return true;
            }

            (_isLooking, _lastFrame, _lastSnapshot) = (false, null, null);
            return false;
        }
    }

    private void Show(Lives lives)
    {
        Interlocked.Increment(ref _looks);
        RuntimeSnapshot snapshot = Runtime.TakeSnapshot(new SnapshotOptions { Chains = false, MaxTasks = MostTasks, MaxRows = MostRows });
        lives.Refill(snapshot);
        lives.Look();
        byte[] frame = FrameMaker.ToEvent(FrameMaker.Make(this, snapshot, lives, _settings));
        lock (_gate)
        {
            (_lastFrame, _lastSnapshot) = (frame, snapshot);
            _watchers.ForEach(watcher => watcher.Offer(frame));
        }
    }

    private async Task RestAsync(TimeSpan pause, Lives lives)
    {
        long began = _settings.Time.GetTimestamp();
        while (pause - _settings.Time.GetElapsedTime(began) is { Ticks: > 0 } rest)
        {
            await Task.Delay(rest < Beat ? rest : Beat, _settings.Time, _settings.Stopping).ConfigureAwait(false);
            lives.Look();
        }
    }

    private void End()
    {
        lock (_gate)
        {
            _watchers.ForEach(static watcher => watcher.End());
            _watchers.Clear();
            (_isLooking, _lastFrame, _lastSnapshot) = (false, null, null);
        }
    }

    [LoggerMessage(501, LogLevel.Error, "The page of runtime '{Runtime}' could not be drawn; it is begun anew when somebody comes back.")]
    private partial void LookFailed(Exception error, string runtime);
}
