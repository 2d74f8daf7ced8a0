using Moirai.Execution;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai;

/// <summary>Runs tasks on whichever single thread drives it, until nothing is ready: for embedding, UI loops, simulation and tests.</summary>
/// <remarks>
/// Nothing runs unless a thread is inside <see cref="RunUntilStalled"/> or <see cref="RunUntil"/>; only one may be at a time. Tasks may be spawned and woken from any thread;
/// they run on the driving one, in the order in which they became ready. Plain <c>async Task</c> code that a task calls continues on the
/// thread pool as ever; the task itself comes back here.
/// </remarks>
public sealed class LocalExecutor : Executor
{
    private const long Slice = 256;
    private const int StepsBetweenLooksAtTheClock = 64;

    private readonly ReadyQueue _queue = new();

    // Pulsed when something is pushed that nobody was bound to pop.
    private readonly Bed _arrived = new();

    // For who waits for work without a thread. Under the lock.
    private TaskCompletionSource? _arrival;

    // The managed id of the driving thread, 0 when there is none. Interlocked.
    private int _driver;

    // Written by the driving thread.
    private long _steps;

    /// <inheritdoc/>
    public override int ReadyCount => _queue.Count;

    /// <inheritdoc/>
    public override long StepCount => Volatile.Read(ref _steps);

    /// <summary>Steps every ready task, and those that become ready meanwhile, until none is.</summary>
    /// <returns>How many steps were run.</returns>
    /// <exception cref="InvalidOperationException">Another thread drives this executor, or a task on it calls this.</exception>
    public long RunUntilStalled()
    {
        Begin();
        try
        {
            return Drain(long.MaxValue);
        }
        finally
        {
            End();
        }
    }

    /// <summary>Steps one ready task.</summary>
    /// <returns>False when none was ready.</returns>
    /// <exception cref="InvalidOperationException">Another thread drives this executor, or a task on it calls this.</exception>
    public bool RunOneStep()
    {
        Begin();
        try
        {
            return Drain(1) == 1;
        }
        finally
        {
            End();
        }
    }

    /// <summary>Drives the executor, sleeping when nothing is ready, until <paramref name="task"/> has ended. Its outcome is in the task.</summary>
    /// <param name="task">A task; one that only something else can wake, on a runtime under virtual time, keeps this waiting for ever.</param>
    /// <param name="cancellationToken">Ends the waiting; the task goes on when the executor is driven again.</param>
    /// <exception cref="InvalidOperationException">Another thread drives this executor, or a task on it calls this.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public void RunUntil(ManagedTask task, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(task);
        Begin();
        try
        {
            using CancellationTokenRegistration wake = cancellationToken.UnsafeRegister(static state => ((LocalExecutor)state!).Pulse(), this);
            while (true)
            {
                // In slices: a task that is always ready must not hide the end, nor the token.
                bool stalled = Drain(Slice) < Slice;
                if (task.HasLeft)
                {
                    return;
                }

                cancellationToken.ThrowIfCancellationRequested();
                if (!stalled)
                {
                    continue;
                }

                using (_arrived.Enter())
                {
                    // A push between the drain and here has put the queue on duty, which is seen; a later one pulses.
                    while (!_queue.IsServed)
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        _arrived.Sleep(Timeout.Infinite);
                    }
                }
            }
        }
        finally
        {
            End();
        }
    }

    private protected override void Take(Frame frame, StepContext? context)
    {
        if (_queue.Push(frame))
        {
            Pulse();
        }
    }

    private protected override void TakeChain(WaitNode head, int count)
    {
        if (_queue.PushChain(head, count))
        {
            Pulse();
        }
    }

    /// <summary>Drives the executor for a while, unless somebody does already.</summary>
    /// <returns>Whether it was driven, and has more to do.</returns>
    internal bool TryRunSlice()
    {
        if (Atomics.CompareExchange(ref _driver, Environment.CurrentManagedThreadId, 0) != 0)
        {
            return false;
        }

        try
        {
            return Drain(Slice) == Slice;
        }
        finally
        {
            End();
        }
    }

    /// <summary>Ends when something arrives that nobody was bound to run, or when a driver leaves; at once if something may be there with nobody to run it.</summary>
    internal Task NextArrival()
    {
        Task arrival = Task.CompletedTask;
        using (_arrived.Enter())
        {
            if (Atomics.Read(ref _driver) != 0 || !_queue.IsServed)
            {
                _arrival ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                arrival = _arrival.Task;
            }
        }

        return arrival;
    }

    private void Pulse()
    {
        using (_arrived.Enter())
        {
            _arrived.Call();
            _arrival?.SetResult();
            _arrival = null;
        }
    }

    private long Drain(long most)
    {
        StepContext context = StepContext.Current;
        object? outerShard = context.Shard;
        context.Shard = null;
        context.Stamp = AccountCell.Unread;
        ExecutionContext clean = ExecutionContext.Capture() ?? throw new InvalidOperationException(
            "The flow of the execution context is suppressed on this thread; drive a LocalExecutor outside ExecutionContext.SuppressFlow.");
        long steps = 0;
        int outerSeconds = context.Seconds; // a body may drive an executor of another runtime
        TimerQueue? timers = AttachedTo?.Timers;
        _queue.TryServe();
        while (steps < most && _queue.Pop(leaveIfEmpty: true) is { } frame)
        {
            if (steps % StepsBetweenLooksAtTheClock == 0 && timers is not null)
            {
                context.Seconds = (int)(timers.Now / TimeSpan.TicksPerSecond);
            }

            Stepper.Run(frame, context, clean);
            steps++;
            _steps++;
        }

        context.Shard = outerShard;
        context.Seconds = outerSeconds;
        return steps;
    }

    private void Begin()
    {
        int driver = Atomics.CompareExchange(ref _driver, Environment.CurrentManagedThreadId, 0);
        if (driver != 0)
        {
            throw new InvalidOperationException(driver == Environment.CurrentManagedThreadId
                ? $"A task on this LocalExecutor ({ManagedTask.Current?.Title ?? "unknown"}) tried to drive the executor it runs on. Await instead."
                : "Another thread drives this LocalExecutor already. One thread at a time may.");
        }
    }

    private void End()
    {
        using (_arrived.Enter())
        {
            Atomics.Write(ref _driver, 0);

            // Whoever waits looks again: something may be ready with nobody there to run it.
            _arrival?.SetResult();
            _arrival = null;
        }
    }
}
