namespace Moirai.Sites;

/// <summary>Follows awaits through plain <c>async</c> code, from the task of a method to what that method waits for.</summary>
/// <remarks>It rests on private fields of the platform. So it looks first at a chain whose ends it knows, once a process, and where it does not find there what it should, it follows nothing.</remarks>
internal sealed class PlainWalker
{
    private static PlainWalker? s_platform;

    // Null for the platform's own name, whose readers are kept.
    private readonly string? _field;

    /// <summary>Makes a walker and tests it.</summary>
    /// <param name="field">The name of the field in which the platform keeps state machines; for tests another one, as if it had moved. Null for the platform's.</param>
    internal PlainWalker(string? field = null)
    {
        _field = field;
        Works = FindsKnownChain();
    }

    /// <summary>The walker of this process.</summary>
    internal static PlainWalker Platform => Volatile.Read(ref s_platform) ?? Interlocked.CompareExchange(ref s_platform, new PlainWalker(), null) ?? s_platform;

    /// <summary>Whether it found what it should.</summary>
    internal bool Works { get; }

    /// <summary>The reader of an object that somebody awaits; null when no method stands behind it that can be followed, or it has ended: the platform clears the machine of one that has.</summary>
    internal MachineReader? ReaderOf(object awaited) => Works && !HasEnded(awaited) ? Read(awaited) : null;

    /// <summary>Whether it is a task that has ended. Who awaits it is about to go on.</summary>
    internal static bool HasEnded(object? awaited) => awaited is Task { IsCompleted: true };

    /// <summary>What a method that stands at an await waits for; null when it stands at none or that cannot be told.</summary>
    /// <param name="reader">The reader of its machine.</param>
    /// <param name="owner">The object in which the machine lives.</param>
    /// <param name="stands">Asked about what is no task and no method: whether it is what is awaited. Null for the first thing that is found.</param>
    internal object? Awaited(MachineReader reader, object owner, Func<object, bool>? stands = null)
    {
        object? other = null;
        for (int i = 0; i < reader.Awaiters; i++)
        {
            if (reader.Awaited(owner, i) is { } held)
            {
                if (held is Task || Read(held) is not null)
                {
                    return held;
                }

                other ??= stands is null || stands(held) ? held : null;
            }
        }

        return other;
    }

    private MachineReader? Read(object awaited) => _field is null ? MachineReader.Of(awaited.GetType()) : MachineReader.Make(awaited.GetType(), _field);

    private bool FindsKnownChain()
    {
        var end = new TaskCompletionSource();
        Task outer = OuterAsync(end.Task);
        bool found = Read(outer) is { } first && MethodName.Of(first.Machine.Name) == nameof(OuterAsync) && first.State(outer) == 0
            && Awaited(first, outer) is { } inner && Read(inner) is { } second && MethodName.Of(second.Machine.Name) == nameof(InnerAsync) && second.State(inner) == 1
            && ReferenceEquals(Awaited(second, inner), end.Task);
        end.SetResult();
        return found && outer.IsCompletedSuccessfully;
    }

    private static async Task OuterAsync(Task end) => await InnerAsync(end).ConfigureAwait(false);

    private static async ValueTask InnerAsync(Task end)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        await end.ConfigureAwait(false);
    }
}
