using System.Diagnostics;
using Moirai.Execution;
using Moirai.Futures;
using Moirai.Ground;
using Moirai.Lifecycle;

namespace Moirai;

/// <summary>What a scope does when one of its tasks fails.</summary>
public enum ScopePolicy
{
    /// <summary>The first failure cancels the other tasks and the body, and is thrown when all have ended.</summary>
    CancelOnFailure,

    /// <summary>A failure touches nobody else; whoever awaits the failed task sees it. When nobody does, <see cref="TaskRuntimeOptions.OnEvent"/> is told once its handle is lost or the runtime stops.</summary>
    Isolate,
}

/// <summary>A set of tasks that none outlives: nobody leaves the scope before all of its tasks have ended.</summary>
/// <remarks>
/// Made by <see cref="TaskRuntime.RunScopeAsync{T}(string, Func{TaskScope, Future{T}}, ScopePolicy, CancellationToken)"/>, the form to prefer, or by
/// <see cref="TaskRuntime.OpenScope"/> for an object that owns a scope: then <see cref="JoinAsync"/> leaves in peace, and disposing without a join cancels what still runs and waits for it.
/// <para>Safe from any thread. A task of the scope may spawn others into it, also while it is being joined; when the last has ended the
/// scope is closed and spawning throws. A scope is used once.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed partial class TaskScope : IAsyncDisposable, IEndListener
{
    private readonly ScopePolicy _policy;
    private SpinGate _gate;

    // In the order in which they came, each exception once. Written under the gate.
    private List<Exception>? _failures;

    // Tasks whose failures nobody has joined yet; they keep what is to be told. Written under the gate.
    private List<ManagedTask>? _unseen;

    // Somebody has been, or will be, thrown the failures.
    private volatile bool _joined;

    internal TaskScope(TaskGroup parent, string name, ScopePolicy policy, ManagedTask? opener)
    {
        ArgumentNullException.ThrowIfNull(name);
        _policy = Enum.IsDefined(policy)
            ? policy
            : throw new ArgumentOutOfRangeException(nameof(policy), policy, $"Scope '{name}' was given no policy there is: take CancelOnFailure or Isolate.");
        Group = TaskGroup.Open(parent, name, opener);
        Group.Listener = this;
    }

    /// <summary>The name, for messages and dumps.</summary>
    public string Name => Group.Name;

    /// <summary>How many of its tasks have not ended.</summary>
    public long LiveCount => Group.Live;

    /// <summary>Whether all has ended and no task may begin here any more.</summary>
    public bool IsClosed => Group.IsClosed;

    /// <summary>Who canceled the scope and why; null when nobody did.</summary>
    public CancelCause? CancelCause => Group.Cause;

    /// <summary>Canceled when the scope is; for foreign code that works for the scope as a whole.</summary>
    public CancellationToken CancellationToken => Group.Token;

    /// <summary>How long a task of the scope, or of one inside, may wait before an alarm is raised (<c>AlarmKind.BlockedTooLong</c>); null: as long as what is around it allows, in the end the runtime. It may be changed at any time.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not positive.</exception>
    public TimeSpan? BlockedLimit
    {
        get => Group.BlockedLimit;
        set => Group.BlockedLimit = Timeouts.Positive(value);
    }

    internal TaskGroup Group { get; }

    /// <summary>Asks the body and every task of the scope, and of the scopes opened inside, to stop. Returns at once.</summary>
    /// <remarks>A body that waits is interrupted; one that returns all the same gives its result. A body may so end early: cancel what is no longer needed, and return.</remarks>
    /// <param name="reason">Why, for whoever looks at a cause later.</param>
    /// <returns>False when it had been canceled, or had closed.</returns>
    public bool Cancel(string? reason = null) => Group.CancelWithBody(Cancellation.Cause(CancelKind.Requested, Group.Engine, reason));

    /// <summary>Waits until every task has ended, and closes the scope. Throws what failed.</summary>
    /// <remarks>When the task that waits is canceled, it cancels the scope, waits for its end, and then throws.</remarks>
    /// <exception cref="TaskScopeException">More than one task failed; a single failure is thrown as it is.</exception>
    /// <exception cref="InvalidOperationException">A task of the scope itself waits here: it would wait for its own end.</exception>
    public Future JoinAsync() => Homed.In(Group.Engine.Housekeeping, JoinCoreAsync(TaskIdentity.Task), "join of scope", Name);

    private async Future JoinCoreAsync(ManagedTask? plainCaller)
    {
        ThrowIfInside("joins", plainCaller);
        MarkJoined();
        Exception? interrupted = null;
        while (!Group.IsEmpty && interrupted is null)
        {
            interrupted = HeedInterruption(await new EmptyOrInterrupted(Group));
        }

        await CloseAsync();
        interrupted = interrupted is DeadlockException ? null : interrupted; // it is among the failures
        ThrowFailures(TimedOut(ManagedTask.Current!, body: null, interrupted) ?? interrupted);
    }

    /// <summary>Leaves the scope: cancels what still runs, waits until all has ended, and closes it. After a join there is nothing left to do.</summary>
    /// <remarks>Does not throw the failures of tasks, since it may run while an exception of the body is on its way: <see cref="TaskRuntimeOptions.OnEvent"/> is told of
    /// those that no join has thrown. Disposing again does nothing.</remarks>
    /// <exception cref="InvalidOperationException">A task of the scope itself disposes it: it would wait for its own end. The scope is unchanged.</exception>
    public Future DisposeAsync() => Homed.Disposal(Group.Engine.Housekeeping, DisposeCoreAsync(TaskIdentity.Task), "disposal of scope", Name);

    private async Future DisposeCoreAsync(ManagedTask? plainCaller)
    {
        ThrowIfInside("disposes", plainCaller);
        if (!Group.TryClose(out _)) // not "if it is empty": somebody may spawn before it is closed
        {
            Group.Cancel(Cancellation.Cause(CancelKind.ScopeLeft, Group.Engine, null, $"scope '{Name}'"));
        }

        await CloseAsync();
        TellUnobserved();
    }

    /// <inheritdoc/>
    ValueTask IAsyncDisposable.DisposeAsync() => new(DisposeAsync().AsTask());

    /// <summary>Name and number of live tasks.</summary>
    public override string ToString() => $"scope '{Name}' ({(IsClosed ? "closed" : $"{LiveCount} live")})";

    /// <summary>Runs a body in the current task, inside a new scope, and leaves the scope when all in it has ended.</summary>
    internal static async Future<T> RunAsync<TState, T>(
        Engine engine, string name, ScopePolicy policy, TimeSpan within, TState state, Func<TState, TaskScope, Future<T>> body, CancellationToken token)
    {
        ManagedTask owner = ManagedTask.Current ?? throw new InvalidOperationException("A scope's body runs in a managed task. Please report this.");
        var scope = new TaskScope(ReferenceEquals(owner.Engine, engine) ? owner.InnermostGroup : engine.Root, name, policy, owner) { _joined = true };
        var region = new BodyRegion(owner, scope.Group);
        region.Enter();
        scope.Group.Body = region;
        scope.Heed(token);
        T result = default!;
        Exception? otherwise; // what to throw at the end, together with what else failed; no exception is caught on the way, which would cost more than all else that a scope does
        if (TryBegin(state, scope, within, body, out Attempt<T> running, out otherwise))
        {
            (result, otherwise) = await running;
        }

        if (otherwise is not null)
        {
            scope.BodyThrew(otherwise);
        }
        else
        {
            while (!scope.Group.IsEmpty && otherwise is null)
            {
                otherwise = scope.HeedInterruption(await new EmptyOrInterrupted(scope.Group));
            }

            otherwise = otherwise is DeadlockException || IsEarlyEnd(otherwise, region) ? null : otherwise; // a deadlock is among the failures
        }

        region.Leave();
        if (!scope.Group.TryClose(out _))
        {
            await scope.CloseAsync();
        }

        otherwise = scope.TimedOut(owner, region, otherwise) ?? otherwise;
        if (otherwise is ManagedTaskCanceledException canceled && scope._failures is null)
        {
            await new EndCanceled(canceled);
        }

        scope.ThrowFailures(otherwise);
        return result;
    }

    private static bool TryBegin<TState, T>(TState state, TaskScope scope, TimeSpan within, Func<TState, TaskScope, Future<T>> body, out Attempt<T> running, out Exception? refused)
    {
        try
        {
            if (within != Timeout.InfiniteTimeSpan)
            {
                scope.CancelAfter(within); // inside: a provider that cannot set its timer must not leave the scope open
            }

            running = new Attempt<T>(body(state, scope));
            refused = null;
            return true;
        }
        catch (Exception error) // it is thrown at the end of the scope
        {
            running = default;
            refused = error;
            return false;
        }
    }

    void IEndListener.TaskEnding(ManagedTask task, TaskEvent how, Exception? error)
    {
        if (error is null)
        {
            return;
        }

        if (_policy == ScopePolicy.Isolate)
        {
            return;
        }

        AddFailure(error, task);
        Group.CancelWithBody(Cancellation.Cause(CancelKind.ScopeFailed, Group.Engine, null, $"scope '{Name}', where {task.Title} failed,", error));
    }

    // The body has returned, and it or a task had canceled the scope: that is no reason to withhold the result.
    private static bool IsEarlyEnd(Exception? interrupted, BodyRegion region) =>
        interrupted is ManagedTaskCanceledException { Cause: { Kind: CancelKind.Requested } cause } && ReferenceEquals(cause, region.Cause);

    /// <summary>Links the scope to a token from outside, until it closes.</summary>
    internal void Heed(CancellationToken token)
    {
        if (token.CanBeCanceled)
        {
            Group.Heed(HeedLink.Make(
                static state =>
                {
                    var scope = (TaskScope)state;
                    scope.Group.CancelWithBody(Cancellation.Cause(CancelKind.TokenCanceled, scope.Group.Engine, null, $"the token given to scope '{scope.Name}'"));
                },
                this,
                token));
        }
    }

    private void BodyThrew(Exception error)
    {
        if (error is not OperationCanceledException)
        {
            AddFailure(error);
        }

        Group.Cancel(error is ManagedTaskCanceledException canceled
            ? canceled.Cause
            : Cancellation.Cause(CancelKind.ScopeFailed, Group.Engine, null, $"scope '{Name}', whose body failed,", error));
    }

    private void AddFailure(Exception error, ManagedTask? task = null)
    {
        _gate.Enter();
        bool joined = _joined;
        if (!joined && task is not null)
        {
            (_unseen ??= []).Add(task);
        }

        _failures ??= [];
        if (!_failures.Contains(error))
        {
            _failures.Add(error);
        }

        _gate.Exit();
        if (joined)
        {
            task?.MarkObserved(); // who has joined is thrown it
        }
    }

    // Whoever joins will be thrown what failed so far, and what fails later.
    private void MarkJoined()
    {
        _gate.Enter();
        _joined = true;
        List<ManagedTask>? unseen = _unseen;
        _unseen = null;
        _gate.Exit();
        unseen?.ForEach(static task => task.MarkObserved());
    }

    /// <summary>The wait for the tasks of the scope may have been interrupted: the task that waits was canceled, or its wait closed a deadlock. That cancels them.</summary>
    private Exception? HeedInterruption(Exception? interrupted)
    {
        switch (interrupted)
        {
            case ManagedTaskCanceledException canceled:
                Group.Cancel(canceled.Cause);
                break;
            case DeadlockException: // a task of the scope waits for the one that waits here, which leaves all the same only when nothing is left
                AddFailure(interrupted);
                Group.Cancel(Cancellation.Cause(CancelKind.ScopeFailed, Group.Engine, null, $"scope '{Name}', whose end closed a deadlock,", interrupted));
                break;
        }

        return interrupted;
    }

    /// <summary>Waits, whatever happens, until nothing lives here and in the scopes opened inside, and closes.</summary>
    private async Future CloseAsync()
    {
        using var shield = new CancelShield(ManagedTask.Stepped);
        await Abandonment.CloseAsync(Group, "scope");
    }

    private void ThrowFailures(Exception? otherwise)
    {
        if (_failures is { } failures)
        {
            if (failures.Count == 1)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures[0]);
            }

            throw new TaskScopeException(Name, failures);
        }

        if (otherwise is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(otherwise);
        }
    }

    private void TellUnobserved()
    {
        _gate.Enter();
        List<ManagedTask>? unseen = _unseen;
        _unseen = null;
        _gate.Exit();
        unseen?.ForEach(task => task.TellUnseen($"since scope '{Name}' was left without a join"));
    }

    // Plain code of a task awaits by way of a task of its own, so who it runs for is asked when it calls.
    private void ThrowIfInside(string verb, ManagedTask? plainCaller)
    {
        if ((plainCaller ?? ManagedTask.Stepped) is { } task && task.Group.IsInside(Group))
        {
            throw new InvalidOperationException(
                $"{task.Title} {verb} scope '{Name}', in which it runs itself, and would wait for its own end. Cancel the scope instead, and leave the waiting to whoever opened it.");
        }
    }
}

