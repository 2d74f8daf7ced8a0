using Moirai.Ground;
using Moirai.Timers;

namespace Moirai.Execution;

/// <summary>What a runtime is made of, seen from below: executor, timers, and the group at the root of all its tasks.</summary>
/// <remarks>Safe from any thread. The public <see cref="TaskRuntime"/> is the roof over it.</remarks>
internal sealed class Engine
{
    private static readonly Lock s_defaultGate = new();
    private static Engine? s_default;

    // Held by who breaks a ring of which the oldest task is of this engine. The outermost of all gates.
    internal SpinGate DeadlockGate;

    private readonly Action<RuntimeEvent> _publish;
    private volatile bool _stopped;
    private long _deadlocksFound;
    private volatile bool _reported;

    internal Engine(string name, Executor executor, TimeProvider provider, Action<RuntimeEvent> publish, AccountingLevel accounting = AccountingLevel.Polls)
    {
        Accounting = accounting;
        if (accounting == AccountingLevel.Exact)
        {
            AccountFlow.FollowThreads();
        }

        Name = name;
        Executor = executor;
        Provider = provider;
        Timers = new TimerQueue(provider);
        Abandoned = new AbandonedWaits(this);
        _publish = publish;
        Unseen = new UnseenLedger(publish);
        Root = new TaskGroup(this, name, parent: null, opener: null);
        Housekeeping = new TaskGroup(this, name, parent: null, opener: null);
        executor.Attach(this);
    }

    internal string Name { get; }

    internal Executor Executor { get; }

    internal TimeProvider Provider { get; }

    /// <summary>How exactly the life of a task is accounted for.</summary>
    internal AccountingLevel Accounting { get; }

    internal TimerQueue Timers { get; }

    /// <summary>The foreign tasks that were given up and go on.</summary>
    internal AbandonedWaits Abandoned { get; }

    /// <summary>Detached tasks live here, and every scope and pool below it.</summary>
    internal TaskGroup Root { get; }

    /// <summary>Waits that plain code began on a scope or pool. Not in the census, and open also while the runtime stops.</summary>
    internal TaskGroup Housekeeping { get; }

    /// <summary>How long the end of a scope waits for operations that were abandoned in it. Written once, by the roof.</summary>
    internal TimeSpan AbandonTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether tools outside may have something done here, not only looked at. Written once, by the roof.</summary>
    internal bool AllowsCommands { get; init; }

    /// <summary>What is done about rings of waiting tasks. Written once, by the roof.</summary>
    internal DeadlockPolicy Deadlocks { get; init; }

    /// <summary>How many rings were found.</summary>
    internal long DeadlocksFound => Interlocked.Read(ref _deadlocksFound);

    /// <summary>Outcomes at which nobody has looked.</summary>
    internal UnseenLedger Unseen { get; }

    /// <summary>What takes the tokens that the stop cancels to their callbacks. Set once, by the stop, before it cancels.</summary>
    internal TokenDeliveries? Deliveries { get; set; }

    /// <summary>Held by nobody else: what the collector finds when it finds that the engine is lost. Set once, by the roof.</summary>
    internal object? Watch { get; set; }

    /// <summary>No new work is taken any more.</summary>
    internal bool IsStopped
    {
        get => _stopped;
        set => _stopped = value;
    }

    /// <summary>The stop is over and has been reported: nobody waits any more for what is left.</summary>
    internal bool IsReported
    {
        get => _reported;
        set => _reported = value;
    }

    /// <summary>Whether a task of this engine ever waited in a synchronization primitive: only then the census looks for such waits.</summary>
    internal bool UsesPrimitives { get; private set; }

    internal void NotePrimitives()
    {
        if (!UsesPrimitives)
        {
            UsesPrimitives = true;
        }
    }

    /// <summary>The engine for those who want no runtime of their own: on the thread pool, under the system clock, never stopped.</summary>
    internal static Engine Default
    {
        get
        {
            if (Volatile.Read(ref s_default) is { } existing)
            {
                return existing;
            }

            lock (s_defaultGate)
            {
                return s_default ??= new Engine("default", new ThreadPoolExecutor(), TimeProvider.System, DefaultPublish ?? (static _ => { }));
            }
        }
    }

    /// <summary>Where the events of the default engine go. Set by the roof when the assembly is loaded.</summary>
    internal static Action<RuntimeEvent>? DefaultPublish { get; set; }

    /// <summary>The engine of the current task, else the default one.</summary>
    internal static Engine Ambient => ManagedTask.Current?.Engine ?? Default;

    /// <summary>Tells of a ring, and counts it.</summary>
    /// <param name="error">The ring.</param>
    /// <param name="isBroken">Whether a wait of it throws.</param>
    internal void TellDeadlock(DeadlockException error, bool isBroken)
    {
        Interlocked.Increment(ref _deadlocksFound);
        string ends = isBroken ? "One of these waits throws, so that the others go on." : "Nobody breaks the ring: cancel one of these tasks.";
        Publish(new RuntimeEvent(RuntimeEventKind.Deadlock, $"{error.Message}{Environment.NewLine}{ends}", error.Task, error));
    }

    /// <summary>Tells the operator. Never throws.</summary>
    internal void Publish(RuntimeEvent what) => _publish(what);
}
