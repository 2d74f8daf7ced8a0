using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sites;

namespace Moirai.Futures;

/// <summary>Ends a wait on foreign code that can never end by itself: makes the innermost task that is awaited fail.</summary>
/// <remarks>
/// Where the chain of awaits leads through plain <c>async Task</c> methods it is followed down to the last one, so that their <c>finally</c> blocks run too. It is followed by the walker of <see cref="PlainWalker"/>. What is found is a promise that nobody can keep (the task of a
/// lost <see cref="TaskCompletionSource"/>, a waiter of a lost semaphore or channel): it is failed by the way its own owner would fail it. Where private names of the platform have moved, nothing is done, and the report says so.
/// </remarks>
internal static class ForeignHealing
{
    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private const int DeepestChain = 10_000;
    // What could be failed, of things that are neither tasks nor methods.
    private static readonly Func<object, bool> s_stands = static held => held is ManagedTask or Frame { Owner: not null } or IPlainSeats || FailMethod(held) is not null;

    // Where a context is set the platform lets no awaiting code go on inline. Plain code that keeps its thread, in a finally say, must not keep the search, and with it the stop.
    private static readonly SynchronizationContext s_elsewhere = new Elsewhere();

    private const string Trimmed = "Where a field was trimmed away nothing is found, and the report says that the task could not be resumed.";

    /// <summary>What keeps a suspended frame waiting, at the ends of the chains of plain methods that it awaits: promises, or managed tasks whose end is awaited. More than one where a chain leads through
    /// <see cref="Task.WhenAll(Task[])"/> and its like.</summary>
    /// <returns>Empty when no chain could be followed.</returns>
    internal static List<object> FindPromises(Frame frame)
    {
        List<object> found = [];
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var todo = new Stack<object>();
        PlainWalker walker = PlainWalker.Platform;
        if (frame.FindAwaited(s_stands) is { } first)
        {
            todo.Push(first);
        }

        while (seen.Count < DeepestChain && todo.TryPop(out object? awaited))
        {
            if (!seen.Add(awaited))
            {
                continue;
            }

            if (walker.ReaderOf(awaited) is { } reader)
            {
                if (OfOurs(walker.Awaited(reader, awaited, s_stands), awaited, reader) is { } next)
                {
                    todo.Push(next);
                }
            }
            else if (PartsOf(awaited) is { Count: > 0 } parts)
            {
                parts.ForEach(todo.Push);
            }
            else
            {
                found.Add(awaited);
            }
        }

        return found;
    }

    // Plain code may wait for what is ours: a future, for which it has made a task, or a primitive, in which it has a seat.
    private static object? OfOurs(object? awaited, object method, MachineReader reader) => awaited switch
    {
        Frame { Owner: null } => SlotFor(method, reader),
        Frame future => future.Owner,
        ManagedTask joined => (object?)joined.FindSeat(method) ?? joined, // through AsTask, or by its handle
        IPlainSeats place => place.FindSeat(method),
        _ => awaited,
    };

    // A future that has not begun is not waited for: somewhere beside it is the pool in which it is to run.
    private static CallbackSeat? SlotFor(object method, MachineReader reader)
    {
        CallbackSeat? seat = null;
        for (int i = 0; seat is null && i < reader.Awaiters; i++)
        {
            seat = (reader.Awaited(method, i) as IPlainSeats)?.FindSeat(method);
        }

        return seat;
    }

    /// <summary>Whether a promise stands for tasks that cannot be found from it: that of <c>Task.Run(async …)</c>, and that of <c>Task.WhenAll</c> without results, which only counts. The <c>finally</c> blocks behind it went with it.</summary>
    internal static bool HidesCode(object promise) =>
        promise.GetType().Name is var name && (name.StartsWith("UnwrapPromise", StringComparison.Ordinal) || name == "WhenAllPromise");

    /// <summary>Fails a promise that nobody can keep. Whoever awaits it, a frame of ours in the end, then goes on as after any failure.</summary>
    /// <returns>False when it cannot be failed.</returns>
    internal static bool TryFail(object promise, Exception error)
    {
        SynchronizationContext? own = SynchronizationContext.Current;
        try
        {
            SynchronizationContext.SetSynchronizationContext(s_elsewhere);
            return promise switch
            {
                ManagedTask => false,
                TiedSeat seat => seat.TrySetException(error),
                Task task => PlainWalker.Platform.Works && !task.IsCompleted && TrySetException(task, error), // else it could be that of a method that still ends it
                _ => FailMethod(promise)?.Invoke(promise, [error]) is true,
            };
        }
        catch (Exception moved) when (moved is MissingMethodException or TargetInvocationException)
        {
            return false; // the report says that it could not be resumed
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(own);
        }
    }

    // What a task that is made of others waits for: those of WhenAll and WhenAny, the antecedent of a continuation, what WaitAsync was called on. Told by what its fields hold, not by their names.
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static List<object>? PartsOf(object awaited)
    {
        List<object>? parts = null;
        for (Type? type = awaited.GetType(); awaited is Task && type is not null && type != typeof(Task) && !(type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Task<>)); type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(Any | BindingFlags.DeclaredOnly))
            {
                if (!field.IsStatic && !field.FieldType.IsPrimitive)
                {
                    (parts ??= []).AddRange(Waiting(field.GetValue(awaited)));
                }
            }
        }

        return parts;
    }

    private static IEnumerable<Task> Waiting(object? value) => value switch
    {
        Task task => task.IsCompleted ? [] : [task],
        IEnumerable<Task?> tasks => tasks.OfType<Task>().Where(static task => !task.IsCompleted),
        _ => [],
    };

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static MethodInfo? FailMethod(object promise) =>
        promise is ValueType ? null : promise.GetType().GetMethod("TrySetException", Any, [typeof(Exception)]);

    private sealed class Elsewhere : SynchronizationContext;

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "TrySetException")]
    private static extern bool TrySetException(Task task, object exceptionObject);
}
