using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;
using Moirai.Wakers;

namespace Moirai;

/// <summary>A spawn that waits for a slot; await it to get the handle. Nothing happens before.</summary>
public readonly struct PoolSpawn : IEquatable<PoolSpawn>
{
    private readonly TaskPool _pool;
    private readonly Body _body;

    internal PoolSpawn(TaskPool pool, in Body body)
    {
        _pool = pool;
        _body = body;
        Spawning.Keep(body.Root); // this value may be kept
    }

    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => _body.Root is null ? throw SlotWait.IsDefault() : new(this);

    /// <summary>The spawn as a future, to be timed or awaited elsewhere.</summary>
    public Future<ManagedTask> AsFuture() => Homed.In(_pool.Home, SpawnAsync(this), "spawn into pool", _pool.Name);

    /// <summary>Whether both are the same spawn.</summary>
    public bool Equals(PoolSpawn other) => ReferenceEquals(_body.Root, other._body.Root);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PoolSpawn other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(_body.Root);

    /// <summary>Whether both are the same spawn.</summary>
    public static bool operator ==(PoolSpawn left, PoolSpawn right) => left.Equals(right);

    /// <summary>Whether they are different spawns.</summary>
    public static bool operator !=(PoolSpawn left, PoolSpawn right) => !left.Equals(right);

    private static async Future<ManagedTask> SpawnAsync(PoolSpawn spawn) => await spawn;

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly PoolSpawn _spawn;

        internal Awaiter(PoolSpawn spawn) => _spawn = spawn;

        /// <summary>Whether a slot was free; if so, it is taken.</summary>
        public bool IsCompleted => SlotWait.TryTake(_spawn._pool, _spawn._body.Root);

        /// <summary>Spawns the task into the slot that was taken.</summary>
        /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled; nothing was spawned.</exception>
        /// <exception cref="InvalidOperationException">The pool takes no work any more, or the future was run before.</exception>
        public ManagedTask GetResult()
        {
            SlotWait.TakeSignal(_spawn._pool, _spawn._body.Root);
            return _spawn._pool.SpawnHolding(_spawn._body);
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => SlotWait.Register(_spawn._pool, _spawn._body.Root, continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => SlotWait.Register(_spawn._pool, _spawn._body.Root, continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => SlotWait.Suspend(_spawn._pool, frame);
    }
}

/// <summary>A spawn that waits for a slot; await it to get the handle. Nothing happens before.</summary>
/// <typeparam name="T">What the task gives.</typeparam>
public readonly struct PoolSpawn<T> : IEquatable<PoolSpawn<T>>
{
    private readonly TaskPool _pool;
    private readonly Body<T> _body;

    internal PoolSpawn(TaskPool pool, in Body<T> body)
    {
        _pool = pool;
        _body = body;
        Spawning.Keep(body.Root); // this value may be kept
    }

    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => _body.Root is null ? throw SlotWait.IsDefault() : new(this);

    /// <inheritdoc cref="PoolSpawn.AsFuture"/>
    public Future<ManagedTask<T>> AsFuture() => Homed.In(_pool.Home, SpawnAsync(this), "spawn into pool", _pool.Name);

    /// <summary>Whether both are the same spawn.</summary>
    public bool Equals(PoolSpawn<T> other) => ReferenceEquals(_body.Root, other._body.Root);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PoolSpawn<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(_body.Root);

    /// <summary>Whether both are the same spawn.</summary>
    public static bool operator ==(PoolSpawn<T> left, PoolSpawn<T> right) => left.Equals(right);

    /// <summary>Whether they are different spawns.</summary>
    public static bool operator !=(PoolSpawn<T> left, PoolSpawn<T> right) => !left.Equals(right);

    private static async Future<ManagedTask<T>> SpawnAsync(PoolSpawn<T> spawn) => await spawn;

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly PoolSpawn<T> _spawn;

        internal Awaiter(PoolSpawn<T> spawn) => _spawn = spawn;

        /// <inheritdoc cref="PoolSpawn.Awaiter.IsCompleted"/>
        public bool IsCompleted => SlotWait.TryTake(_spawn._pool, _spawn._body.Root);

        /// <inheritdoc cref="PoolSpawn.Awaiter.GetResult"/>
        public ManagedTask<T> GetResult()
        {
            SlotWait.TakeSignal(_spawn._pool, _spawn._body.Root);
            return _spawn._pool.SpawnHolding(_spawn._body);
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => SlotWait.Register(_spawn._pool, _spawn._body.Root, continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => SlotWait.Register(_spawn._pool, _spawn._body.Root, continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => SlotWait.Suspend(_spawn._pool, frame);
    }
}

/// <summary>What both awaiters do. The cold root of the task to be carries the answer to waiters in plain code.</summary>
internal static class SlotWait
{
    // In the Due of a cold root: somebody awaits the spawn and has, or will be given, a slot for it.
    private const int Awaited = 1;

    internal static InvalidOperationException IsDefault() => new("This is default(PoolSpawn), which no pool has made: there is nothing to spawn. Call TaskPool.SpawnAsync.");

    internal static bool TryTake(TaskPool pool, Frame root)
    {
        Spawning.ThrowIfNotCold(root);
        if (root.Due == Awaited)
        {
            throw new InvalidOperationException($"The spawn of {root.Method} into pool '{pool.Name}' is awaited already. Await it once; the handle it gives may be awaited any number of times.");
        }

        root.Due = Awaited;
        return StepContext.MayGoOn() && pool.Slots.TryTake();
    }

    internal static void TakeSignal(TaskPool pool, Frame root)
    {
        if (root.Phase == FramePhase.Cold)
        {
            if (root.Due != Awaited)
            {
                throw new InvalidOperationException(
                    $"The spawn of {root.Method} into pool '{pool.Name}' holds no slot: GetResult does not wait for one. Await it; from synchronous code use TrySpawn, or TaskRuntime.Run on AsFuture().");
            }

            root.Due = 0;
        }

        TiedNode.ThrowIfEndedEarly(root);
        WaitSignal signal = Park.TakeSignal();
        if (signal == WaitSignal.Done)
        {
            signal = root.Signal;
            root.Signal = WaitSignal.Done;
        }

        if (signal == WaitSignal.Closed)
        {
            throw pool.Slots.ClosedError();
        }
    }

    internal static void Register(TaskPool pool, Frame root, Action continuation, bool flowContext)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        pool.Slots.Wait(new TiedNode(root, pool.Slots, continuation, flowContext, answer: root), armed: 0);
    }

    internal static void Suspend(TaskPool pool, Frame frame)
    {
        if (Park.Begin(frame, pool.Slots, out int armed))
        {
            pool.Slots.Wait(frame, armed);
        }
    }
}
