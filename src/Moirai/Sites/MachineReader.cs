using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Moirai.Sites;

/// <summary>Reads the state machines that the compiler makes of <c>async</c> methods, in whatever object they live: a frame of ours, the task of a plain <c>async</c> method, an async stream.</summary>
/// <remarks>
/// One reader for each type of such objects. It knows the number of the await at which the machine stands, and what the awaiter of that await stands for: the compiler keeps the awaiter in a field at a suspension,
/// and clears it after it. Reads fields only: no code of the user's runs. Safe from any thread, also while the machine runs: then what is read may be of two moments, and the caller has to look twice.
/// <para>Fields are read by reflection at first, and by compiled code when a type is met often, which takes a fortieth of the time; where code cannot be made (native AOT), by reflection always.</para>
/// </remarks>
internal sealed class MachineReader
{
    /// <summary>What the platform calls the field with the state machine. A debugger's extension depends on it, so it has been stable for years; the self-test notices when it is not.</summary>
    internal const string PlatformField = "StateMachine";

    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private const int DeepestAwaiter = 3;
    private const int UsesBeforeCompiling = 200;
    private const string Trimmed = "Where a field was trimmed away nothing is found, and whoever asks says so.";

    // Keyed weakly: an assembly that can be unloaded is not kept.
    private static readonly ConditionalWeakTable<Type, MachineReader> s_known = new();
    private static readonly MachineReader s_none = new(typeof(void), [], []);

    // From the object to the number of the await.
    private readonly FieldInfo[] _statePath;

    // From the object through the awaiters to what they hold.
    private readonly FieldInfo[][] _awaitedPaths;

    // Written once each, by whoever is the first.
    private Func<object, int>? _readState;
    private Func<object, object?>[]? _readAwaited;

    // Written by anybody; a lost count does no harm.
    private int _uses;

    private MachineReader(Type machine, FieldInfo[] statePath, FieldInfo[][] awaitedPaths)
    {
        Machine = machine;
        _statePath = statePath;
        _awaitedPaths = awaitedPaths;
    }

    /// <summary>The type of the state machine, which the compiler named after the method.</summary>
    internal Type Machine { get; }

    /// <summary>How many things the awaiters of this machine can hold; one of them at most is set.</summary>
    internal int Awaiters => _awaitedPaths.Length;

    /// <summary>The reader for objects of a type; null when no state machine lives in such.</summary>
    internal static MachineReader? Of(Type type)
    {
        if (!s_known.TryGetValue(type, out MachineReader? known))
        {
            known = s_known.GetValue(type, static type => Make(type, PlatformField) ?? s_none);
        }

        return ReferenceEquals(known, s_none) ? null : known;
    }

    /// <summary>Makes a reader; for <see cref="Of"/>, and for tests in which the platform has moved.</summary>
    /// <param name="type">The type of the objects that are read.</param>
    /// <param name="field">How the field with the state machine is called.</param>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = Trimmed)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    internal static MachineReader? Make(Type type, string field)
    {
        if (type.IsValueType || type.IsArray || type == typeof(Task) || type == typeof(string))
        {
            return null;
        }

        FieldInfo[] toMachine = [];
        Type machine = type;
        if (type.GetField(field, Any) is { } box && typeof(IAsyncStateMachine).IsAssignableFrom(box.FieldType))
        {
            toMachine = [box];
            machine = box.FieldType;
        }
        else if (!typeof(IAsyncStateMachine).IsAssignableFrom(type))
        {
            return null;
        }

        if (machine.GetField("<>1__state", Any) is not { } state || state.FieldType != typeof(int))
        {
            return null;
        }

        var awaited = new List<FieldInfo[]>();
        foreach (FieldInfo awaiter in machine.GetFields(Any))
        {
            if (awaiter.Name.StartsWith("<>u__", StringComparison.Ordinal))
            {
                AddPaths([.. toMachine, awaiter], DeepestAwaiter, awaited);
            }
        }

        return new MachineReader(machine, [.. toMachine, state], [.. awaited]);
    }

    /// <summary>The number of the await at which the machine stands; negative when it stands at none.</summary>
    internal int State(object owner)
    {
        if (_readState is { } read)
        {
            return read(owner);
        }

        if (++_uses > UsesBeforeCompiling)
        {
            TryCompile();
        }

        return Walk(owner, _statePath) is int state ? state : -1;
    }

    /// <summary>What an awaiter holds; null when it is not the one that waits.</summary>
    internal object? Awaited(object owner, int awaiter) => _readAwaited is { } read ? read[awaiter](owner) : Walk(owner, _awaitedPaths[awaiter]);

    private static object? Walk(object owner, FieldInfo[] path)
    {
        object? value = owner;
        foreach (FieldInfo field in path)
        {
            value = value is null ? null : field.GetValue(value);
        }

        return value;
    }

    // Awaiters are structs around structs around what is awaited.
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    private static void AddPaths(FieldInfo[] path, int depth, List<FieldInfo[]> paths)
    {
        Type type = path[^1].FieldType;
        if (!type.IsValueType)
        {
            if (type != typeof(string) && !typeof(Delegate).IsAssignableFrom(type) && type != typeof(CancellationTokenSource) && !type.IsPointer && !type.IsByRef)
            {
                paths.Add(path);
            }
        }
        else if (depth > 0 && !type.IsPrimitive && !type.IsEnum && !type.IsByRefLike)
        {
            foreach (FieldInfo field in type.GetFields(Any))
            {
                AddPaths([.. path, field], depth - 1, paths);
            }
        }
    }

    private void TryCompile()
    {
        if (!RuntimeFeature.IsDynamicCodeCompiled || _statePath[0].DeclaringType is not { IsCollectible: false } || Machine.IsCollectible)
        {
            _uses = int.MinValue;
            return;
        }

        _readAwaited = Array.ConvertAll(_awaitedPaths, static path => Compile<Func<object, object?>>(path, typeof(object)));
        _readState = Compile<Func<object, int>>(_statePath, typeof(int));
    }

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Called only where code can be made.")]
    private static TReader Compile<TReader>(FieldInfo[] path, Type result)
        where TReader : Delegate
    {
        var method = new DynamicMethod("Read", result, [typeof(object)], typeof(MachineReader).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Castclass, path[0].DeclaringType!);
        Label nothing = il.DefineLabel();
        for (int i = 0; i < path.Length; i++)
        {
            bool isLast = i == path.Length - 1;
            il.Emit(!isLast && path[i].FieldType.IsValueType ? OpCodes.Ldflda : OpCodes.Ldfld, path[i]);
            if (!isLast && !path[i].FieldType.IsValueType)
            {
                il.Emit(OpCodes.Dup); // a machine of a debug build is an object, which is not there before the first suspension
                il.Emit(OpCodes.Brfalse, nothing);
            }
        }

        il.Emit(OpCodes.Ret);
        il.MarkLabel(nothing);
        il.Emit(OpCodes.Pop);
        il.Emit(result == typeof(int) ? OpCodes.Ldc_I4_M1 : OpCodes.Ldnull);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<TReader>();
    }
}
