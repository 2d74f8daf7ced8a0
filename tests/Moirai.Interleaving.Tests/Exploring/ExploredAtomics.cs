using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using Moirai.Ground;

namespace Moirai.Interleaving.Exploring;

/// <summary>The seam as the explorer has it: each use is a step of a run. On threads that belong to no run it is the machine's.</summary>
internal readonly struct ExploredAtomics : IAtomics
{
    // A run that is broken off leaves gates locked and waits held for ever. What belongs to it is kept, so that no finalizer comes by there; should one come all the same, on a thread of no run, it must not spin until the
    // process ends: after so many turns it takes what nobody will give back.
    private const int SpinsBeforeBreakIn = 1_000;

    private static readonly ConcurrentDictionary<(string File, int Line), Site> s_sites = new(new ByReference());

    [ThreadStatic]
    private static int t_spins;

    public static T Read<T>(
        ref readonly T location,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        if (Run.Current is not { } run)
        {
            if (typeof(T) == typeof(byte) && t_spins > SpinsBeforeBreakIn)
            {
                t_spins = 0;
                System.Runtime.CompilerServices.Unsafe.AsRef(in location) = default!; // whoever locked this gate is no more
            }

            T value = location;
            Volatile.ReadBarrier();
            return value;
        }

        string site = Step(run, "read", in location, what, member, file, line);
        T seen = run.IsMutated(Flaw.Blind, site) ? default!
            : run.IsMutated(Flaw.Stale, site) ? run.Recall(in location)
            : run.Load(in location);
        run.Remember(in location, seen);
        run.NoteLook(in location, seen);
        Seen(run, seen);
        run.EndStep();
        return seen;
    }

    /// <summary>No step: nobody else may write there.</summary>
    public static T ReadOwn<T>(ref readonly T location) => Run.Current is { } run ? run.Load(in location) : location;

    public static void WriteOwn<T>(
        ref T location,
        T value,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) => Write(ref location, value, what, member, file, line);

    public static void Write<T>(
        ref T location,
        T value,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        if (Run.Current is not { } run)
        {
            Volatile.WriteBarrier();
            location = value;
            return;
        }

        string site = Step(run, "write", in location, what, member, file, line);
        Seen(run, value);
        run.Remember(in location, value);
        if (!run.IsMutated(Flaw.Forgotten, site))
        {
            run.Store(ref location, value);
        }

        run.EndStep();
    }

    public static T Exchange<T>(
        ref T location,
        T value,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        if (Run.Current is not { } run)
        {
            return Interlocked.Exchange(ref location, value);
        }

        string site = Step(run, "exchange", in location, what, member, file, line);
        return Update(run, site, ref location, (value, false), static (_, change) => change.value);
    }

    public static T CompareExchange<T>(
        ref T location,
        T value,
        T comparand,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        if (Run.Current is not { } run)
        {
            if (t_spins > SpinsBeforeBreakIn)
            {
                t_spins = 0;
                location = value;
                return comparand;
            }

            return Interlocked.CompareExchange(ref location, value, comparand);
        }

        string site = Step(run, "compare and exchange", in location, what, member, file, line);
        return Update(run, site, ref location, (value, comparand), static (old, change) =>
            EqualityComparer<T>.Default.Equals(old, change.comparand) ? change.value : old);
    }

    public static int Add(
        ref int location,
        int value,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        Run.Current is { } run ? AddExplored(run, ref location, value, Step(run, "add", in location, what, member, file, line)) : Interlocked.Add(ref location, value);

    public static long Add(
        ref long location,
        long value,
        [CallerArgumentExpression(nameof(location))] string what = "",
        [CallerMemberName] string member = "",
        [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        Run.Current is { } run ? AddExplored(run, ref location, value, Step(run, "add", in location, what, member, file, line)) : Interlocked.Add(ref location, value);

    /// <summary>No step: without a store held back nobody could tell it from nothing.</summary>
    public static void Fence([CallerMemberName] string member = "", [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        if (Run.Current is not { } run)
        {
            Interlocked.MemoryBarrier();
            return;
        }

        string site = SiteOf(run, member, file, line);
        if (!run.IsMutated(Flaw.NoFence, site))
        {
            run.LandAll();
        }
    }

    public static void SpinOnce(ref SpinWait spinner, [CallerMemberName] string member = "", [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        if (Run.Current is { } run)
        {
            run.Spin($"spins in {SiteOf(run, member, file, line)}");
        }
        else
        {
            t_spins++;
            spinner.SpinOnce();
        }
    }

    static byte IAtomics.Read(ref readonly byte location) => Read(in location);

    static int IAtomics.Read(ref readonly int location) => Read(in location);

    static long IAtomics.Read(ref readonly long location) => Read(in location);

    static bool IAtomics.Read(ref readonly bool location) => Read(in location);

    static T IAtomics.Read<T>(ref readonly T location) => Read(in location);

    static T IAtomics.ReadOwn<T>(ref readonly T location) => ReadOwn(in location);

    static void IAtomics.WriteOwn<T>(ref T location, T value) => WriteOwn(ref location, value);

    static void IAtomics.Write(ref byte location, byte value) => Write(ref location, value);

    static void IAtomics.Write(ref int location, int value) => Write(ref location, value);

    static void IAtomics.Write(ref long location, long value) => Write(ref location, value);

    static void IAtomics.Write(ref bool location, bool value) => Write(ref location, value);

    static void IAtomics.Write<T>(ref T location, T value) => Write(ref location, value);

    static int IAtomics.Exchange(ref int location, int value) => Exchange(ref location, value);

    static long IAtomics.Exchange(ref long location, long value) => Exchange(ref location, value);

    static T IAtomics.Exchange<T>(ref T location, T value) => Exchange(ref location, value);

    static byte IAtomics.CompareExchange(ref byte location, byte value, byte comparand) => CompareExchange(ref location, value, comparand);

    static int IAtomics.CompareExchange(ref int location, int value, int comparand) => CompareExchange(ref location, value, comparand);

    static long IAtomics.CompareExchange(ref long location, long value, long comparand) => CompareExchange(ref location, value, comparand);

    static T IAtomics.CompareExchange<T>(ref T location, T value, T comparand) => CompareExchange(ref location, value, comparand);

    static int IAtomics.Add(ref int location, int value) => Add(ref location, value);

    static long IAtomics.Add(ref long location, long value) => Add(ref location, value);

    static void IAtomics.Fence() => Fence();

    static void IAtomics.SpinOnce(ref SpinWait spinner) => SpinOnce(ref spinner);

    private static T AddExplored<T>(Run run, ref T location, T value, string site)
        where T : IAdditionOperators<T, T, T> =>
        Update(run, site, ref location, (value, value), static (old, change) => old + change.value) + value;

    // Looks and stores at once, with a full fence around; gives what was there.
    private static T Update<T, TOther>(Run run, string site, ref T location, (T value, TOther comparand) change, Func<T, (T value, TOther comparand), T> next)
    {
        bool isFence = !run.IsMutated(Flaw.NoFence, site);
        if (isFence)
        {
            run.LandAll();
        }

        T old = run.Load(in location);
        if (run.IsMutated(Flaw.CheckThenStore, site))
        {
            Seen(run, old);
            run.Step($"(and only now stores) {site}", in location);
        }

        T made = next(old, change);
        if (run.IsTraced)
        {
            run.Note($"{Run.Describe(old)} -> {Run.Describe(made)}");
        }

        run.Remember(in location, made);
        if (run.IsMutated(Flaw.Forgotten, site) || EqualityComparer<T>.Default.Equals(old, made))
        {
            run.NoteLook(in location, old);
        }
        else if (isFence)
        {
            location = made;
            run.NoteStore();
        }
        else
        {
            run.Store(ref location, made);
        }

        run.EndStep();
        return old;
    }

    private static void Seen<T>(Run run, T value)
    {
        if (run.IsTraced)
        {
            run.Note($"= {Run.Describe(value)}");
        }
    }

    private static string Step<T>(Run run, string how, ref readonly T location, string what, string member, string file, int line)
    {
        string site = SiteOf(run, member, file, line);
        run.Step(run.IsTraced ? $"{how} {what} in {site}" : site, in location);
        return site;
    }

    private static string SiteOf(Run run, string member, string file, int line)
    {
        Site site = s_sites.GetOrAdd((file, line), static (key, member) => new Site($"{Path.GetFileNameWithoutExtension(key.File)}.{member}", key.File, key.Line), member);
        run.Sites.Add(site);
        return site.Name;
    }

    // The compiler writes the same string for all uses in one file.
    private sealed class ByReference : IEqualityComparer<(string File, int Line)>
    {
        public bool Equals((string File, int Line) x, (string File, int Line) y) => ReferenceEquals(x.File, y.File) && x.Line == y.Line;

        public int GetHashCode((string File, int Line) obj) => (RuntimeHelpers.GetHashCode(obj.File) * 397) ^ obj.Line;
    }
}

/// <summary>A line of the source that uses the seam.</summary>
/// <param name="Name">File and member.</param>
/// <param name="File">The path that the compiler knew.</param>
/// <param name="Line">Its number, from 1 on.</param>
internal sealed record Site(string Name, string File, int Line)
{
    public bool Equals(Site? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);
}
