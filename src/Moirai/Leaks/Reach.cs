using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai.Leaks;

/// <summary>Which promises the locals of a leaked task lead to: its clean-up may keep them yet, and would throw if they had been failed before.</summary>
/// <remarks>Looks a bounded number of objects far, through fields, closures and arrays, and not into what is shared by all (tasks, groups, threads). What it misses is healed in the order of the ids, as if it were not there.</remarks>
internal static class Reach
{
    private const int MostObjects = 256;
    private const int MostElements = 64;
    private const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Finds them.</summary>
    /// <param name="leaf">Where the task waits.</param>
    /// <param name="wanted">Whether an object is a promise that somebody waits for.</param>
    internal static List<object> Of(Frame leaf, Func<object, bool> wanted)
    {
        List<object> found = [];
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var todo = new Queue<object>();
        for (Frame? frame = leaf; frame is not null; frame = frame.Caller)
        {
            Look(MachineOf(frame), todo);
        }

        while (seen.Count < MostObjects && todo.TryDequeue(out object? one))
        {
            if (!seen.Add(one))
            {
                continue;
            }

            if (wanted(one))
            {
                found.Add(one);
            }
            else
            {
                Look(Inside(one), todo);
            }
        }

        return found;
    }

    // What to look into in place of an object; null for what leads everywhere or nowhere.
    private static object? Inside(object one) => one switch
    {
        Task or Frame => MachineOf(one),
        string or Type or MemberInfo or Thread or ManagedTask or TaskGroup or Engine or WaitNode or ExecutionContext or CancellationTokenSource or SynchronizationContext => null,
        Delegate call => call.Target,
        _ => one,
    };

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Where a field was trimmed away less is found, and healing takes its usual order.")]
    private static object? MachineOf(object frame) =>
        frame.GetType().GetField("StateMachine", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)?.GetValue(frame);

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Where a field was trimmed away less is found, and healing takes its usual order.")]
    private static void Look(object? one, Queue<object> todo)
    {
        if (one is object?[] elements)
        {
            foreach (object? element in elements.Take(MostElements))
            {
                Add(element, todo);
            }

            return;
        }

        for (Type? type = one?.GetType(); type is not null && !type.IsArray && type != typeof(object); type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(Own))
            {
                if (!field.FieldType.IsPrimitive && !field.FieldType.IsEnum && !field.FieldType.IsPointer && !field.FieldType.IsFunctionPointer && !field.FieldType.IsByRefLike)
                {
                    Add(field.GetValue(one), todo);
                }
            }
        }
    }

    private static void Add(object? value, Queue<object> todo)
    {
        if (value is Delegate { Target: { } target })
        {
            todo.Enqueue(target);
        }
        else if (value is not (null or string or Delegate))
        {
            todo.Enqueue(value);
        }
    }
}
