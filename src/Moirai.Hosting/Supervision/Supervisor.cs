using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Supervision;
using Polly;

namespace Moirai.Hosting;

/// <summary>Where a supervisor is in its life.</summary>
public enum SupervisorState
{
    /// <summary>The host has not started it.</summary>
    Created = 0,

    /// <summary>It watches its children.</summary>
    Running = 1,

    /// <summary>It was stopped with the host, or all of its children have ended for good.</summary>
    Stopped = 2,

    /// <summary>Restarting has not helped: its children are stopped.</summary>
    GaveUp = 3,
}

/// <summary>A child of a supervisor, as it is now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsRunning">Whether it runs, or has yet to finish its clean-up.</param>
/// <param name="Starts">How often it was started.</param>
/// <param name="Task">The task of its present life; null when there is none.</param>
public sealed record SupervisedChild(string Name, bool IsRunning, long Starts, ManagedTask? Task);

/// <summary>Starts its children in order, restarts those that fail, stops them in reverse order, and escalates when restarting does not help.</summary>
/// <remarks>Added by <see cref="MoiraiBuilder.AddSupervisor"/> and driven by the host; here to be looked at, as a keyed service under its name. Safe from any thread. The rules are in docs/hosting.md.</remarks>
#pragma warning disable CA1001 // its sources have no timers and nothing to give back, and a stop may come after the host has disposed the rest
public sealed partial class Supervisor : ISupervision
#pragma warning restore CA1001
{
    internal const string Category = "Moirai.Supervision";

    private readonly TaskRuntime _runtime;
    private readonly IServiceScopeFactory _services;
    private readonly IHostApplicationLifetime _host;
    private readonly ILogger _logger;
    private readonly SupervisorOptions _options;
    private readonly Child[] _children;
    private readonly RestartIntensity _intensity;
    private readonly ResiliencePipeline _backOff;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _hostGaveUp = new();
    private readonly TaskCompletionSource _stopSignal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Written by the start, before anything else runs.
    private TaskScope? _scope;
    private Task _run = Task.CompletedTask;

    private volatile SupervisorState _state;
    private long _restarts;

    // The first reason to give up. Interlocked.
    private Exception? _gaveUp;

    internal Supervisor(IServiceProvider services, SupervisorRegistration registration)
    {
        Name = registration.Name;
        _runtime = services.GetRequiredService<TaskRuntime>();
        _services = services.GetRequiredService<IServiceScopeFactory>();
        _host = services.GetRequiredService<IHostApplicationLifetime>();
        _logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(Category);
        _options = services.GetRequiredService<IOptionsMonitor<SupervisorOptions>>().Get(Name);
        IOptionsMonitor<SupervisedChildOptions> options = services.GetRequiredService<IOptionsMonitor<SupervisedChildOptions>>();
        _children = [.. registration.Children.Select((spec, i) => new Child(spec, i, options.Get($"{Name}/{spec.Name}")))];
        _intensity = new RestartIntensity(_options.MaxRestarts, _options.Window, _runtime.TimeProvider);
        _backOff = BackOff.Make(_options, _runtime.TimeProvider, (child, delay) => RestartIsDelayed(_logger, Name, child.Name, delay));
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Whom a failure touches.</summary>
    public RestartStrategy Strategy => _options.Strategy;

    /// <summary>Where it is in its life.</summary>
    public SupervisorState State => _state;

    /// <summary>How many failures it has answered with a restart.</summary>
    public long Restarts => Interlocked.Read(ref _restarts);

    /// <summary>The children as they are now, in the order in which they are started.</summary>
    public IReadOnlyList<SupervisedChild> Children => [.. _children.Select(static child => new SupervisedChild(child.Name, child.IsRunning, child.Starts, child.Current?.Work))];

    /// <summary>Why it gave up; null when it has not.</summary>
    public string? Failure => Volatile.Read(ref _gaveUp)?.Message;

    CancellationToken ISupervision.Stopping => _stopping.Token;

    Task ISupervision.StopSignal => _stopSignal.Task;

    bool ISupervision.IsOver => IsOver;

    TimeProvider ISupervision.Clock => _runtime.TimeProvider;

    SupervisorOptions ISupervision.Options => _options;

    ResiliencePipeline ISupervision.BackOff => _backOff;

    // A child that was canceled since the runtime was stopped under it is not to be started again.
    private bool IsOver => _stopping.IsCancellationRequested || _runtime.IsStopped;

    /// <summary>Starts the children in order. When one cannot be made, those before it are stopped again, the youngest first.</summary>
    internal async Task StartAsync()
    {
        _scope = _runtime.OpenScope(Name, ScopePolicy.Isolate);
        foreach (Child child in _children)
        {
            try
            {
                await StartChildAsync(child).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                BeginStop();
                await StopChildrenAsync().ConfigureAwait(false);
                _state = SupervisorState.Stopped;
                throw new InvalidOperationException(
                    $"Supervisor '{Name}' could not make its child '{child.Name}', so the host does not start: {error.GetType().Name}: {error.Message} What was started before was stopped again.", error);
            }
        }

        _state = SupervisorState.Running;
        _run = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Stops the children in reverse order of their start. Any number of times.</summary>
    /// <param name="hostGaveUp">The host has no more time: who still runs is asked to end, and not waited for.</param>
    internal async Task StopAsync(CancellationToken hostGaveUp)
    {
        using CancellationTokenRegistration hurry = hostGaveUp.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _hostGaveUp);
        BeginStop();
        await _run.ConfigureAwait(false);
    }

    async Task ISupervision.StartAsync(Child child) => await StartChildAsync(child).ConfigureAwait(false);

    Task<bool> ISupervision.StopAsync(Child child) => StopChildAsync(child);

    void ISupervision.Tell(Child child, ChildEnd end) => Tell(child, end);

    void ISupervision.Count(Child failed, Exception? error)
    {
        if (!_intensity.TryCount(out int count))
        {
            throw new EscalationException(
                $"child '{failed.Name}' needed restart number {count} within {_options.Window}, and {_options.MaxRestarts} are allowed{(error is null ? string.Empty : $"; it failed with {error.GetType().Name}: {error.Message}")}", error);
        }

        Interlocked.Increment(ref _restarts);
    }

    private async Task RunAsync()
    {
        IEnumerable<RestartUnit> units = Strategy == RestartStrategy.OneForOne
            ? _children.Select(child => new RestartUnit(this, [child]))
            : [new RestartUnit(this, _children)];
        await Task.WhenAll(units.Select(RunUnitAsync)).ConfigureAwait(false);
        await StopChildrenAsync().ConfigureAwait(false);
        if (_gaveUp is { } why)
        {
            Escalate(why);
        }
        else
        {
            _state = SupervisorState.Stopped;
        }
    }

    private async Task RunUnitAsync(RestartUnit unit)
    {
        try
        {
            await unit.RunAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // a restart was due, and will not come
        }
        catch (Exception why)
        {
            Interlocked.CompareExchange(ref _gaveUp, why, null);
            BeginStop();
        }
    }

    private void Escalate(Exception why)
    {
        bool stopsHost = _options.Escalation == Escalation.StopHost;
        GivesUp(_logger, Name, why.Message, stopsHost ? $"The host is stopped, with exit code {_options.ExitCode}." : "Its children stay down.", why);
        _state = SupervisorState.GaveUp; // whoever sees it finds the story in the log
        if (stopsHost)
        {
            Environment.ExitCode = _options.ExitCode;
            _host.StopApplication();
        }
    }

    private void BeginStop()
    {
        _stopping.Cancel();
        _stopSignal.TrySetResult();
    }

    private async Task StartChildAsync(Child child)
    {
        child.Current = await Incarnation.StartAsync(child.Spec, _services, _scope!, $"{Name}/{child.Name}", _runtime.TimeProvider.GetTimestamp()).ConfigureAwait(false);
        ChildStarts(_logger, Name, child.Name, child.Starts);
    }

    private async Task StopChildrenAsync()
    {
        foreach (Child child in _children.Reverse())
        {
            await StopChildAsync(child).ConfigureAwait(false);
        }

        if (_scope!.LiveCount == 0)
        {
            await _scope.DisposeAsync();
        }
    }

    private async Task<bool> StopChildAsync(Child child)
    {
        if (child.Current is not { } life)
        {
            return true;
        }

        life.Work.Cancel($"supervisor '{Name}' stops it");
        try
        {
            ChildEnd end = await life.Ended.WaitAsync(child.StopBudget, _runtime.TimeProvider, _hostGaveUp.Token).ConfigureAwait(false);
            Tell(child, end);
            return true;
        }
        catch (TimeoutException)
        {
            ChildIsLeft(_logger, Name, child.Name, life.Work.ToString(), $"had not ended {child.StopBudget} after it was asked to");
        }
        catch (OperationCanceledException)
        {
            ChildIsLeft(_logger, Name, child.Name, life.Work.ToString(), "had not ended when the host's time was over");
        }

        return false;
    }

    private void Tell(Child child, ChildEnd end)
    {
        if (end.State == TaskState.Failed)
        {
            ChildFails(_logger, Name, child.Name, end.Error!.GetType().Name, end.Error.Message, end.Error);
        }
        else
        {
            ChildEnds(_logger, Name, child.Name, end.State);
        }
    }

    [LoggerMessage(EventId = 201, Level = LogLevel.Debug, Message = "Supervisor '{Supervisor}' has started child '{Child}' (start number {Starts}).")]
    private static partial void ChildStarts(ILogger logger, string supervisor, string child, long starts);

    [LoggerMessage(EventId = 202, Level = LogLevel.Error, Message = "Child '{Child}' of supervisor '{Supervisor}' failed: {Kind}: {Error}")]
    private static partial void ChildFails(ILogger logger, string supervisor, string child, string kind, string error, Exception exception);

    [LoggerMessage(EventId = 203, Level = LogLevel.Debug, Message = "Child '{Child}' of supervisor '{Supervisor}' has ended: {State}.")]
    private static partial void ChildEnds(ILogger logger, string supervisor, string child, TaskState state);

    [LoggerMessage(EventId = 204, Level = LogLevel.Warning, Message = "Supervisor '{Supervisor}' starts child '{Child}' again in {Delay}.")]
    private static partial void RestartIsDelayed(ILogger logger, string supervisor, string child, TimeSpan delay);

    [LoggerMessage(EventId = 205, Level = LogLevel.Error, Message = "Child '{Child}' of supervisor '{Supervisor}' {Why}, and is left to itself: {Task}.")]
    private static partial void ChildIsLeft(ILogger logger, string supervisor, string child, string task, string why);

    [LoggerMessage(EventId = 206, Level = LogLevel.Critical, Message = "Supervisor '{Supervisor}' gives up: {Why}. {Consequence}")]
    private static partial void GivesUp(ILogger logger, string supervisor, string why, string consequence, Exception error);
}
