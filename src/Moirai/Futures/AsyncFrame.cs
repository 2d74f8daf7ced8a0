using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sites;

namespace Moirai.Futures;

/// <summary>The frame of an <c>async Future</c> method.</summary>
internal sealed class AsyncFrame<TStateMachine> : Frame
    where TStateMachine : IAsyncStateMachine
{
    private static readonly string s_method = MethodName.Of(typeof(TStateMachine).Name);

    // The locals. Written before the frame is published, then by the running step; cleared at the end.
    internal TStateMachine StateMachine = default!;

    internal override string Method => s_method;

    internal override void MoveNext() => StateMachine.MoveNext();

    internal override void Release() => StateMachine = default!;

    internal override object? FindAwaited() => ForeignHealing.AwaitedBy(StateMachine, StateMachineFields<TStateMachine>.All);
}

/// <summary>The frame of an <c>async Future&lt;T&gt;</c> method.</summary>
internal sealed class AsyncFrame<TStateMachine, T> : Frame<T>
    where TStateMachine : IAsyncStateMachine
{
    private static readonly string s_method = MethodName.Of(typeof(TStateMachine).Name);

    // The locals. Written before the frame is published, then by the running step; cleared at the end.
    internal TStateMachine StateMachine = default!;

    internal override string Method => s_method;

    internal override void MoveNext() => StateMachine.MoveNext();

    internal override void Release()
    {
        StateMachine = default!;
        Result = default!;
    }

    internal override object? FindAwaited() => ForeignHealing.AwaitedBy(StateMachine, StateMachineFields<TStateMachine>.All);
}

/// <summary>What the builders do at an await that has to wait.</summary>
internal static class Suspension
{
    internal static void Await<TAwaiter>(ref TAwaiter awaiter, Frame frame)
        where TAwaiter : ICriticalNotifyCompletion
    {
        frame.Context = ExecutionContext.Capture();

        // Settled when the code is compiled for the awaiter's type; no boxing takes place.
        if (default(TAwaiter) is not null && awaiter is IFrameAwaiter)
        {
            ((IFrameAwaiter)awaiter).Suspend(frame);
        }
        else
        {
            ForeignWait.Suspend(frame, ref awaiter);
        }
    }

    internal static void AwaitSafe<TAwaiter>(ref TAwaiter awaiter, Frame frame)
        where TAwaiter : INotifyCompletion
    {
        frame.Context = ExecutionContext.Capture();
        if (default(TAwaiter) is not null && awaiter is IFrameAwaiter)
        {
            ((IFrameAwaiter)awaiter).Suspend(frame);
        }
        else
        {
            ForeignWait.SuspendSafe(frame, ref awaiter);
        }
    }
}

/// <summary>The fields of a state machine, looked up once.</summary>
internal static class StateMachineFields<TStateMachine>
{
    internal static readonly System.Reflection.FieldInfo[] All = Find();

    [System.Diagnostics.CodeAnalysis.UnconditionalSuppressMessage("Trimming", "IL2090", Justification = "Where a field was trimmed away nothing is found, and the report says that the task could not be resumed.")]
    private static System.Reflection.FieldInfo[] Find() => typeof(TStateMachine).GetFields(
        System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic);
}
