using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Pools;
using Moirai.Hosting.Requests;

namespace Moirai.Hosting.Lifecycle;

/// <summary>Ties the runtime to the life of the host.</summary>
/// <remarks>
/// The order of a stop, and who does it:
/// <code>
///   Stopping   intake: pooled requests are refused with 503 from here on; the clock of the shutdown starts;
///              where it is asked for, the server is kept open until those inside have ended                    (here)
///   Stop       the server lets requests end; supervisors stop their children; hosted services stop               (the host, in reverse order of start)
///   Stopped    the runtime: no new work, drain, cancel, heal, report                                             (here)
/// </code>
/// When only <see cref="MoiraiOptions.CancelTimeout"/> and <see cref="MoiraiOptions.AbandonTimeout"/> are left of the host's time, the runtime is stopped wherever the host is: so what is canceled still has its time, and a
/// request that does not end does not use up the whole of it. Safe to be stopped any number of times.
/// </remarks>
internal sealed partial class MoiraiLifecycle(
    TaskRuntime runtime,
    IOptions<MoiraiOptions> options,
    IOptions<PooledRequestsOptions> requests,
    IOptions<HostOptions> host,
    RequestIntake intake,
    EndpointPoolCheck endpoints,
    IServiceProvider services,
    ILoggerFactory loggers)
    : IHostedLifecycleService, IDisposable
{
    internal const string Category = "Moirai.Lifecycle";

    private readonly ILogger _logger = loggers.CreateLogger(Category);
    private readonly Lock _gate = new();

    // Nobody waits for requests any more: the runtime has stopped, or the host is in a hurry.
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
#pragma warning disable CA2213 // the timer may fire while the host disposes the rest; without a timer of its own it holds nothing that has to be given back
    private readonly CancellationTokenSource _drained = new();
#pragma warning restore CA2213

    // Under the gate.
    private long _began;
    private ITimer? _deadline;
    private Task<StopReport>? _stop;
    private bool _told;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (PoolRegistration pool in services.GetServices<PoolRegistration>())
        {
            _ = services.GetRequiredKeyedService<TaskPool>(pool.Name); // made now, so that what is wrong with it keeps the host from starting
        }

        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        endpoints.ThrowIfUnknown(services);
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        intake.Close();
        lock (_gate)
        {
            if (_deadline is null && _stop is null)
            {
                _began = runtime.TimeProvider.GetTimestamp();
                _deadline = runtime.TimeProvider.CreateTimer(static self => ((MoiraiLifecycle)self!).DrainIsOver(), this, DrainBudget(), Timeout.InfiniteTimeSpan);
            }
        }

        if (_logger.IsEnabled(LogLevel.Information))
        {
            long live = runtime.TakeCensus().Live;
            StopBegins(_logger, runtime.Name, live);
        }

        if (requests.Value.ServeWhileDraining)
        {
            using CancellationTokenRegistration hurry = cancellationToken.UnsafeRegister(static self => ((MoiraiLifecycle)self!)._over.TrySetResult(), this);
            await Task.WhenAny(intake.Empty, _over.Task).ConfigureAwait(false);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration hurry = cancellationToken.UnsafeRegister(static self => ((MoiraiLifecycle)self!)._drained.Cancel(), this);
        StopReport report = await Stop().ConfigureAwait(false);
        lock (_gate)
        {
            _deadline?.Dispose();
            if (_told)
            {
                return;
            }

            _told = true;
        }

        // What is left was told by the runtime itself: StopIncomplete.
        if (report.IsComplete)
        {
            StopIsComplete(_logger, report);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _deadline?.Dispose();
        }
    }

    private void DrainIsOver()
    {
        bool begun;
        lock (_gate)
        {
            begun = _stop is not null;
        }

        if (_logger.IsEnabled(LogLevel.Warning))
        {
            long live = runtime.TakeCensus().Live;
            TimeSpan cancel = options.Value.CancelTimeout;
            DrainEnds(_logger, runtime.Name, live, cancel);
        }

        _drained.Cancel();
        if (!begun)
        {
            _ = Stop(); // its report is told when the host has come that far
        }
    }

    private Task<StopReport> Stop()
    {
        lock (_gate)
        {
            return _stop ??= StopOnceAsync(Left());
        }
    }

    private async Task<StopReport> StopOnceAsync(TimeSpan drain)
    {
        try
        {
            return await runtime.StopAsync(drain, options.Value.CancelTimeout, options.Value.AbandonTimeout, _drained.Token).ConfigureAwait(false);
        }
        finally
        {
            _over.TrySetResult();
        }
    }

    /// <summary>How long tasks may end by themselves, from the first word of the stop on.</summary>
    private TimeSpan DrainBudget()
    {
        TimeSpan shutdown = host.Value.ShutdownTimeout;
        return shutdown == Timeout.InfiniteTimeSpan ? shutdown : Max(TimeSpan.Zero, shutdown - options.Value.CancelTimeout - options.Value.AbandonTimeout);
    }

    // Under the gate.
    private TimeSpan Left()
    {
        TimeSpan budget = DrainBudget();
        return budget == Timeout.InfiniteTimeSpan || _deadline is null ? budget : Max(TimeSpan.Zero, budget - runtime.TimeProvider.GetElapsedTime(_began));
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    [LoggerMessage(EventId = 101, Level = LogLevel.Information, Message = "Runtime '{Runtime}' takes no new requests, since the host stops; {Live} tasks live.")]
    private static partial void StopBegins(ILogger logger, string runtime, long live);

    [LoggerMessage(EventId = 102, Level = LogLevel.Warning, Message = "The time in which tasks may end by themselves is over: runtime '{Runtime}' cancels the {Live} that still live, and gives them {CancelTimeout}.")]
    private static partial void DrainEnds(ILogger logger, string runtime, long live, TimeSpan cancelTimeout);

    [LoggerMessage(EventId = 103, Level = LogLevel.Information, Message = "{Report}")]
    private static partial void StopIsComplete(ILogger logger, StopReport report);
}
