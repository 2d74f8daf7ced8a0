using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai;

/// <summary>A spawned computation: identity, name, state, outcome, place in the tree. The handle that users keep, await and cancel.</summary>
/// <remarks>
/// All members are safe from any thread. A handle that is kept keeps the outcome; the locals of the body are released the moment
/// the task ends. Awaiting it, any number of times and from any code, waits for the end and then returns the result, throws the failure as it
/// was thrown, or throws <see cref="ManagedTaskCanceledException"/> for a canceled task.
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public partial class ManagedTask : IWaitQueue
{
    // State, gate and flags, in eight bytes.
    private TaskCore _core;

    // The group in which the task lives. Written once, before the task is published.
    internal readonly TaskGroup Group;

    // Where the task sits in the group's register, from its entry until it has left. Written by the group.
    internal RosterPage? Page;

    // Where the task is: while it runs the context of the thread that steps it, while it is ready or blocked the frame that goes on, after
    // the end null. Written by the owner; while a scan suspects the task, a SuspectPage, written under the gate by who holds the wait.
    internal object? Place;

    // The TaskLabel with name and spawn site; a BornLabel with the label in it, while lives are measured; an AccountCell with the label in it, for a task that is counted beyond its own steps. Written before the task is published, or by its own
    // thread when it comes to plain code.
    private object _about;

    // Until the end: the first of the waiting joiners, a ring in which First.Prev is the last. From the end on: the exception, if it failed; an Unseen
    // with the exception, while nobody has looked at it.
    // Written under the gate.
    private object? _tail;

    // Null, the task's CancellationTokenSource, the target of its wakers, or TaskExtras when there is more than one of these. Written under the gate.
    private object? _extras;

    internal ManagedTask(TaskId id, TaskGroup group, TaskLabel label)
    {
        Id = id;
        Group = group;
        _about = group.Engine.Accounting == AccountingLevel.Exact ? new AccountCell(label, group.Engine.Provider) : label;
    }

    /// <summary>The identity, unique in the process.</summary>
    public TaskId Id { get; }

    /// <summary>The name given at the spawn, else the name of the scope or pool it lives in.</summary>
    /// <remarks>That of an operation which was given up begins with <c>abandoned: </c>.</remarks>
    public string Name => IsAbandoned ? $"abandoned: {Label.Name ?? Group.Name}" : Label.Name ?? Group.Name;

    /// <summary>Where it was spawned, as <c>file:line</c>.</summary>
    public string SpawnSite => Label.Site;

    /// <summary>Where it is in its life. Read without a lock; the answer may be old when it arrives, except that an end is final.</summary>
    public TaskState State => Word.State;

    /// <summary>Whether it has completed, failed or been canceled.</summary>
    public bool IsEnded => LifecycleTable.IsEnded(Word.State);

    /// <summary>The exception of a failed task; null while it runs and for other outcomes. Who reads it has looked at the failure, as one who awaits it has.</summary>
    public Exception? Exception
    {
        get
        {
            if (State == TaskState.Failed)
            {
                MarkObserved();
            }

            return Failure;
        }
    }

    /// <summary>Who asked the task to stop, why and when; null when nobody did. A task that was asked may still complete or fail.</summary>
    public CancelCause? CancelCause => (_core.Flags & TaskFlags.CancelRequested) == 0
        ? null
        : Cause();

    /// <summary>The task for which the current code runs; null outside managed tasks.</summary>
    /// <remarks>Inside an <c>async Future</c> method it is always there. Inside a body that was spawned as a delegate returning a <see cref="Task"/> or <see cref="ValueTask"/> too, and in all plain code that it calls, on
    /// whatever thread that continues. Plain <c>async Task</c> code that is called by an <c>async Future</c> method sees it until its first await that suspends.
    /// <para>Plain code that continues inline inside a step, because the task that is stepped completed what that code awaited, sees the task that runs and not its own.</para></remarks>
    public static ManagedTask? Current => Stepped ?? TaskIdentity.Task;

    /// <summary>The task that the current thread steps; null outside steps.</summary>
    internal static ManagedTask? Stepped => StepContext.Existing?.Task;

    /// <summary>The token for foreign code that the current task calls: canceled when the task is, or when the timeout or scope that the code runs under ends it.</summary>
    /// <remarks>Made at the first question. Under a shield it is not canceled by what comes from outside. <see cref="CancellationToken.None"/> outside managed tasks.</remarks>
    public static CancellationToken CurrentToken => Stepped is { } task
        ? task.InnermostToken
        : TaskIdentity.Task is { } plain && !PlainShield.Covers(plain) ? plain.InnermostToken : CancellationToken.None;

    /// <summary>Keeps cancellation that comes from outside away from the current task until the shield is disposed. See <see cref="CancelShield"/>.</summary>
    /// <remarks>Outside managed tasks there is nothing to keep away, and it does nothing.</remarks>
    public static CancelShield Shield() => new(Stepped, TaskIdentity.Task);

    internal Engine Engine => Group.Engine;

    private CancellationToken InnermostToken => InnermostRegion?.Token ?? Token;

    /// <summary>The exception of a failed task, for who does not look on behalf of the user.</summary>
    internal Exception? Failure => IsEnded ? _tail as Exception ?? (_tail as Unseen)?.Error : null;

    internal bool IsEnding => IsEnded || (_core.Flags & TaskFlags.Ending) != 0;

    internal bool IsCancelRequested => (_core.Flags & TaskFlags.CancelRequested) != 0;

    internal bool HasExpiredRegion => (_core.Flags & TaskFlags.RegionExpired) != 0;

    internal bool HasCancelFlags => (_core.Flags & (TaskFlags.CancelRequested | TaskFlags.RegionExpired)) != 0;

    /// <summary>Whether the task is inside a shield now. Asked by its own thread.</summary>
    internal bool IsShielded => Extras is { Shields: > 0 };

    /// <summary>Whether somebody has looked at the outcome.</summary>
    internal bool IsObserved => (_core.Flags & TaskFlags.Observed) != 0;

    /// <summary>Moved by the owner of the task.</summary>
    internal ref LifecycleWord Word => ref _core.Word;

    /// <summary>The seat on the page. Written once, by the group.</summary>
    internal byte Seat
    {
        get => _core.Seat;
        set => _core.Seat = value;
    }

    /// <summary>Whether the end is published and the group's account has it.</summary>
    internal bool HasLeft => IsEnded && Atomics.Read(ref Page) is null;

    /// <summary>The context of the thread that steps the task. For code that runs inside a step.</summary>
    internal StepContext Stepping => Unsafe.As<StepContext>(Place!);

    /// <summary>Asks the task, and every scope opened in it, to stop. Returns at once; await the task to see it ended.</summary>
    /// <remarks>A task that waits in one of Moirai's waits is woken and its await throws, in plain code that runs for it too (see <see cref="Current"/>); a task in foreign code sees it by its token.
    /// A body that has not begun never begins. The first cause wins; a task that has ended keeps its outcome. Callbacks registered on the task's token
    /// run on the calling thread.</remarks>
    /// <param name="reason">Why, for whoever looks at <see cref="CancelCause"/> later.</param>
    /// <returns>False when the task had already ended or was already asked.</returns>
    public bool Cancel(string? reason = null) =>
        Cancellation.Cancel(this, Cancellation.Cause(CancelKind.Requested, Engine, reason));

    /// <summary>Cancels the task when <paramref name="token"/> is canceled; at once if it is already. The link is undone when the task ends.</summary>
    /// <remarks>For a token that comes from outside, such as that of a request. A task follows any number of tokens.</remarks>
    /// <returns>The task.</returns>
    public ManagedTask CancelWith(CancellationToken token)
    {
        TokenLink.Make(this, token);
        return this;
    }

    /// <summary>Awaits the end, and gives the outcome.</summary>
    public ManagedTaskAwaiter GetAwaiter() => new(this);

    /// <summary>A <see cref="Task"/> that ends as this task ends, for code that wants one. Each call makes a new one.</summary>
    /// <remarks>A failure is passed on to it, and it is there that somebody has to look from then on: when nobody does, neither there nor at the handle, the failure is told as <see cref="RuntimeEventKind.UnobservedFailure"/>
    /// after the platform has raised <see cref="TaskScheduler.UnobservedTaskException"/> for it, and not when the runtime stops.</remarks>
    public Task AsTask() => JoinAsTaskAsync(this);

    /// <summary>Id, name and state: <c>#17 'reconcile' (Blocked)</c>.</summary>
    public override string ToString() => $"{Id} '{Name}' ({State})";

    /// <summary>Id and name, for messages.</summary>
    internal string Title => $"{Id} '{Name}'";

    /// <summary>Whether its body gives a value.</summary>
    internal virtual bool HasResult => false;

    /// <summary>Moves the outcome from the root frame into the handle. Before the end is published.</summary>
    internal virtual void TakeResult(Frame root)
    {
    }

    internal void SetFlag(TaskFlags flag)
    {
        _core.Gate.Enter();
        _core.Flags |= flag;
        _core.Gate.Exit();
    }

    /// <summary>Under the gate, or before the task is published.</summary>
    internal void SetFlagLocked(TaskFlags flag) => _core.Flags |= flag;

    /// <summary>Under the gate.</summary>
    internal void ClearFlagLocked(TaskFlags flag) => _core.Flags &= ~flag;

    /// <summary>Has the task's end run a clean-up, unless it has run by then. By the task's own code; where that is plain, and nobody waits for it, the task may end meanwhile.</summary>
    /// <returns>False when it has ended.</returns>
    internal bool TryAddGuard(TaskGuard guard)
    {
        Lock();
        bool lives = !IsEnded;
        if (lives)
        {
            ExtrasLocked().Guards.Push(guard);
        }

        Unlock();
        return lives;
    }

    /// <summary>Adds the names of what is guarded or is just being given back, the youngest first. Leaves a suspect as it is.</summary>
    internal void LookAtGuards(List<string> names)
    {
        if (_extras is not TaskExtras && (_core.Flags & TaskFlags.Suspected) == 0)
        {
            return;
        }

        _core.Gate.Enter();
        if ((Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras) is TaskExtras extras)
        {
            for (TaskGuard? guard = extras.Guards.First; guard is not null; guard = guard.Next)
            {
                names.Add(guard.Describe());
            }
        }

        _core.Gate.Exit();
    }

    /// <summary>Forgets a clean-up that has run. Harmless when the task does not know it any more.</summary>
    internal void RemoveGuard(TaskGuard guard)
    {
        Lock();
        if (_extras is TaskExtras extras && extras.Guards.Contains(guard))
        {
            extras.Guards.Remove(guard);
        }

        Unlock();
    }

    /// <summary>The youngest that nobody has run or is running. It stays in the list until it has run.</summary>
    internal TaskGuard? TakeGuard()
    {
        Lock();
        TaskGuard? guard = (_extras as TaskExtras)?.Guards.First;
        while (guard is { IsTaken: true })
        {
            guard = guard.Next;
        }

        Unlock();
        return guard;
    }

    internal TaskExtras? Extras => _extras as TaskExtras;

    /// <summary>Under the gate.</summary>
    internal TaskExtras ExtrasLocked()
    {
        if (_extras is TaskExtras extras)
        {
            return extras;
        }

        extras = new TaskExtras { Cts = _extras as CancellationTokenSource, Waking = _extras as TaskWakeTarget };
        _extras = extras;
        return extras;
    }

    /// <summary>The source of the task's token if anybody has asked for the token. Under the gate, or by who waits for no race.</summary>
    internal CancellationTokenSource? TokenSource => _extras as CancellationTokenSource ?? (_extras as TaskExtras)?.Cts;

    /// <summary>Gives a new task its token source, before it is published.</summary>
    internal void AdoptToken(CancellationTokenSource source) => _extras = source;

    /// <summary>The task's token; made at the first question.</summary>
    internal CancellationToken Token
    {
        get
        {
            Lock();
            CancellationTokenSource? source = TokenSource;
            if (source is null)
            {
                source = new CancellationTokenSource();
                if (_extras is null)
                {
                    _extras = source;
                }
                else
                {
                    ExtrasLocked().Cts = source;
                }
            }

            bool canceled = IsCancelRequested;
            _core.Gate.Exit();
            if (canceled)
            {
                source.Cancel(); // nobody can have registered a callback before the canceller could see the source
            }

            return source.Token;
        }
    }

    string IWaitQueue.DescribeWait(WaitNode node) => $"the end of {Title}";

    private CancelCause? Cause()
    {
        if ((_core.Flags & TaskFlags.Suspected) != 0)
        {
            Restore();
        }

        return (_extras as TaskExtras)?.Cause ?? Group.Cause;
    }

    private static async Task JoinAsTaskAsync(ManagedTask task)
    {
        await new EndAwaitable(task); // wherever the caller is: nobody else's thread is needed for the task to end
        Joining.PassOnOutcome(task);
    }
}