/// <summary>The stretch of a task's life in which it runs the body of a scope.</summary>
internal sealed class BodyRegion(ManagedTask task, TaskGroup group) : CancelRegion(task, isShield: false)
{
    internal override TaskGroup Scope => group;

    internal override long Due => group.Due;

    internal override bool WillExpire => Cause is null && group.HasDeadline;
}

/// <summary>Waits inside a managed task until a group is empty.</summary>
/// <param name="group">The group.</param>
/// <param name="isFirm">Whether the wait has to go on even if it is part of a deadlock.</param>
internal readonly struct EmptyAwaitable(TaskGroup group, bool isFirm) : System.Runtime.CompilerServices.ICriticalNotifyCompletion, IPassingAwaiter
{
    public bool IsCompleted => group.IsEmpty;

    public EmptyAwaitable GetAwaiter() => this;

    public void GetResult() => Park.TakeSignal();

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => group.JoinEmpty(new CallbackNode(continuation, flowContext: false), armed: 0);

    public void Suspend(Frame frame)
    {
        frame.Due = isFirm ? WaitEdge.Firm : 0;
        ManagedTask task = frame.Owner!;
        if (Park.Begin(frame, group, out int armed))
        {
            group.JoinEmpty(frame, armed);
            DeadlockCheck.AfterSeat(task);
        }
    }
}

/// <summary>Waits inside a managed task until a group is empty, and gives what has interrupted the wait instead of throwing it: the cancellation of the task that waits, or a deadlock.</summary>
internal readonly struct EmptyOrInterrupted(TaskGroup group) : System.Runtime.CompilerServices.ICriticalNotifyCompletion, IFrameAwaiter
{
    public bool IsCompleted => group.IsEmpty;

    public EmptyOrInterrupted GetAwaiter() => this;

    public Exception? GetResult()
    {
        try
        {
            Park.TakeSignal(out ManagedTaskCanceledException? canceled);
            return canceled;
        }
        catch (DeadlockException error) // the scope fails with it
        {
            return error;
        }
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame) => new EmptyAwaitable(group, isFirm: false).Suspend(frame);
}
