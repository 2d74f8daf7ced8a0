using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai;

/// <summary>What <see cref="AsyncOnce{T}.GetAsync(string, int)"/> returns: await it, once.</summary>
/// <typeparam name="T">What is made.</typeparam>
public readonly struct OnceAwaitable<T>
{
    private readonly AsyncOnce<T> _once;
    private readonly string _file;
    private readonly int _line;

    internal OnceAwaitable(AsyncOnce<T> once, string file, int line)
    {
        _once = once;
        _file = file;
        _line = line;
    }

    /// <summary>Called by the compiler.</summary>
    /// <exception cref="InvalidOperationException">Nothing has made it: it is the default value of its type.</exception>
    public Awaiter GetAwaiter() => Once.TryGet(out T value) ? new(value) : new(Once.MakeAsync(_file, _line).GetAwaiter());

    /// <summary>The wait as a future, to be put under a timeout.</summary>
    public Future<T> AsFuture() => Once.TryGet(out T value) ? Future.FromResult(value) : Once.MakeAsync(_file, _line);

    private AsyncOnce<T> Once => _once ?? throw FutureErrors.IsDefault("OnceAwaitable", "AsyncOnce.GetAsync");

    /// <summary>Made for the compiler.</summary>
    public readonly struct Awaiter : ICriticalNotifyCompletion, IFrameAwaiter
    {
        private readonly FutureAwaiter<T> _making;
        private readonly T _value = default!;

        internal Awaiter(T value)
        {
            _value = value;
            IsCompleted = true;
        }

        internal Awaiter(FutureAwaiter<T> making) => _making = making;

        /// <summary>Whether the value is made.</summary>
        public bool IsCompleted { get; }

        /// <summary>The value.</summary>
        /// <exception cref="LockRecursionException">The initialiser asks for the value that it is to make.</exception>
        /// <exception cref="ObjectDisposedException">It was disposed.</exception>
        public T GetResult() => IsCompleted ? _value : _making.GetResult();

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => _making.OnCompleted(continuation);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => _making.UnsafeOnCompleted(continuation);

        void IFrameAwaiter.Suspend(Frame frame) => _making.Suspend(frame);
    }
}