/// <summary>A spawned computation that gives a value. See <see cref="ManagedTask"/>.</summary>
/// <typeparam name="T">What the body returns.</typeparam>
public sealed class ManagedTask<T> : ManagedTask
{
    // Written once before the end is published; read after.
    private T _result = default!;

    internal ManagedTask(TaskId id, TaskGroup group, TaskLabel label)
        : base(id, group, label)
    {
    }

    /// <summary>The result of a completed task.</summary>
    /// <exception cref="InvalidOperationException">The task has not ended yet: await it.</exception>
    /// <exception cref="ManagedTaskCanceledException">The task was canceled.</exception>
    /// <remarks>A failed task throws its exception here.</remarks>
    public T Result
    {
        get
        {
            if (!IsEnded)
            {
                throw new InvalidOperationException($"{Title} has not ended (it is {State}, waiting for {DescribeWait()}); await the handle instead of reading Result.");
            }

            MarkObserved();
            Outcomes.ThrowIfNotCompleted(this);
            return _result;
        }
    }

    /// <inheritdoc cref="ManagedTask.CancelWith"/>
    public new ManagedTask<T> CancelWith(CancellationToken token)
    {
        TokenLink.Make(this, token);
        return this;
    }

    /// <summary>Awaits the end, and gives the result.</summary>
    public new ManagedTaskAwaiter<T> GetAwaiter() => new(this);

    /// <summary>A <see cref="Task{TResult}"/> that ends as this task ends, for code that wants one. Each call makes a new one.</summary>
    public new Task<T> AsTask() => JoinAsTaskAsync(this);

    internal T ResultUnchecked => _result;

    internal override bool HasResult => true;

    internal override void TakeResult(Frame root) => _result = Unsafe.As<Frame<T>>(root).Result;

    private static async Task<T> JoinAsTaskAsync(ManagedTask<T> task)
    {
        await new EndAwaitable(task);
        Joining.PassOnOutcome(task);
        return task._result;
    }
}
