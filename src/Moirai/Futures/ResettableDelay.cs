using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;

namespace Moirai;

/// <summary>A delay whose end can be moved, earlier or later, before it is over and after: for idle timeouts, leases, debouncing.</summary>
/// <remarks>
/// It begins when it is made, on the clock of the current task's runtime (of the default runtime in plain code). It holds an entry in the timer queue only while somebody awaits it, so there is nothing to dispose of. One
/// waiter at a time, inside managed tasks a cancellation point; <see cref="Reset"/> may be called from any thread.
/// </remarks>
public sealed class ResettableDelay
{
    private readonly MovableWait _wait;

    /// <summary>Begins a delay.</summary>
    /// <param name="delay">How long; zero is over at once, <see cref="Timeout.InfiniteTimeSpan"/> lasts until it is reset.</param>
    /// <exception cref="ArgumentOutOfRangeException">The delay is negative.</exception>
    public ResettableDelay(TimeSpan delay)
    {
        Delays.ThrowIfNegative(delay);
        _wait = new MovableWait(Engine.Ambient, delay, "a resettable delay");
    }

    /// <summary>Whether it is over.</summary>
    public bool IsElapsed => _wait.IsDue;

    /// <summary>Lets it end <paramref name="delay"/> from now, whether it goes on or is over. Who waits goes on waiting, until the new end.</summary>
    /// <remarks>A waiter whose time was over is let go on all the same, although it may not have run yet.</remarks>
    /// <param name="delay">How long from now; zero ends it at once.</param>
    /// <exception cref="ArgumentOutOfRangeException">The delay is negative.</exception>
    public void Reset(TimeSpan delay)
    {
        Delays.ThrowIfNegative(delay);
        _wait.MoveTo(_wait.Timers.DueIn(delay));
    }

    /// <summary>Awaits its end.</summary>
    public Awaiter GetAwaiter() => new(_wait);

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly MovableWait _wait;

        // Plain code only.
        private readonly MovableSeat? _seat;

        internal Awaiter(MovableWait wait)
        {
            _wait = wait;
            _seat = wait.Prepare();
        }

        /// <summary>Whether it is over.</summary>
        public bool IsCompleted => _wait.IsDue && StepContext.MayGoOn();

        /// <summary>Returns when it is over.</summary>
        /// <exception cref="ManagedTaskCanceledException">The waiting task was canceled.</exception>
        /// <exception cref="InvalidOperationException">Somebody else awaits it.</exception>
        public void GetResult() => _wait.Finish(_seat);

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _wait.Register(_seat, continuation, flowContext: true);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _wait.Register(_seat, continuation, flowContext: false);

        void IFrameAwaiter.Suspend(Frame frame) => _wait.Suspend(frame);
    }
}
