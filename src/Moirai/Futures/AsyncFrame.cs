using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sites;

namespace Moirai.Futures;

/// <summary>The frame of an <c>async Future</c> method.</summary>
internal sealed class AsyncFrame<TStateMachine> : Frame
    where TStateMachine : IAsyncStateMachine
{
    private static readonly string s_method = MethodName.Of(typeof(TStateMachine).Name);
    private static readonly FrameFlow s_flow = new();

    [ThreadStatic]
    private static FrameShelf? t_shelf;

    // The locals. Written before the frame is published, then by the running step; cleared at the end.
    internal TStateMachine StateMachine = default!;

    private AsyncFrame()
        : base(isReusable: true)
    {
    }

    /// <summary>A frame for one call: one that has served before, or a new one.</summary>
    internal static AsyncFrame<TStateMachine> Rent()
    {
        if (!Bed.ReusesFrames)
        {
            return new AsyncFrame<TStateMachine>();
        }

        FrameShelf shelf = t_shelf ??= new FrameShelf(s_flow);
        return shelf.TryTake() is { } frame ? Unsafe.As<AsyncFrame<TStateMachine>>(frame) : Make(shelf);
    }

    private static AsyncFrame<TStateMachine> Make(FrameShelf shelf)
    {
        for (int i = shelf.RunLength; i > 1; i--)
        {
            shelf.Add(new AsyncFrame<TStateMachine>());
        }

        return new AsyncFrame<TStateMachine>();
    }

    private protected override void Shelve() => (t_shelf ??= new FrameShelf(s_flow)).Put(this);

    internal override string Method => s_method;

    internal override bool MayBePassedOver => Passing<TStateMachine>.Is;

    internal override void MoveNext()
    {
        if (Owner!.Engine.Accounting != AccountingLevel.None && PlainCode<TStateMachine>.IsCalled)
        {
            AccountFlow.Begin(this);
        }

        StateMachine.MoveNext();
    }

    internal override void Release() => StateMachine = default!;

    internal override string Place => Machines.PlaceOf(this, s_method, typeof(TStateMachine));

    internal override object? FindAwaited(Func<object, bool>? stands = null) => Machines.AwaitedBy(this, stands);
}

/// <summary>The frame of an <c>async Future&lt;T&gt;</c> method.</summary>
internal sealed class AsyncFrame<TStateMachine, T> : Frame<T>
    where TStateMachine : IAsyncStateMachine
{
    private static readonly string s_method = MethodName.Of(typeof(TStateMachine).Name);
    private static readonly FrameFlow s_flow = new();

    [ThreadStatic]
    private static FrameShelf? t_shelf;

    // The locals. Written before the frame is published, then by the running step; cleared at the end.
    internal TStateMachine StateMachine = default!;

    private AsyncFrame()
        : base(isReusable: true)
    {
    }

    /// <summary>A frame for one call: one that has served before, or a new one.</summary>
    internal static AsyncFrame<TStateMachine, T> Rent()
    {
        if (!Bed.ReusesFrames)
        {
            return new AsyncFrame<TStateMachine, T>();
        }

        FrameShelf shelf = t_shelf ??= new FrameShelf(s_flow);
        return shelf.TryTake() is { } frame ? Unsafe.As<AsyncFrame<TStateMachine, T>>(frame) : Make(shelf);
    }

    private static AsyncFrame<TStateMachine, T> Make(FrameShelf shelf)
    {
        for (int i = shelf.RunLength; i > 1; i--)
        {
            shelf.Add(new AsyncFrame<TStateMachine, T>());
        }

        return new AsyncFrame<TStateMachine, T>();
    }

    private protected override void Shelve() => (t_shelf ??= new FrameShelf(s_flow)).Put(this);

    internal override string Method => s_method;

    internal override bool MayBePassedOver => Passing<TStateMachine>.Is;

    internal override void MoveNext()
    {
        if (Owner!.Engine.Accounting != AccountingLevel.None && PlainCode<TStateMachine>.IsCalled)
        {
            AccountFlow.Begin(this);
        }

        StateMachine.MoveNext();
    }

    internal override void Release()
    {
        StateMachine = default!;
        Result = default!;
    }

    internal override string Place => Machines.PlaceOf(this, s_method, typeof(TStateMachine));

    internal override object? FindAwaited(Func<object, bool>? stands = null) => Machines.AwaitedBy(this, stands);
}

/// <summary>What the builders do at an await that has to wait.</summary>
internal static class Suspension
{
    internal static void Await<TAwaiter, TStateMachine>(ref TAwaiter awaiter, Frame frame)
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
            PlainCode<TStateMachine>.IsCalled = true;
            ForeignWait.Suspend(frame, ref awaiter);
        }
    }

    internal static void AwaitSafe<TAwaiter, TStateMachine>(ref TAwaiter awaiter, Frame frame)
        where TAwaiter : INotifyCompletion
    {
        frame.Context = ExecutionContext.Capture();
        if (default(TAwaiter) is not null && awaiter is IFrameAwaiter)
        {
            ((IFrameAwaiter)awaiter).Suspend(frame);
        }
        else
        {
            PlainCode<TStateMachine>.IsCalled = true;
            ForeignWait.SuspendSafe(frame, ref awaiter);
        }
    }
}

/// <summary>What can be read of the state machine in a frame.</summary>
internal static class Machines
{
    /// <inheritdoc cref="Frame.Place"/>
    internal static string PlaceOf(Frame frame, string method, Type machine) =>
        MachineReader.Of(frame.GetType()) is { } reader && MethodSites.Of(machine).At(reader.State(frame)) is { } site ? $"{method} ({site})" : method;

    /// <inheritdoc cref="Frame.FindAwaited"/>
    internal static object? AwaitedBy(Frame frame, Func<object, bool>? stands) =>
        MachineReader.Of(frame.GetType()) is { } reader ? PlainWalker.Platform.Awaited(reader, frame, stands) : null;
}

/// <summary>Whether a method of futures calls plain <c>async</c> code that goes on while it waits: only then its tasks pay for an execution context of their own.</summary>
/// <remarks>Told by the fields of its state machine, before it runs first: an awaiter that is not ours, or a task. Where these were trimmed away, by its first such await.</remarks>
internal static class PlainCode<TStateMachine>
{
    // Set once, by whoever finds out; who reads it late misses an account of times, and nothing else.
    internal static bool IsCalled = Array.Exists(StateMachineFields<TStateMachine>.All, static field => PlainCode.IsBehind(field));
}

/// <inheritdoc cref="PlainCode{TStateMachine}"/>
internal static class PlainCode
{
    private const string AwaiterPrefix = "<>u__";

    internal static bool IsBehind(System.Reflection.FieldInfo field)
    {
        Type type = field.FieldType;
        if (field.Name.StartsWith(AwaiterPrefix, StringComparison.Ordinal))
        {
            return !type.IsAssignableTo(typeof(IFrameAwaiter)) || type.IsAssignableTo(typeof(IForeignFrameAwaiter));
        }

        return type.IsAssignableTo(typeof(Task)) || type == typeof(ValueTask) || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>));
    }
}

/// <summary>The fields of a state machine, looked up once.</summary>
internal static class StateMachineFields<TStateMachine>
{
    internal static readonly System.Reflection.FieldInfo[] All = Find();

    [System.Diagnostics.CodeAnalysis.UnconditionalSuppressMessage("Trimming", "IL2090", Justification = "Where a field was trimmed away, the first such await tells.")]
    private static System.Reflection.FieldInfo[] Find() => typeof(TStateMachine).GetFields(
        System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic);
}
