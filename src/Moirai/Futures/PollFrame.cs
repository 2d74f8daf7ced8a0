using Moirai.Execution;
using Moirai.Futures;
using Moirai.Wakers;

namespace Moirai
{
    public readonly partial struct Future
    {
        /// <summary>A leaf future of your own: <paramref name="poll"/> is asked whether the operation is done; when it is not, it has stored the waker it
        /// was given, and is asked again after that was woken.</summary>
        /// <remarks>Store the waker before looking at the condition, so that no wake is lost. What the function throws is what the await throws. It is a cancellation
        /// point: when the task is canceled while it waits, the function is not asked again.</remarks>
        /// <param name="poll">Runs as a part of the task that awaits; must not block.</param>
        public static Future FromPoll(Func<Waker, bool> poll)
        {
            ArgumentNullException.ThrowIfNull(poll);
            return new Future(new PollFrame(poll));
        }
    }
}

namespace Moirai.Futures
{
    /// <summary>The frame of a future made by <see cref="Future.FromPoll"/>.</summary>
    internal sealed class PollFrame(Func<Waker, bool> poll) : Frame, IWaitQueue
    {
        private Func<Waker, bool>? _poll = poll;
        private Target? _target;

        internal override string Method => "a polled future";

        internal override void MoveNext()
        {
            Target target = _target ??= new Target(this);
            try
            {
                Park.TakeSignal();
                target.Reset();
                if (_poll!(new Waker(target)))
                {
                    target.Cut();
                    Return();
                    return;
                }
            }
            catch (Exception error) // it is the body's error, and goes where a body's errors go
            {
                target.Cut();
                Throw(error);
                return;
            }

            Context = ExecutionContext.Capture();
            if (target.IsWoken)
            {
                Park.Yield(this); // woken meanwhile, perhaps by itself: asked again, but others come first, and so does a cancellation
                return;
            }

            if (Park.Begin(this, this, out int armed) && target.IsWoken && Owner!.Word.TryWake(armed))
            {
                GoOn();
            }
        }

        internal override void Release()
        {
            _poll = null;
            _target?.Cut();
        }

        void IWaitQueue.Remove(WaitNode node)
        {
            // The frame waits nowhere but in itself: there is nothing to unlink.
        }

        string IWaitQueue.DescribeWait(WaitNode node) => "a polled operation to wake it";

        private sealed class Target(PollFrame frame) : WakeTarget(frame.Owner!.Id)
        {
            // Cleared when the frame ends, by the frame; a waker that is kept then leads nowhere.
            private PollFrame? _frame = frame;

            // 1 from a wake to the next poll. Interlocked: a fence on both sides, so that the waiter sees the wake or the wake sees the waiter.
            private int _woken;

            internal bool IsWoken => Atomics.Read(ref _woken) != 0;

            internal void Reset() => Atomics.Exchange(ref _woken, 0);

            internal void Cut() => Atomics.Write(ref _frame, null);

            internal override void Wake()
            {
                if (Atomics.Exchange(ref _woken, 1) == 0 && Atomics.Read(ref _frame) is { } frame)
                {
                    frame.WakePoll();
                }
            }
        }

        private void WakePoll()
        {
            ManagedTask task = Owner!;
            int armed = task.Word.Peek();
            if (ReferenceEquals(task.Leaf, this) && task.Word.TryWake(armed))
            {
                task.Engine.Executor.Enqueue(this);
            }
        }
    }
}
