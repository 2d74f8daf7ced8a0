using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Sites;

namespace Moirai.Futures;

/// <summary>Ends a wait on foreign code that can never end by itself: makes the innermost task that is awaited fail.</summary>
/// <remarks>
/// Where the chain of awaits leads through plain <c>async Task</c> methods it is followed down to the last one, so that their <c>finally</c> blocks run too. It is followed through the awaiters in the
/// fields of state machines, which the compiler sets at a suspension and clears after it. What is found is a promise that nobody can keep (the task of a
/// lost <see cref="TaskCompletionSource"/>, a waiter of a lost semaphore or channel): it is failed by the way its own owner would fail it. Where private names of the platform have moved, nothing is done, and the report says so.
/// </remarks>
internal static class ForeignHealing
{
    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private const int DeepestChain = 10_000;
    private const int DeepestShown = 50;
    private const string Trimmed = "Where a field was trimmed away nothing is found, and the report says that the task could not be resumed.";

    /// <summary>What keeps a suspended frame waiting, at the ends of the chains of plain methods that it awaits: promises, or managed tasks whose end is awaited. More than one where a chain leads through
    /// <see cref="Task.WhenAll(Task[])"/> and its like.</summary>
    /// <returns>Empty when no chain could be followed.</returns>
    internal static List<object> FindPromises(Frame frame)
    {
        List<object> found = [];
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var todo = new Stack<object>();
        if (frame.FindAwaited() is { } first)
        {
            todo.Push(first);
        }

        while (seen.Count < DeepestChain && todo.TryPop(out object? awaited))
        {
            if (!seen.Add(awaited))
            {
                continue;
            }

            if (MachineOf(awaited) is { } machine)
            {
                if (AwaitedBy(machine, FieldsOf(machine)) is { } next)
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

    /// <summary>Whether a promise stands for tasks that cannot be found from it: that of <c>Task.Run(async …)</c>, and that of <c>Task.WhenAll</c> without results, which only counts. The <c>finally</c> blocks behind it went with it.</summary>
    internal static bool HidesCode(object promise) =>
        promise.GetType().Name is var name && (name.StartsWith("UnwrapPromise", StringComparison.Ordinal) || name == "WhenAllPromise");

    /// <summary>Adds the names of the plain methods between a suspended frame and what keeps it waiting, the innermost first.</summary>
    internal static void AddPlainFrames(Frame frame, List<string> names)
    {
        int first = names.Count;
        object? awaited = frame.FindAwaited();
        for (int depth = 0; depth < DeepestShown && awaited is not null && MachineOf(awaited) is { } machine; depth++)
        {
            names.Insert(first, MethodName.Of(machine.GetType().Name));
            awaited = AwaitedBy(machine, FieldsOf(machine));
        }
    }

    /// <summary>Fails a promise that nobody can keep. Whoever awaits it, a frame of ours in the end, then goes on as after any failure.</summary>
    /// <returns>False when it cannot be failed.</returns>
    internal static bool TryFail(object promise, Exception error)
    {
        try
        {
            return promise switch
            {
                ManagedTask => false,
                Task task => !task.IsCompleted && TrySetException(task, error),
                _ => FailMethod(promise)?.Invoke(promise, [error]) is true,
            };
        }
        catch (Exception moved) when (moved is MissingMethodException or TargetInvocationException)
        {
            return false; // the report says that it could not be resumed
        }
    }

    /// <summary>What the awaiter that a suspended state machine keeps stands for: a task, or the source behind a value task.</summary>
    internal static object? AwaitedBy(object stateMachine, FieldInfo[] fields)
    {
        foreach (FieldInfo field in fields)
        {
            if (IsAwaiter(field) && field.GetValue(stateMachine) is { } awaiter && Behind(awaiter, depth: 3) is { } awaited)
            {
                return awaited;
            }
        }

        return null;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static FieldInfo[] FieldsOf(object machine) => machine.GetType().GetFields(Any);

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

    // The compiler's own name for the awaiter of a suspension.
    private static bool IsAwaiter(FieldInfo field) => field.Name.StartsWith("<>u__", StringComparison.Ordinal);

    // Awaiters are structs around structs around what is awaited.
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static object? Behind(object awaiter, int depth)
    {
        foreach (FieldInfo field in awaiter.GetType().GetFields(Any))
        {
            object? value = field.GetValue(awaiter);
            if (value is Task or ManagedTask || (value is not null && (MachineOf(value) is not null || FailMethod(value) is not null)))
            {
                return value;
            }

            if (depth > 0 && value is ValueType && !value.GetType().IsPrimitive && Behind(value, depth - 1) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    // The task of an async method is the box of its state machine; an async stream is its own. Such a thing must never be failed from outside: its method will
    // still end it, and ending twice is fatal.
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static object? MachineOf(object awaited)
    {
        if (awaited is ValueType)
        {
            return null;
        }

        Type type = awaited.GetType();
        return type.GetField("StateMachine", Any)?.GetValue(awaited)
            ?? (Array.Exists(type.GetFields(Any), IsAwaiter) ? awaited : null);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static MethodInfo? FailMethod(object promise) =>
        promise is ValueType ? null : promise.GetType().GetMethod("TrySetException", Any, [typeof(Exception)]);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "TrySetException")]
    private static extern bool TrySetException(Task task, object exceptionObject);
}
