using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Moirai.Hosting.Health;

/// <summary>Asks the thread pool a question once a second, and notices how long the answer takes.</summary>
/// <remarks>
/// On a thread of its own: one of the pool would not run when it is needed. One question is open at a time, so that a starved pool is not given more to do. What was noticed is in the log at once, and
/// in the health check as soon as that can be asked again. Costs a thread that sleeps, and a piece of work a second; it runs only where the check was added.
/// </remarks>
internal sealed partial class StarvationProbe : IHostedService, IDisposable
{
    internal const string Category = "Moirai.Health";
    internal const string Subject = "starvation";

    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(1);

    private readonly HealthFindings _findings;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _starvedAfter;
    private readonly Action<Action> _enqueue;
    private readonly ILogger _logger;
#pragma warning disable CA2213 // its thread may be waiting in it when the host disposes the rest, and it holds nothing that has to be given back
    private readonly ManualResetEventSlim _stopped = new();
#pragma warning restore CA2213
    private readonly Lock _gate = new();

    // Under the gate: when the open question was asked; null when none is. Whether its lateness was told.
    private long? _asked;
    private bool _told;

    public StarvationProbe(HealthFindings findings, TaskRuntime runtime, IOptions<MoiraiHealthOptions> options, ILoggerFactory loggers)
        : this(findings, runtime.TimeProvider, options.Value.StarvedAfter, loggers, static work => ThreadPool.UnsafeQueueUserWorkItem(static work => work(), work, preferLocal: false))
    {
    }

    internal StarvationProbe(HealthFindings findings, TimeProvider clock, TimeSpan starvedAfter, ILoggerFactory loggers, Action<Action> enqueue)
    {
        _findings = findings;
        _clock = clock;
        _starvedAfter = starvedAfter;
        _enqueue = enqueue;
        _logger = loggers.CreateLogger(Category);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        new Thread(Run) { IsBackground = true, Name = "Moirai starvation probe" }.UnsafeStart();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _stopped.Set();
        return Task.CompletedTask;
    }

    public void Dispose() => _stopped.Set();

    /// <summary>One beat: looks how the open question does, or asks a new one.</summary>
    internal void Beat()
    {
        lock (_gate)
        {
            if (_asked is { } asked)
            {
                TimeSpan waited = _clock.GetElapsedTime(asked);
                if (waited > _starvedAfter && !_told)
                {
                    _told = true;
                    _findings.Note(Subject, $"the thread pool had not begun a piece of work after {waited:hh\\:mm\\:ss\\.fff}; something blocks its threads (waiting for a task with .Result or .Wait(), say)");
                    Starved(_logger, waited, ThreadPool.ThreadCount, ThreadPool.PendingWorkItemCount);
                }

                return;
            }

            _asked = _clock.GetTimestamp();
            _told = false;
        }

        _enqueue(Answer);
    }

    private void Answer()
    {
        lock (_gate)
        {
            TimeSpan waited = _clock.GetElapsedTime(_asked!.Value);
            _asked = null;
            if (_told || waited > _starvedAfter)
            {
                // Noted again, so that the memory of it runs from its end.
                _findings.Note(Subject, $"the thread pool took {waited:hh\\:mm\\:ss\\.fff} to begin a piece of work; something blocked its threads (waiting for a task with .Result or .Wait(), say)");
                Recovered(_logger, waited);
            }
        }
    }

    private void Run()
    {
        while (!_stopped.Wait(s_period))
        {
            Beat();
        }
    }

    [LoggerMessage(EventId = 401, Level = LogLevel.Error, Message = "The thread pool is starved: it has not begun a piece of work for {Waited} ({Threads} threads, {Pending} pieces waiting). Something blocks its threads: look for .Result, .Wait() and other blocking calls.")]
    private static partial void Starved(ILogger logger, TimeSpan waited, int threads, long pending);

    [LoggerMessage(EventId = 402, Level = LogLevel.Warning, Message = "The thread pool works again; it had taken {Waited} to begin a piece of work.")]
    private static partial void Recovered(ILogger logger, TimeSpan waited);
}
