using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Stories;

namespace Moirai.Diagnostics;

/// <summary>What tasks wait for, each thing described once in a snapshot.</summary>
/// <param name="most">How many things are told apart; of those that come after, only what they are.</param>
internal sealed class WaitTargets(int most)
{
    private readonly Dictionary<(object Key, int Aspect), KnownTarget> _known = new(KeyComparer.Instance);
    private readonly Dictionary<string, string> _words = [];

    // Neighbours in the register mostly wait for the same.
    private object? _lastKey;
    private int _lastAspect;
    private KnownTarget? _last;

    /// <summary>What the frame waits for.</summary>
    internal KnownTarget Of(Frame leaf, AwaitChain chain)
    {
        object key = WaitTarget.KeyOf(leaf, chain, out int aspect);
        if (_last is { } last && aspect == _lastAspect && (ReferenceEquals(_lastKey, key) || KeyComparer.AreEqual(_lastKey!, key)))
        {
            return last;
        }

        if (!_known.TryGetValue((key, aspect), out KnownTarget? target))
        {
            target = _known.Count < most ? Add(key, aspect, WaitTarget.Of(key, leaf)) : Coarse(key);
        }

        (_lastKey, _lastAspect, _last) = (key, aspect, target);
        return target;
    }

    private KnownTarget Coarse(object key)
    {
        object coarse = key is ManagedTask { Label: { } label } ? label : key.GetType();
        return _known.TryGetValue((coarse, 0), out KnownTarget? target) ? target : Add(coarse, 0, key switch
        {
            ManagedTask task => new WaitTarget(WaitKind.Task, $"the end of '{task.Name}'"),
            SynchronizationPrimitive primitive => new WaitTarget(WaitKind.Primitive, $"one of many of the kind {primitive.Kind}"),
            TaskGroup => new WaitTarget(WaitKind.Scope, "the end of the tasks of one of many scopes"),
            TaskSlotManager => new WaitTarget(WaitKind.Slot, "a slot of one of many pools"),
            _ => new WaitTarget(WaitKind.Other, "one of many things"),
        });
    }

    private KnownTarget Add(object key, int aspect, WaitTarget target)
    {
        if (!_words.TryGetValue(target.Merged, out string? words))
        {
            _words[target.Merged] = words = target.Merged;
        }

        return _known[(key, aspect)] = new KnownTarget(target, words);
    }

    // Words by their letters, everything else by identity: Equals of a user's object is the user's code.
    private sealed class KeyComparer : IEqualityComparer<(object Key, int Aspect)>
    {
        internal static readonly KeyComparer Instance = new();

        public bool Equals((object Key, int Aspect) x, (object Key, int Aspect) y) => x.Aspect == y.Aspect && AreEqual(x.Key, y.Key);

        public int GetHashCode((object Key, int Aspect) one) =>
            HashCode.Combine(one.Aspect, one.Key is string words ? words.GetHashCode(StringComparison.Ordinal) : RuntimeHelpers.GetHashCode(one.Key));

        internal static bool AreEqual(object x, object y) => ReferenceEquals(x, y) || (x is string a && y is string b && a == b);
    }
}

/// <summary>A target, and what a snapshot has made of it.</summary>
/// <param name="target">The target.</param>
/// <param name="words">Its words without number: one string for all targets with the same words.</param>
internal sealed class KnownTarget(WaitTarget target, string words)
{
    private WaitSnapshot? _snapshot;

    internal string Words => words;

    internal WaitTarget Target => target;

    /// <summary>The number under which the wait is told; <see cref="ToldTasks.None"/> as long as it is not.</summary>
    internal int Told { get; set; } = ToldTasks.None;

    /// <summary>The wait for it. The holder is that of the first question.</summary>
    /// <param name="primitives">Where the primitive of the snapshot is listed.</param>
    /// <param name="due">When time ends the wait.</param>
    internal WaitSnapshot Snapshot(PrimitiveTable primitives, TimeSpan? due)
    {
        WaitSnapshot shared = _snapshot ??= Make(primitives.PlaceOf(this));
        return due is null ? shared : shared with { DueIn = due };
    }

    private WaitSnapshot Make(int? primitive)
    {
        ManagedTask? holder = target.Primitive?.Holder ?? target.Primitive?.Blocker;
        return new WaitSnapshot(target.Kind, target.What)
        {
            Primitive = primitive,
            Task = target.Task?.Id,
            Holder = holder?.Id,
            HolderName = holder?.Name,
        };
    }
}
