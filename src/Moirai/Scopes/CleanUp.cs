using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;
using Moirai.Ground;
using Moirai.Wakers;

namespace Moirai;

/// <summary>One clean-up. States: armed, taken. The move is interlocked, so it runs once.</summary>
internal abstract class CleanUp(string name, TimeSpan within, string file, int line) : TaskGuard, IWaitQueue
{
    // The task whose code has made it. Plain code that goes on inline inside a step of another task is not that one's.
    private readonly ManagedTask? _task = TaskIdentity.Task ?? ManagedTask.Stepped;

    // 1 from the moment in which somebody has decided to run it, or that it will not be run.
    private int _taken;

    // Under it: whether it was run, or never will be, and who waits for that.
    private SpinGate _gate;
    private bool _isOver;
    private WaitQueue _waiters;

    // The task that runs the user's code. Written by it.
    private ManagedTask? _runner;

    internal string Name => name;

    internal Engine Engine => _task?.Engine ?? Engine.Default;

    internal override bool IsTaken => Atomics.Read(ref _taken) != 0;

    /// <summary>Ties it to the end of the current task.</summary>
    /// <returns>False outside managed tasks.</returns>
    internal bool Bind() => _task?.TryAddGuard(this) == true;

    internal bool TryTake() => Atomics.Exchange(ref _taken, 1) == 0;

    internal override string Describe() => IsTaken ? $"the clean-up of {name}, which is running" : $"{name} (guarded)";

    /// <summary>Decides that it will not be run.</summary>
    internal bool TryDismiss()
    {
        bool dismissed = TryTake();
        if (dismissed)
        {
            NoteEnd();
        }

        return dismissed;
    }

    /// <summary>Runs it if nobody has, or waits for its end. Taken in the first step and not before: a future that is never run must not keep the end of the task from cleaning up.</summary>
    internal async Future DisposeAsync()
    {
        if (TryTake())
        {
            await RunAsync();
        }
        else
        {
            await WhenOverAsync();
        }
    }

    /// <summary>Waits, canceled or not, until whoever has taken it has run it. For the clean-up itself that would be for ever, and it is over at once.</summary>
    private async Future WhenOverAsync()
    {
        if (ManagedTask.Current is not { } current || !ReferenceEquals(Atomics.Read(ref _runner), current))
        {
            using CancelShield shield = ManagedTask.Shield();
            await new EndOfCleanUp(this);
        }
    }

    /// <summary>Seats who waits for its end. Lets it go on at once when that has come.</summary>
    internal void Seat(WaitNode node, int armed)
    {
        _gate.Enter();
        bool waits = node.IsArmed(armed);
        bool goesOn = waits && _isOver && node.TryClaim();
        if (waits && !_isOver)
        {
            _waiters.Append(node);
        }

        _gate.Exit();
        if (goesOn)
        {
            node.GoOn();
        }
    }

    void IWaitQueue.Remove(WaitNode node)
    {
        _gate.Enter();
        _waiters.Remove(node);
        _gate.Exit();
    }

    string IWaitQueue.DescribeWait(WaitNode node) => $"the end of the clean-up of {name}";

    private void NoteEnd()
    {
        _task?.RemoveGuard(this); // not before: who asks what the task holds is told what it gives back
        var batch = default(WakeBatch);
        _gate.Enter();
        _isOver = true;
        _gate.Exit();
        while (ClaimFirst() is { } waiter)
        {
            waiter.Resume(ref batch);
        }

        batch.Flush();
    }

    // Nobody comes any more.
    private WaitNode? ClaimFirst()
    {
        _gate.Enter();
        WaitNode? first = _waiters.ClaimFirst();
        _gate.Exit();
        return first;
    }

    internal sealed override Frame? TakeCleanUp() => TryTake() ? RunAsync().Frame : null;

    internal sealed override void RunAfterEnd()
    {
        if (TryTake())
        {
            RunOnThreadPool();
        }
    }

    /// <summary>Runs it, shielded. Never throws.</summary>
    internal async Future RunAsync()
    {
        using CancelShield shield = ManagedTask.Shield();
        try
        {
            Future cleanUp = CallAsync();
            if (within == Timeout.InfiniteTimeSpan)
            {
                await cleanUp;
            }
            else
            {
                await InTimeAsync(SpawnCleanUp(cleanUp).AsTask()).ConfigureAwait(false); // a task of its own: it may have to be let go
            }
        }
        catch (Exception error) // told, so that it does not hide how the body ended
        {
            Tell(RuntimeEventKind.CleanUpFailed, $"threw {error.GetType().Name}: {error.Message}", error);
        }
        finally
        {
            NoteEnd();
        }
    }

    private async Future CallAsync()
    {
        Atomics.Write(ref _runner, ManagedTask.Current);
        await Call();
        Atomics.Write(ref _runner, null);
    }

    /// <summary>The code that owned the guard was collected. Runs the clean-up where it harms no finalizer.</summary>
    internal void RunLost()
    {
        if (TryTake())
        {
            Tell(RuntimeEventKind.GuardLost, "was never disposed, and the code that owned it is gone; it runs now. Dispose guards that are made outside managed tasks", null);
            RunOnThreadPool();
        }
    }

    // As a task of its own, which is served also when its runtime has stopped.
    private void RunOnThreadPool() => ThreadPool.UnsafeQueueUserWorkItem(
        static cleanUp => _ = Homed.Disposal(cleanUp.Engine.Housekeeping, cleanUp.RunAsync(), "clean-up of", cleanUp.Name).AsTask(), this, preferLocal: false);

    /// <summary>Calls the user's code.</summary>
    private protected abstract Future Call();

    // Not at the root, whose tasks a stop cancels, those also that begin later.
    private ManagedTask SpawnCleanUp(Future cleanUp) =>
        cleanUp.Frame.SpawnInto(Engine.Housekeeping, TaskLabel.Of($"clean-up of {name}", nameof(ResourceGuard), null, file, line));

    private async Task InTimeAsync(Task running)
    {
        try
        {
            await running.WaitAsync(within, Engine.Provider).ConfigureAwait(false);
        }
        catch (TimeoutException late) when (!running.IsCompleted)
        {
            Tell(RuntimeEventKind.CleanUpLate, FormattableString.Invariant($"was not done within {within.TotalSeconds:0.###} s; it goes on and nobody waits for it"), late);
            _ = running.ContinueWith(
                static (task, state) => ((CleanUp)state!).Tell(RuntimeEventKind.CleanUpFailed, $"threw, after its time: {task.Exception!.InnerException!.Message}", task.Exception),
                this,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    private void Tell(RuntimeEventKind kind, string what, Exception? error) => Engine.Publish(new RuntimeEvent(
        kind, $"The clean-up of {name}{(_task is null ? string.Empty : $" in {_task.Title}")} {what}", _task?.Id ?? default, error));
}

/// <inheritdoc/>
internal sealed class CleanUp<T>(T resource, Func<T, Future> cleanUp, string name, TimeSpan within, string file, int line) : CleanUp(name, within, file, line)
{
    private protected override Future Call() => cleanUp(resource);
}

/// <summary>Waits inside a managed task until a clean-up has been run by somebody else.</summary>
internal readonly struct EndOfCleanUp(CleanUp cleanUp) : ICriticalNotifyCompletion, IFrameAwaiter
{
    public bool IsCompleted => false;

    public EndOfCleanUp GetAwaiter() => this;

    public void GetResult() => Park.TakeSignal();

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame)
    {
        if (Park.Begin(frame, cleanUp, out int armed))
        {
            cleanUp.Seat(frame, armed);
        }
    }
}
