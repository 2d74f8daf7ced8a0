using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Futures;

namespace Moirai;

/// <summary>Builds the futures that <c>async Future</c> methods return. Called by the compiler.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public struct FutureMethodBuilder
{
    private Frame _frame;

    /// <summary>Called by the compiler.</summary>
    public readonly Future Task => new(_frame);

    /// <summary>Called by the compiler.</summary>
    public static FutureMethodBuilder Create() => default;

    /// <summary>Called by the compiler. Moves the state machine to the heap and runs nothing of it: futures are cold.</summary>
    public void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        var frame = AsyncFrame<TStateMachine>.Rent();
        _frame = frame; // this builder is a field of the state machine, so the copy below carries it along
        frame.StateMachine = stateMachine;
    }

    /// <summary>Called by the compiler, for class state machines only in old compilers.</summary>
    [SuppressMessage("Performance", "CA1822", Justification = "The compiler calls it on an instance.")]
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    /// <summary>Called by the compiler.</summary>
    public readonly void SetResult() => _frame.Return();

    /// <summary>Called by the compiler.</summary>
    public readonly void SetException(Exception exception) => _frame.Throw(exception);

    /// <summary>Called by the compiler.</summary>
    public readonly void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => Suspension.AwaitSafe<TAwaiter, TStateMachine>(ref awaiter, _frame);

    /// <summary>Called by the compiler.</summary>
    public readonly void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => Suspension.Await<TAwaiter, TStateMachine>(ref awaiter, _frame);
}

/// <summary>Builds the futures that <c>async Future&lt;T&gt;</c> methods return. Called by the compiler.</summary>
/// <typeparam name="T">What the method returns.</typeparam>
[EditorBrowsable(EditorBrowsableState.Never)]
public struct FutureMethodBuilder<T>
{
    private Frame<T> _frame;

    /// <summary>Called by the compiler.</summary>
    public readonly Future<T> Task => new(_frame);

    /// <summary>Called by the compiler.</summary>
    public static FutureMethodBuilder<T> Create() => default;

    /// <inheritdoc cref="FutureMethodBuilder.Start"/>
    public void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        var frame = AsyncFrame<TStateMachine, T>.Rent();
        _frame = frame;
        frame.StateMachine = stateMachine;
    }

    /// <inheritdoc cref="FutureMethodBuilder.SetStateMachine"/>
    [SuppressMessage("Performance", "CA1822", Justification = "The compiler calls it on an instance.")]
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    /// <summary>Called by the compiler.</summary>
    public readonly void SetResult(T result)
    {
        _frame.Result = result;
        _frame.Return();
    }

    /// <summary>Called by the compiler.</summary>
    public readonly void SetException(Exception exception) => _frame.Throw(exception);

    /// <summary>Called by the compiler.</summary>
    public readonly void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => Suspension.AwaitSafe<TAwaiter, TStateMachine>(ref awaiter, _frame);

    /// <summary>Called by the compiler.</summary>
    public readonly void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => Suspension.Await<TAwaiter, TStateMachine>(ref awaiter, _frame);
}
