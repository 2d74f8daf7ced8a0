using Moirai.Futures;

namespace Moirai
{
    /// <content>Leaf futures made of a callback.</content>
    public readonly partial struct Future
    {
        /// <summary>A leaf future that ends when a callback comes: <paramref name="register"/> begins the operation and sees to it that its callback sets the source it was given.</summary>
        /// <typeparam name="TState">The type of the state.</typeparam>
        /// <typeparam name="T">What the callback brings; for one that brings nothing take <c>bool</c>: every <see cref="Future{T}"/> is also a <see cref="Future"/>.</typeparam>
        /// <param name="state">Handed to both functions, which then need no closure.</param>
        /// <param name="register">Called once, as a part of the task that awaits; must not block. It may set the source itself. What it throws is what the await throws.</param>
        /// <param name="unregister">Called once if the wait ends before the callback came, because the task was canceled or <paramref name="register"/> threw; as a part of the task; must not block. The source
        /// is closed already. Not called in any other case: a callback that came needs no unregistering. What it throws is told to <see cref="TaskRuntimeOptions.OnEvent"/> and changes nothing.</param>
        /// <param name="waitingFor">What it waits for, for messages: <c>the reply to request 17</c>.</param>
        /// <remarks>A callback may come never, late, twice, at once, or on any thread: see <see cref="CallbackSource{T}"/>. A cancellation point. When the callback comes at the very moment of
        /// the cancellation, its value is not lost: the await gives it, and the next wait throws.</remarks>
        public static Future<T> FromCallback<TState, T>(
            TState state, Action<TState, CallbackSource<T>> register, Action<TState, CallbackSource<T>>? unregister = null, string? waitingFor = null)
        {
            ArgumentNullException.ThrowIfNull(register);
            return new Future<T>(new CallbackFrame<TState, T>(state, register, unregister, waitingFor));
        }

        /// <inheritdoc cref="FromCallback{TState, T}"/>
        public static Future<T> FromCallback<T>(Action<CallbackSource<T>> register, Action<CallbackSource<T>>? unregister = null, string? waitingFor = null)
        {
            ArgumentNullException.ThrowIfNull(register);
            return FromCallback<(Action<CallbackSource<T>> Register, Action<CallbackSource<T>>? Unregister), T>(
                (register, unregister),
                static (both, source) => both.Register(source),
                unregister is null ? null : static (both, source) => both.Unregister!(source),
                waitingFor);
        }
    }
}

namespace Moirai.Futures
{
    /// <summary>The frame of a future made by <see cref="Future.FromCallback{TState, T}"/>.</summary>
    internal sealed class CallbackFrame<TState, T>(
        TState state, Action<TState, CallbackSource<T>> register, Action<TState, CallbackSource<T>>? unregister, string? waitingFor)
        : PollFrame<T>(waitingFor ?? "a callback")
    {
        private TState _state = state;
        private Action<TState, CallbackSource<T>>? _register = register;
        private Action<TState, CallbackSource<T>>? _unregister = unregister;

        // Made by the first look; held by whoever owes the callback, too.
        private CallbackSource<T>? _source;

        internal override void Release()
        {
            _state = default!;
            _register = null;
            _unregister = null;
            _source = null;
        }

        private protected override Poll<T> Ask(Waker waker)
        {
            if (_source is null)
            {
                _source = new CallbackSource<T>(waker.Target!);
                Register(_source);
            }

            return _source.TryTake(out T? result) ? Poll<T>.Ready(result) : Poll<T>.Pending;
        }

        private protected override bool TryLeave(out Poll<T> last)
        {
            last = default;
            if (_source is not { } source)
            {
                return false;
            }

            if (source.TryClose())
            {
                Unregister(source);
                return false;
            }

            if (!source.TryTake(out T? result))
            {
                return false;
            }

            last = Poll<T>.Ready(result);
            return true;
        }

        private void Register(CallbackSource<T> source)
        {
            try
            {
                _register!(_state, source);
            }
            catch
            {
                if (source.TryClose())
                {
                    Unregister(source);
                }
                else
                {
                    source.Drop();
                }

                throw;
            }
        }

        private void Unregister(CallbackSource<T> source)
        {
            try
            {
                _unregister?.Invoke(_state, source);
            }
            catch (Exception error) // why the wait ended is what the task has to know, and must not be lost for it
            {
                ManagedTask task = Owner!;
                task.Engine.Publish(new RuntimeEvent(
                    RuntimeEventKind.CancelCallbackFailed,
                    $"{task.Title} gave up waiting for {WaitingFor}, and unregistering from that threw: {error.Message}",
                    task.Id,
                    error));
            }
        }
    }
}
