using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Futures;

/// <summary>Awaits a future inside a managed task, and gives its failure instead of throwing it.</summary>
/// <exception cref="InvalidOperationException">The future was spawned or awaited before.</exception>
internal readonly struct Attempt<T> : ICriticalNotifyCompletion, IFrameAwaiter
{
    private readonly Frame<T> _frame;

    internal Attempt(Future<T> future)
    {
        _frame = future.Frame;
        Spawning.ThrowIfNotCold(_frame);
    }

    public bool IsCompleted => false;

    public Attempt<T> GetAwaiter() => this;

    public (T Result, Exception? Error) GetResult()
    {
        T result = _frame.Result; // taking the outcome releases it
        return FutureAwait.TryTakeOutcome(_frame, out Exception? error) ? (result, null) : (default!, error);
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame) => _frame.StartUnder(frame);
}

/// <summary>Awaited by a method that ends as canceled: its frame has ended with the error from there on, and nothing is thrown in it. To be awaited outside every <c>try</c>.</summary>
internal readonly struct EndCanceled(ManagedTaskCanceledException error) : ICriticalNotifyCompletion, IFrameAwaiter
{
    public bool IsCompleted => false;

    public EndCanceled GetAwaiter() => this;

    public void GetResult() => throw new UnreachableException("The frame has ended.");

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => throw new NotSupportedException("Awaited inside futures only.");

    public void Suspend(Frame frame) => frame.Throw(error);
}
