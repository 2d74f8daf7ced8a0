using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Alarms;
using Moirai.Execution;
using Moirai.Futures;
using Moirai.Leaks;
using Moirai.Shutdown;
using Moirai.Telemetry;

namespace Moirai;

/// <summary>Owns an executor, a timer queue and every task spawned here, from creation to destruction.</summary>
/// <remarks>
/// Safe from any thread. Disposing it takes no more work, cancels what runs, waits, and reports what did not end; see <see cref="StopAsync"/>.
/// <see cref="Default"/> serves those who want none of their own.
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed partial class TaskRuntime : IAsyncDisposable
{
    private static readonly Lazy<TaskRuntime> s_default = new(MakeDefault);
    private static readonly EventSubscribers s_defaultSubscribers = new();
    private static readonly RecentEvents s_defaultRecent = new(TimeProvider.System);

    private readonly Engine _engine;
    private readonly TaskRuntimeOptions? _options;

    // Made once, by the first who stops the runtime; later ones wait for it. Interlocked.
    private TaskCompletionSource<StopReport>? _stopping;

    // What mends it when nobody disposes the runtime; null for the default one, which is never lost.
    private readonly LostRuntime? _lost;

    /// <summary>Makes a runtime on the thread pool, under the system clock.</summary>
    public TaskRuntime()
        : this(new TaskRuntimeOptions())
    {
    }

    /// <summary>Makes a runtime.</summary>
    /// <param name="options">How; read now, and not again.</param>
    /// <exception cref="ArgumentOutOfRangeException">A budget of time is negative.</exception>
    /// <exception cref="InvalidOperationException">The executor serves another runtime.</exception>
    public TaskRuntime(TaskRuntimeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _subscribers = new EventSubscribers();
        Action<RuntimeEvent> onEvent = _subscribers.Tell + options.OnEvent;
        string name = options.Name;
        var recent = new RecentEvents(options.TimeProvider);
        _engine = new Engine(
            options.Name,
            options.Executor ?? new ThreadPoolExecutor(),
            options.TimeProvider,
            what => EventOutlet.Publish(name, recent, what, onEvent),
            options.Accounting) { AbandonTimeout = options.AbandonTimeout, Deadlocks = options.Deadlocks, AllowsCommands = options.AllowCommands };
        recent.BelongTo(_engine);
        _engine.Unseen.WithResults = options.ReportUnseenResults;
        _lost = new LostRuntime(_engine, Budgets(options.DrainTimeout, options.CancelTimeout, options.AbandonTimeout))
        {
            Watch = options.LeakWatch is { } policy ? new LeakWatch(_engine, policy, options.LeakWatchPause) : null,
        };
        _engine.Watch = _lost;
        if (options.Alarms is { } limits)
        {
            AccountFlow.WatchThreads();
            _watchdog = new Watchdog(_engine, limits) { OnFault = static error => MoiraiEventSource.Log.OutletFailed(error.ToString()) };
            _lost.Watchdog = _watchdog;
            _watchdog.Begin();
        }

        MakeKnown(_engine);
    }

    private TaskRuntime(Engine engine, EventSubscribers? subscribers = null)
    {
        _engine = engine;
        _subscribers = subscribers ?? new EventSubscribers();
    }

    /// <summary>The runtime of those who want none of their own: on the thread pool, under the system clock, never stopped.</summary>
    /// <remarks>Futures that plain <c>async</c> code awaits outside of any task run here.</remarks>
    public static TaskRuntime Default => s_default.Value;

    /// <summary>The name, for messages and dumps.</summary>
    public string Name => _engine.Name;

    /// <summary>Where the tasks run.</summary>
    public Executor Executor => _engine.Executor;

    /// <summary>The clock of delays and timeouts.</summary>
    public TimeProvider TimeProvider => _engine.Provider;

    /// <summary>Whether it takes no more work.</summary>
    public bool IsStopped => _engine.IsStopped;

    internal Engine Engine => _engine;

    internal LeakWatch? LeakWatch => _lost?.Watch;

    /// <summary>Runs a body inside a new scope; returns when the body and all tasks of the scope have ended.</summary>
    /// <remarks>
    /// The body runs in the task that awaits this; awaited in plain <c>async</c> code it becomes a task of this runtime. A failing body or task cancels the rest, and is thrown when all have ended:
    /// one failure as it is, several in a <see cref="TaskScopeException"/>. Tasks of the scope may use the locals of whoever opened it, since none outlives it.
    /// </remarks>
    /// <param name="name">What messages and dumps call the scope.</param>
    /// <param name="body">The body.</param>
    /// <param name="policy">What a failing task does to the others.</param>
    /// <param name="cancellationToken">Cancels the scope, body included. One that is canceled already lets the body run to its first wait, and no task.</param>
    /// <typeparam name="T">What the body gives.</typeparam>
    public Future<T> RunScopeAsync<T>(
        string name, Func<TaskScope, Future<T>> body, ScopePolicy policy = ScopePolicy.CancelOnFailure, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(body);
        return Homed.In(_engine.Root, TaskScope.RunAsync(_engine, name, policy, Timeout.InfiniteTimeSpan, body, static (body, scope) => body(scope), cancellationToken), Scope, name);
    }

    /// <inheritdoc cref="RunScopeAsync{T}(string, Func{TaskScope, Future{T}}, ScopePolicy, CancellationToken)"/>
    public Future RunScopeAsync(
        string name, Func<TaskScope, Future> body, ScopePolicy policy = ScopePolicy.CancelOnFailure, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(body);
        return Homed.In(_engine.Root, TaskScope.RunAsync(_engine, name, policy, Timeout.InfiniteTimeSpan, body, RunBody, cancellationToken), Scope, name);
    }

    /// <summary>Opens a scope for an object that owns it. Join it to leave in peace; dispose it in any case.</summary>
    /// <remarks>Opened inside a task of this runtime, it ends at the latest with the scope in which that task's code runs: the one whose body it is, else the one in which it lives.</remarks>
    /// <param name="name">What messages and dumps call the scope.</param>
    /// <param name="policy">What a failing task does to the others.</param>
    /// <param name="cancellationToken">Cancels the scope; one that is canceled already lets no task run.</param>
    /// <exception cref="ObjectDisposedException">The runtime takes no work any more.</exception>
    public TaskScope OpenScope(string name, ScopePolicy policy = ScopePolicy.CancelOnFailure, CancellationToken cancellationToken = default)
    {
        (TaskGroup parent, ManagedTask? opener) = Here();
        var scope = new TaskScope(parent, name, policy, opener);
        scope.Heed(cancellationToken);
        return scope;
    }

    /// <summary>Makes a pool: at most <paramref name="maxTasks"/> tasks at a time, under one name.</summary>
    /// <param name="name">What messages and dumps call the pool.</param>
    /// <param name="maxTasks">How many tasks may live at once; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one.</exception>
    /// <exception cref="ObjectDisposedException">The runtime takes no work any more.</exception>
    public TaskPool CreatePool(string name, int maxTasks)
    {
        (TaskGroup parent, ManagedTask? opener) = Here();
        return new TaskPool(parent, name, maxTasks, opener);
    }

    /// <summary>Runs a future from synchronous code and waits for its end: for <c>Main</c> and tests.</summary>
    /// <remarks>On a <see cref="LocalExecutor"/> the calling thread drives it; else the thread is blocked.</remarks>
    /// <exception cref="InvalidOperationException">Called inside a managed task, which must not block; or the future was run before.</exception>
    public void Run(Future future)
    {
        ManagedTask task = Launch(future.Frame, "run");
        Outcomes.ThrowIfNotCompleted(task);
    }

    /// <inheritdoc cref="Run(Future)"/>
    public T Run<T>(Future<T> future) => ((ManagedTask<T>)Launch(future.Frame, "run")).Result;

    /// <summary>The exact account of everything created here.</summary>
    /// <remarks>Costs a look at each open scope; nothing is stopped for it. <see cref="Census.IsBalanced"/> holds at any moment; that nothing is left (<see cref="Census.IsEmpty"/>) once all has ended.</remarks>
    public Census TakeCensus() => Census.Of(_engine);

    /// <summary>What every task is doing: where it stands, what it waits for, since when, and who holds that. Taken while everything goes on.</summary>
    /// <remarks>
    /// From any thread, at any time. Nothing is stopped and no state is changed; each task is told as it was at one moment. Of tasks in plain <c>async</c> code the chain is followed through their state machines where the platform is
    /// one that the walker knows, which it tests once; with the PDB beside an assembly, or in it, places are told as <c>file:line</c>. Some tenths of a second for 100,000 tasks with their chains, and under a second for a million without: see docs/performance.md.
    /// <para>No code of the user's runs (neither <c>ToString</c> nor <c>Equals</c>), and the snapshot keeps nothing of the program alive. While it is being taken it holds what it looks at, so a search for leaks
    /// at the same moment may find something only the next time.</para>
    /// </remarks>
    /// <param name="options">How much is told; by default chains, and up to 1,000 tasks one by one.</param>
    public RuntimeSnapshot TakeSnapshot(SnapshotOptions? options = null) => Diagnostics.SnapshotTaker.Take(_engine, options ?? new SnapshotOptions());

    /// <summary>Looks for tasks that can never go on, because whatever could have woken them is gone, and resumes them so that their clean-up runs.</summary>
    /// <remarks>
    /// A proof, not a guess: the garbage collector says that nothing holds them. Tasks that sleep, that run under a timeout, that wait for something which a static, a running task, a timer or a
    /// token somebody holds can reach are not found, nor those marked <see cref="ManagedTask.IsResident"/>. Handles, scopes and the runtime itself do not count as somebody who can wake a task, although they
    /// can cancel it. What methods that run at the moment have on their stacks counts as held, the caller's own included: a future that was spawned a line above may be found only by the next search. Costs one full blocking collection of the process and some hundred nanoseconds for each waiting task; everything goes on meanwhile. One search at a time in a process; a second one waits.
    /// <para>Each leak is also told to <see cref="TaskRuntimeOptions.OnEvent"/>.</para>
    /// </remarks>
    /// <param name="policy">Whether they are resumed with a <see cref="LeakedTaskException"/> or only told of.</param>
    public Task<LeakReport> FindLeaksAsync(LeakPolicy policy = LeakPolicy.Heal) => LeakScan.RunAsync(_engine, _engine.Root, policy);

    /// <summary>The operations that were given up and have not ended: tasks of their own, and foreign <see cref="Task"/>s.</summary>
    public IReadOnlyList<AbandonedOperation> ListAbandoned() => Abandonment.List(_engine);

    /// <summary>The timer queue as it is now: how deep, how overdue, how late.</summary>
    public TimerGauges TakeTimerGauges() => _engine.Timers.TakeGauges();

    /// <summary>Takes no more work, lets tasks end, cancels those that have not, heals those that never could, and reports those that are left.</summary>
    /// <remarks>
    /// Tasks that run may still spawn into scopes of their own; new detached tasks, scopes and pools are refused, and so are spawns into pools. Stopping again, or disposing, waits for the first
    /// stop and gives its report. What has not ended by the end of <paramref name="cancel"/> is searched for leaks (<see cref="FindLeaksAsync"/>, <see cref="TaskRuntimeOptions.LeaksAtStop"/>): a
    /// task that nothing could wake, in foreign code that takes no token, is resumed, so that its clean-up runs. What is left after that is abandoned: the runtime keeps serving it, and accounts for it, and nobody waits for it.
    /// A task of this runtime that awaits the stop is itself one that has to end: it is canceled with the others, and reported as left if it waits all the same.
    /// </remarks>
    /// <param name="drain">How long tasks may end by themselves; zero cancels at once.</param>
    /// <param name="cancel">How long canceled tasks may take.</param>
    /// <param name="abandon">How long leaked tasks that were resumed may take; by default <see cref="TaskRuntimeOptions.AbandonTimeout"/>. Nobody waits when there are none.</param>
    /// <param name="drained">Ends the draining before its time: what still runs when it is canceled is canceled then. The stop goes on and gives its report all the same.</param>
    /// <exception cref="ArgumentOutOfRangeException">A budget is negative.</exception>
    /// <exception cref="InvalidOperationException">It is <see cref="Default"/>, which is never stopped.</exception>
    public Task<StopReport> StopAsync(TimeSpan drain, TimeSpan cancel, TimeSpan? abandon = null, CancellationToken drained = default)
    {
        Timeouts.ThrowIfBad(drain);
        Timeouts.ThrowIfBad(cancel);
        Timeouts.ThrowIfBad(abandon ?? TimeSpan.Zero, nameof(abandon));
        if (_options is null)
        {
            throw new InvalidOperationException("TaskRuntime.Default serves the whole process and is never stopped. Make a runtime of your own to stop one.");
        }

        var own = new TaskCompletionSource<StopReport>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _stopping, own, null) is { } first)
        {
            return first.Task;
        }

        _lost?.Dispose();
        _ = StopOnceAsync(own, Budgets(drain, cancel, abandon ?? _options.AbandonTimeout) with { Drained = drained }); // whatever becomes of it is told by its source
        return own.Task;
    }

    // Under no lock: what is canceled runs callbacks of tokens, which may ask for the stop again.
    private async Task StopOnceAsync(TaskCompletionSource<StopReport> told, StopBudgets budgets)
    {
        try
        {
            StopReport report = await RuntimeStop.RunAsync(_engine, budgets).ConfigureAwait(false);
            _watchdog?.Dispose(); // not before: what a stop waits for may be over a limit
            told.SetResult(report);
        }
        catch (Exception error) // a provider that fails, say: those who wait for the stop are told
        {
            _watchdog?.Dispose();
            told.SetException(error);
        }
    }

    /// <summary>Stops the runtime with the budgets of its options. See <see cref="StopAsync"/>; what did not end is told to <see cref="TaskRuntimeOptions.OnEvent"/>.</summary>
    public async ValueTask DisposeAsync() =>
        await StopAsync(_options?.DrainTimeout ?? default, _options?.CancelTimeout ?? default).ConfigureAwait(false);

    /// <summary>Name and number of live tasks.</summary>
    public override string ToString() => $"runtime '{Name}' ({TakeCensus().Live} live)";

    private static TaskRuntime MakeDefault()
    {
        s_defaultRecent.BelongTo(Engine.Default);
        MakeKnown(Engine.Default);
        return new TaskRuntime(Engine.Default, s_defaultSubscribers);
    }

    // The default engine stands as soon as plain code awaits a future or makes a guard, and has things to tell although nobody has asked for the roof over it.
