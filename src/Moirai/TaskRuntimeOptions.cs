using Moirai.Execution;

namespace Moirai;

/// <summary>How a <see cref="TaskRuntime"/> is made. Read once, when it is made.</summary>
public sealed class TaskRuntimeOptions
{
    /// <summary>The name, for messages, dumps and metrics.</summary>
    public string Name { get; set; } = "runtime";

    /// <summary>Where tasks run; null for a new <see cref="ThreadPoolExecutor"/>. An executor serves one runtime.</summary>
    public Executor? Executor { get; set; }

    /// <summary>The clock for delays, timeouts and timestamps. Under the system clock timers are driven by a thread of their own; under any other by that
    /// provider's timers.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Told of what an operator should know: timeouts, failures that nobody sees, a stop that left something behind.</summary>
    /// <remarks>Called on the thread that notices, which must not be kept; what it throws goes to the event source <c>Moirai</c>.</remarks>
    public Action<RuntimeEvent>? OnEvent { get; set; }

    /// <summary>How long <see cref="TaskRuntime.DisposeAsync"/> lets tasks end by themselves before it cancels them. Not negative; zero by default.</summary>
    public TimeSpan DrainTimeout
    {
        get;
        set
        {
            Timeouts.ThrowIfBad(value);
            field = value;
        }
    }

    /// <summary>How long <see cref="TaskRuntime.DisposeAsync"/> waits for canceled tasks before it reports those that are left. Not negative; 30 seconds by default;
    /// <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</summary>
    public TimeSpan CancelTimeout
    {
        get;
        set
        {
            Timeouts.ThrowIfBad(value);
            field = value;
        }
    } = TimeSpan.FromSeconds(30);

    /// <summary>How long the end of a scope waits for operations that were abandoned in it (<c>WithTimeout(within, abandonAfter)</c>), and for foreign <see cref="Task"/>s that were given up in it (<c>WithTimeout(within)</c>). When that is over the scope ends without them, and they go on under the runtime, which tells of
    /// them and reports them when it is stopped. Equally long a stop waits for the clean-up of tasks that it proved to be leaked, and resumed. Not negative; 10 seconds by default; <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</summary>
    public TimeSpan AbandonTimeout
    {
        get;
        set
        {
            Timeouts.ThrowIfBad(value);
            field = value;
        }
    } = TimeSpan.FromSeconds(10);

    /// <summary>What a stop does about tasks that have neither ended nor could be canceled because nothing can wake them any more: <see cref="LeakPolicy.Heal"/> by default; null does not look for them, and
    /// saves a full collection.</summary>
    public LeakPolicy? LeaksAtStop { get; set; } = LeakPolicy.Heal;

    /// <summary>Whether results at which nobody ever looks are told like failures (<see cref="RuntimeEventKind.UnobservedResult"/>). False by default: it costs an object with a finalizer for each task with a
    /// result that ends before anybody awaits it.</summary>
    public bool ReportUnseenResults { get; set; }

    /// <summary>Whether leaks are looked for after collections of the oldest generation that happen anyway, and what is done about them. Null, and off, by default. A search costs another such collection.</summary>
    public LeakPolicy? LeakWatch { get; set; }

    /// <summary>How long the leak watch rests after a search at the least. Not negative; one minute by default.</summary>
    public TimeSpan LeakWatchPause
    {
        get;
        set
        {
            Timeouts.ThrowIfBad(value);
            field = value;
        }
    } = TimeSpan.FromMinutes(1);

    /// <summary>How exactly the runtime accounts for the life of each task (<see cref="ManagedTask.TakeAccount()"/>): <see cref="AccountingLevel.Polls"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such level.</exception>
    public AccountingLevel Accounting
    {
        get;
        set
        {
            if (value is < AccountingLevel.None or > AccountingLevel.Exact)
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, "There are three levels of accounting: None, Polls and Exact.");
            }

            field = value;
        }
    } = AccountingLevel.Polls;

    /// <summary>What may go on for how long before an <see cref="Alarm"/> is raised; null, and no alarms, by default.</summary>
    public AlarmLimits? Alarms { get; set; }

    /// <summary>What is done about tasks that wait for each other in a ring: the wait that closes it throws a <see cref="DeadlockException"/> by default. See docs/deadlocks.md for what is seen.</summary>
    public DeadlockPolicy Deadlocks { get; set; }

    /// <summary>Whether tools outside the process may have something done in this runtime: <c>moirai leaks</c>, which has the garbage collector run and, where it is asked to, resumes what has leaked. Looking at it needs no
    /// leave. False by default. Who may open a diagnostic session in the process, by the platform's rules the same user and the administrator, may then do so.</summary>
    public bool AllowCommands { get; set; }

    internal void Validate()
    {
        if (Name is null || TimeProvider is null)
        {
            throw new InvalidOperationException("TaskRuntimeOptions needs a Name and a TimeProvider.");
        }
    }
}
