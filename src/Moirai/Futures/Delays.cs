using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

public readonly partial struct Future
{
    /// <summary>Waits. The entry in the timer queue lives in the waiting frame: nothing is allocated.</summary>
    /// <param name="delay">How long; zero goes on at once, and gives way now and then; <see cref="Timeout.InfiniteTimeSpan"/> waits for cancellation; any length up to
    /// <see cref="TimeSpan.MaxValue"/> is fine. It never ends early. Under the system clock the resolution is a millisecond: the end is rounded up to the next one, and usually comes within one or two after that; later when the machine is busy.</param>
    /// <exception cref="ArgumentOutOfRangeException">The delay is negative.</exception>
    /// <remarks>A cancellation point. Await the result once, inside a managed task (its runtime's clock counts) or in plain <c>async</c> code (then
    /// the default runtime's). Plain code that runs for a task (see <see cref="ManagedTask.Current"/>) waits on the clock of that task, and is interrupted with it.</remarks>
    public static DelayAwaitable Delay(TimeSpan delay)
    {
        Delays.ThrowIfNegative(delay);
        return new DelayAwaitable(delay);
    }

    /// <summary>Waits until an instant of the wall clock of the task's runtime. One that has passed is there at once.</summary>
    /// <remarks>
    /// A cancellation point. The wait itself is on the monotonic clock. When it is over the wall clock is asked again: if it was set back meanwhile, the rest is waited for too, so nobody goes on before <paramref name="until"/> by that clock.
    /// If it was set forward, that is noticed only when the wait that was computed is over. Resolution and lateness are those of <see cref="Delay"/>.
    /// </remarks>
    /// <param name="until">The instant.</param>
    public static async Future DelayUntil(DateTimeOffset until)
    {
        TimeProvider clock = ManagedTask.Current!.Engine.Provider;
        TimeSpan left;
        do
        {
            left = until - clock.GetUtcNow();
            await Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }
        while (left > TimeSpan.Zero && clock.GetUtcNow() < until);
    }

    /// <summary>Gives way to other ready tasks. A cancellation point.</summary>
    public static YieldAwaitable Yield() => default;

}

/// <summary>What all delays refuse.</summary>
internal static class Delays
{
    internal static void ThrowIfNegative(TimeSpan delay, [CallerArgumentExpression(nameof(delay))] string name = "")
    {
        if (delay < TimeSpan.Zero && delay != Timeout.InfiniteTimeSpan)
        {
            ThrowNegative(delay, name);
        }
    }

    private static void ThrowNegative(TimeSpan delay, string name)
    {
        string who = ManagedTask.Current is { } task ? $"{task.Title} asked" : "Plain code asked";
        throw new ArgumentOutOfRangeException(name, delay,
            $"{who} for a negative delay. Clamp a computed delay to zero, or pass Timeout.InfiniteTimeSpan to wait for ever.");
    }
}

/// <summary>What <see cref="Future.Delay"/> returns: await it.</summary>
public readonly struct DelayAwaitable : IEquatable<DelayAwaitable>
{
    private readonly TimeSpan _delay;

    internal DelayAwaitable(TimeSpan delay) => _delay = delay;

    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => new(_delay);

    /// <summary>The delay as a future, to be spawned, timed or collected.</summary>
    public Future AsFuture() => Delay(this);

    /// <summary>The delay as a future, to be spawned, timed or collected.</summary>
    public static implicit operator Future(DelayAwaitable delay) => delay.AsFuture();

    /// <summary>Whether both wait equally long.</summary>
    public bool Equals(DelayAwaitable other) => _delay == other._delay;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is DelayAwaitable other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _delay.GetHashCode();

    /// <summary>Whether both wait equally long.</summary>
    public static bool operator ==(DelayAwaitable left, DelayAwaitable right) => left.Equals(right);

    /// <summary>Whether they wait differently long.</summary>
    public static bool operator !=(DelayAwaitable left, DelayAwaitable right) => !left.Equals(right);

    private static async Future Delay(DelayAwaitable delay) => await delay;

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        private readonly TimeSpan _delay;

        internal Awaiter(TimeSpan delay) => _delay = delay;

        /// <summary>Whether there is nothing to wait for.</summary>
        public bool IsCompleted => _delay == TimeSpan.Zero && StepContext.MayGoOn();

        /// <summary>Returns when the time is over.</summary>
        /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled.</exception>
        public void GetResult()
        {
            TiedNode.ThrowIfEndedEarly(awaited: null);
            Park.TakeSignal();
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => Register(continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => Register(continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame)
        {
            if (_delay == TimeSpan.Zero)
            {
                Park.Yield(frame);
                return;
            }

            ManagedTask task = frame.Owner!;
            var timers = task.Engine.Timers;
            long due = timers.DueIn(_delay);
            if (Park.Begin(frame, timers, out int armed))
            {
                try
                {
                    timers.Arm(frame, due, armed);
                }
                catch (Exception refused)
                {
                    if (Park.TryTakeBack(task, armed))
                    {
                        Park.GoOnWith(frame, refused);
                    }

                    // Canceled in the meantime: the task goes on elsewhere, and its await throws that.
                }
            }
        }

        private void Register(Action continuation, bool flowContext)
        {
            ArgumentNullException.ThrowIfNull(continuation);
            if (_delay == TimeSpan.Zero)
            {
                TiedNode.GiveWay(continuation, flowContext);
                return;
            }

            var timers = Engine.Ambient.Timers;
            var seat = new TiedNode(awaited: null, timers, continuation, flowContext);
            try
            {
                timers.Arm(seat, timers.DueIn(_delay), armed: 0);
            }
            catch (Exception why) // thrown from here it would end the process
            {
                seat.TryEnd(WaitSignal.Refused, why);
            }
        }
    }
}

/// <summary>What <see cref="Future.Yield"/> returns: await it.</summary>
public readonly struct YieldAwaitable : IEquatable<YieldAwaitable>
{
    /// <summary>Called by the compiler.</summary>
    public Awaiter GetAwaiter() => default;

    /// <summary>All are equal.</summary>
    public bool Equals(YieldAwaitable other) => true;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is YieldAwaitable;

    /// <inheritdoc/>
    public override int GetHashCode() => 0;

    /// <summary>All are equal.</summary>
    public static bool operator ==(YieldAwaitable left, YieldAwaitable right) => true;

    /// <summary>None are unequal.</summary>
    public static bool operator !=(YieldAwaitable left, YieldAwaitable right) => false;

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IPassingAwaiter
    {
        /// <summary>Always false: it gives way.</summary>
        public bool IsCompleted => false;

        /// <summary>Returns when it is the task's turn again.</summary>
        /// <exception cref="ManagedTaskCanceledException">The task was canceled.</exception>
        public void GetResult()
        {
            TiedNode.ThrowIfEndedEarly(awaited: null);
            Park.TakeSignal();
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => TiedNode.GiveWay(continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => TiedNode.GiveWay(continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => Park.Yield(frame);
    }
}