#pragma warning disable CA2255 // nothing else runs before both
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void HearTheDefaultEngine() => Engine.DefaultPublish = static what => EventOutlet.Publish("default", s_defaultRecent, what, s_defaultSubscribers.Tell);

    private StopBudgets Budgets(TimeSpan drain, TimeSpan cancel, TimeSpan abandon) => new(drain, cancel, abandon, _options?.LeaksAtStop);

    private (TaskGroup Parent, ManagedTask? Opener) Here() =>
        ManagedTask.Stepped is { } task && ReferenceEquals(task.Engine, _engine) ? (task.InnermostGroup, task) : (_engine.Root, null);

    private ManagedTask Launch(Frame frame, string name)
    {
        if (ManagedTask.Stepped is { } current)
        {
            throw new InvalidOperationException($"{current.Title} would block its thread in TaskRuntime.Run. Await the future instead.");
        }

        ManagedTask task = frame.SpawnInto(_engine.Root, TaskLabel.Of(name, frame.Method, null, string.Empty, 0));
        if (_engine.Executor is LocalExecutor local)
        {
            local.RunUntil(task);
        }
        else
        {
            using var ended = new ManualResetEventSlim();
            task.Join(new CallbackNode(ended.Set, flowContext: false, captureSynchronization: false), armed: 0);
            ended.Wait(CancellationToken.None);
        }

        return task;
    }
}
