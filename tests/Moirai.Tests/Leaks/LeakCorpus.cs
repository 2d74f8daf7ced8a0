using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Moirai.Tests.Leaks;

/// <summary>A small program, and the tasks of it that can never go on.</summary>
/// <param name="Name">What it is about.</param>
/// <param name="Run">Sets it up; what it returns stays reachable, everything else is lost.</param>
/// <param name="Leaked">The names of the tasks that are to be found, and no others.</param>
public sealed record LeakProgram(string Name, Func<object, object?> Run, params string[] Leaked)
{
    public override string ToString() => Name;
}

/// <summary>Programs in pairs, which differ in one line: one loses what its task waits for, the other does not.</summary>
internal static class LeakCorpus
{
    private static readonly Dictionary<string, object> s_static = [];
    private static readonly ConditionalWeakTable<object, object> s_weak = [];

    public static IEnumerable<LeakProgram> All =>
    [
        // A promise, and who can keep it.
        P("a lost promise", w => { _ = w.Spawn(AwaitPromise(new())); return null; }, "AwaitPromise"),
        P("a promise that somebody holds", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitPromise(p)); return p; }),
        P("a promise in a static", w => { var p = new TaskCompletionSource(); s_static["promise"] = p; _ = w.Spawn(AwaitPromise(p)); return null; }),
        P("a lost task of a promise", w => { _ = w.Spawn(AwaitTask(new TaskCompletionSource().Task)); return null; }, "AwaitTask"),
        P("only the task of a promise is held", w => { Task t = new TaskCompletionSource().Task; _ = w.Spawn(AwaitTask(t)); return t; }),
        P("a promise that a blocked thread holds", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitPromise(p)); return HeldByThread(p); }),
        P("a promise that a running task holds", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitPromise(p)); return HeldByTask(p); }),
        P("a promise that a sleeping task keeps", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitPromise(p)); _ = w.Spawn(KeepOver(Sleep(), p), "keeper"); return null; }),
        P("a promise that a leaked task keeps", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitPromise(p)); _ = w.Spawn(KeepOver(AwaitPromise(new()), p), "keeper"); return null; }, "AwaitPromise", "keeper"),
        P("a promise in a weak table whose key is held", w => { var p = new TaskCompletionSource(); var key = new object(); s_weak.Add(key, p); _ = w.Spawn(AwaitPromise(p)); return key; }),
        P("a promise in a weak table whose key is lost", w => { var p = new TaskCompletionSource(); s_weak.Add(new object(), p); _ = w.Spawn(AwaitPromise(p)); return null; }, "AwaitPromise"),
        P("a promise that a running timer keeps", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitPromise(p)); return TimeProvider.System.CreateTimer(static p => ((TaskCompletionSource)p!).TrySetResult(), p, TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan); }),
        P("a promise behind an event that is held", w => { var bell = new Bell(); _ = w.Spawn(AwaitBell(bell)); return bell; }),
        P("a promise behind an event that is lost", w => { _ = w.Spawn(AwaitBell(new Bell())); return null; }, "AwaitBell"),

        // Plain code in between.
        P("three plain methods above a lost promise", w => { var p = new TaskCompletionSource(); _ = w.Spawn(_ => Plain(3, p.Task), "plain"); return null; }, "plain"),
        P("three plain methods above a held promise", w => { var p = new TaskCompletionSource(); _ = w.Spawn(_ => Plain(3, p.Task), "plain"); return p; }),
        P("all of a done and a lost task", w => { _ = w.Spawn(AwaitTask(Task.WhenAll(Task.CompletedTask, new TaskCompletionSource().Task))); return null; }, "AwaitTask"),
        P("all of a done and a held task", w => { var p = new TaskCompletionSource(); _ = w.Spawn(AwaitTask(Task.WhenAll(Task.CompletedTask, p.Task))); return p; }),
        P("any of two lost tasks", w => { _ = w.Spawn(AwaitTask(Task.WhenAny(new TaskCompletionSource().Task, new TaskCompletionSource().Task))); return null; }, "AwaitTask"),
        P("any of a lost task and a delay", w => { _ = w.Spawn(AwaitTask(Task.WhenAny(new TaskCompletionSource().Task, Platform(TimeSpan.FromHours(1))))); return null; }),
        P("a delay without end", w => { _ = w.Spawn(AwaitTask(Platform(Timeout.InfiniteTimeSpan))); return null; }, "AwaitTask"),
        P("a delay with an end", w => { _ = w.Spawn(AwaitTask(Platform(TimeSpan.FromHours(1)))); return null; }),
        P("an async stream whose source is lost", w => { _ = w.Spawn(Drain(Numbers(new TaskCompletionSource<int>().Task))); return null; }, "Drain"),
        P("an async stream whose source is held", w => { var p = new TaskCompletionSource<int>(); _ = w.Spawn(Drain(Numbers(p.Task))); return p; }),

        // Channels, semaphores, tokens of the platform.
        P("a reader whose writer is lost", w => { _ = w.Spawn(Read(Channel.CreateUnbounded<int>().Reader)); return null; }, "Read"),
        P("a reader whose writer is held", w => { var c = Channel.CreateUnbounded<int>(); _ = w.Spawn(Read(c.Reader)); return c.Writer; }),
        P("a writer to a full channel whose reader is lost", w => { _ = w.Spawn(Write(Channel.CreateBounded<int>(1).Writer)); return null; }, "Write"),
        P("a writer to a full channel whose reader is held", w => { var c = Channel.CreateBounded<int>(1); _ = w.Spawn(Write(c.Writer)); return c.Reader; }),
        P("select over two lost channels", w => { _ = w.Spawn(Select(Channel.CreateUnbounded<int>().Reader, Channel.CreateUnbounded<int>().Reader)); return null; }, "Select"),
        P("select over a lost and a held channel", w => { var c = Channel.CreateUnbounded<int>(); _ = w.Spawn(Select(Channel.CreateUnbounded<int>().Reader, c.Reader)); return c.Writer; }),
        P("a semaphore entered twice by its holder", w => { _ = w.Spawn(Twice(new SemaphoreSlim(1))); return null; }, "Twice"),
        P("a semaphore of two entered twice by its holder", w => { _ = w.Spawn(Twice(new SemaphoreSlim(2))); return null; }),
        P("a semaphore entered twice that somebody holds", w => { var s = new SemaphoreSlim(1); _ = w.Spawn(Twice(s)); return s; }),
        P("a wait for a token whose source is lost", w => { _ = w.Spawn(AwaitTask(Platform(Timeout.InfiniteTimeSpan, new CancellationTokenSource().Token))); return null; }, "AwaitTask"),
        P("a wait for a token whose source is held", w => { var c = new CancellationTokenSource(); _ = w.Spawn(AwaitTask(Platform(Timeout.InfiniteTimeSpan, c.Token))); return c; }),
        P("a wait for a token that a timer cancels", w => { _ = w.Spawn(AwaitTask(Platform(Timeout.InfiniteTimeSpan, TimedToken()))); return null; }),
        P("a wait for the task's own token", w => { _ = w.Spawn(ct => Platform(Timeout.InfiniteTimeSpan, ct), "own"); return null; }, "own"),
        P("a task tied to a lost token", w => { _ = w.Spawn(AwaitPromise(new())).CancelWith(new CancellationTokenSource().Token); return null; }, "AwaitPromise"),
        P("a task tied to a held token", w => { var c = new CancellationTokenSource(); _ = w.Spawn(AwaitPromise(new())).CancelWith(c.Token); return c; }),
        P("a scope that heeds a lost token", w => { _ = w.Spawn(ScopeOver(w, new CancellationTokenSource().Token)); return null; }, "ScopeOver", "AwaitPromise"),
        P("a scope that heeds a held token", w => { var c = new CancellationTokenSource(); _ = w.Spawn(ScopeOver(w, c.Token)); return c; }),

        P("a child whose parent is tied to a held token", w => { var c = new CancellationTokenSource(); _ = w.Spawn(ScopeHearing(w)).CancelWith(c.Token); return c; }),
        P("a child whose parent is tied to a lost token", w => { _ = w.Spawn(ScopeHearing(w)).CancelWith(new CancellationTokenSource().Token); return null; }, "ScopeHearing", "Hear"),
        P("a child of a scope in plain code under a deadline", w => { _ = w.Spawn(PlainScope(w, TimeSpan.FromHours(1))); return null; }),
        P("a child of a scope in plain code without a deadline", w => { _ = w.Spawn(PlainScope(w, Timeout.InfiniteTimeSpan)); return null; }, "PlainScope", "plain", "scope inner", "Hear"),
        P("plain code that waits at a lost notify", w => { var n = new Notify(); _ = w.Spawn(async Task (_) => await n.WaitAsync(), "plain"); return null; }, "plain"),
        P("plain code that waits at a held notify", w => { var n = new Notify(); _ = w.Spawn(async Task (_) => await n.WaitAsync(), "plain"); return n; }),
        P("plain code that waits at a lost notify after another await", w => { var n = new Notify(); var gate = new TaskCompletionSource(); _ = w.Spawn(_ => HearLater(gate.Task, n), "plain"); w.Run(); Open(gate); return null; }, "plain"),
        P("plain code that waits for a lock whose holder has leaked", w => { var m = new AsyncMutex("m"); _ = w.Spawn(HoldForEver(m), "holder"); _ = w.Spawn(_ => LockPlain(m), "plain"); return null; }, "holder", "plain"),
        P("plain code that joins a leaked task", w => { ManagedTask t = w.Spawn(Hear(new())); _ = w.Spawn(async Task (_) => await t, "plain"); return null; }, "Hear", "plain"),
        P("plain code that awaits a leaked future", w => { _ = w.Spawn(async Task (_) => await Hear(new()), "plain"); return null; }, "Hear", "plain"),
        P("plain code that awaits a future whose source is held", w => { var n = new Notify(); _ = w.Spawn(async Task (_) => await Hear(n), "plain"); return n; }),
        P("plain code that joins a scope with a leaked task", w => { TaskScope s = w.Runtime.OpenScope("joined"); _ = s.Spawn(Hear(new())); _ = w.Spawn(async Task (_) => await s.JoinAsync(), "plain"); return null; }, "Hear", "plain"),
        P("plain code that gives back what waits for something lost", w => { _ = w.Spawn(async Task (_) => await ResourceGuard.Protect(0, static _ => AwaitPromise(new()), "x").DisposeAsync(), "plain"); return null; }, "clean-up of x", "plain"),
        P("one of two children of a scope in plain code sleeps", w => { _ = w.Spawn(async Task (_) => await SleeperAndHearer(w), "plain"); return null; }, "Hear"),

        // Tasks that wait for tasks.
        P("a join of a leaked task", w => { ManagedTask a = w.Spawn(AwaitPromise(new())); _ = w.Spawn(Join(a)); return null; }, "AwaitPromise", "Join"),
        P("a join of a task whose promise is held", w => { var p = new TaskCompletionSource(); ManagedTask a = w.Spawn(AwaitPromise(p)); _ = w.Spawn(Join(a)); return p; }),
        P("a held handle of a leaked task", w => w.Spawn(AwaitPromise(new())), "AwaitPromise"),
        P("two tasks that join each other", w => { Ring(w, 2, breaks: null); return null; }, "ring 0", "ring 1"),
        P("three tasks that join each other", w => { Ring(w, 3, breaks: null); return null; }, "ring 0", "ring 1", "ring 2"),
        P("a ring with one timeout", w => { Ring(w, 3, breaks: TimeSpan.FromHours(1)); return null; }),
        P("two tasks that hold each other's promise", w => { Hostages(w, out _); return null; }, "hostage 0", "hostage 1"),
        P("two tasks that hold each other's promise, and somebody holds one", w => { Hostages(w, out TaskCompletionSource p); return p; }),
        P("a join through AsTask of a leaked task", w => { ManagedTask a = w.Spawn(AwaitPromise(new())); _ = w.Spawn(AwaitTask(a.AsTask())); return null; }, "AwaitPromise", "AwaitTask"),
        P("a join through AsTask of a sleeper", w => { ManagedTask a = w.Spawn(Sleep()); _ = w.Spawn(AwaitTask(a.AsTask())); return null; }),

        P("two tasks that wait for each other through AsTask", w => { AsTaskRing(w, 2, breaks: null); return null; }, "ring 0", "ring 1"),
        P("five tasks that wait for each other through AsTask", w => { AsTaskRing(w, 5, breaks: null); return null; }, "ring 0", "ring 1", "ring 2", "ring 3", "ring 4"),
        P("a ring through AsTask with one timeout", w => { AsTaskRing(w, 3, breaks: TimeSpan.FromHours(1)); return null; }),
        P("a task that waits for itself through AsTask", w => { AsTaskRing(w, 1, breaks: null); return null; }, "ring 0"),
        P("three plain bodies that join each other", w => { PlainRing(w, 3, keep: false); return null; }, "ring 0", "ring 1", "ring 2"),
        P("three plain bodies that join each other, and one of them waits for somebody too", w => PlainRing(w, 3, keep: true)),
        P("plain code that awaits a future which joins it", w => { PlainAroundFuture(w, within: null); return null; }, "plain", "JoinLater"),
        P("plain code that awaits a future which joins it for a while", w => { PlainAroundFuture(w, TimeSpan.FromHours(1)); return null; }),
        P("plain code that waits for a slot of its own full pool", w => { PlainSelfServing(w, slots: 1); return null; }, "outer"),
        P("plain code that waits for a slot of its own pool with room", w => { PlainSelfServing(w, slots: 2); return null; }),

        // Scopes, pools, collectors.
        P("children wait for what their scope's body keeps", w => { _ = w.Spawn(Family(w, keep: null)); return null; }, "Family", "child"),
        P("children wait for what somebody keeps", w => { var p = new TaskCompletionSource(); _ = w.Spawn(Family(w, keep: p)); return p; }),
        P("one child sleeps, one has leaked", w => { _ = w.Spawn(Siblings(w)); return null; }, "AwaitPromise"),
        P("a task that spawns into its own full pool", w => { SelfServing(w, slots: 1); return null; }, "outer"),
        P("a task that spawns into its own pool with room", w => { SelfServing(w, slots: 2); return null; }),
        P("a slot that nobody gives back", w => { _ = w.Spawn(TwoSlots(new TaskSlotManager(1))); return null; }, "TwoSlots"),
        P("a slot that somebody can give back", w => { var s = new TaskSlotManager(1); s.TryAcquire(out SlotLease? lease); _ = w.Spawn(OneSlot(s)); return lease; }),
        P("a collector over a leaked task", w => { _ = w.Spawn(Collect(w, new TaskCompletionSource<int>())); return null; }, "Collect", "AwaitValue"),
        P("a collector over a task whose promise is held", w => { var p = new TaskCompletionSource<int>(); _ = w.Spawn(Collect(w, p)); return p; }),

        // Locks of ours.
        P("a lock whose holder has leaked", w => { _ = w.Spawn(TwoAtOneLock(w, new())); return null; }, "TwoAtOneLock", "holder", "waiter"),
        P("a lock whose holder waits for somebody", w => { var p = new TaskCompletionSource(); _ = w.Spawn(TwoAtOneLock(w, p)); return p; }),
        P("two locks taken crosswise", w => { _ = w.Spawn(Crosswise(w, new("one"), new("two"))); return null; }, "Crosswise", "left", "right"),
        P("two locks taken in order", w => { _ = w.Spawn(InOrder(w, new("one"), new("two"))); return null; }),
        P("a lock that plain code holds and somebody can give back", w => { var m = new AsyncMutex("m"); m.TryLock(out MutexLease lease); _ = w.Spawn(Lock(m)); return lease; }),
        P("a lock that plain code has lost", w => { var m = new AsyncMutex("m"); m.TryLock(out _); _ = w.Spawn(Lock(m)); return null; }, "Lock"),

        // More primitives of ours.
        P("a semaphore of ours entered twice by its holder", w => { _ = w.Spawn(TwicePermit(new AsyncSemaphore(1))); return null; }, "TwicePermit"),
        P("a semaphore of ours of two entered twice by its holder", w => { _ = w.Spawn(TwicePermit(new AsyncSemaphore(2))); return null; }),
        P("a semaphore of ours that is held and to which somebody can add", w => { var s = new AsyncSemaphore(1, 2, name: "s"); _ = w.Spawn(TwicePermit(s)); return s; }),
        P("a notify that is lost", w => { _ = w.Spawn(Hear(new Notify())); return null; }, "Hear"),
        P("a notify that somebody holds", w => { var n = new Notify(); _ = w.Spawn(Hear(n)); return n; }),
        P("a notify in a static", w => { var n = new Notify(); s_static["notify"] = n; _ = w.Spawn(Hear(n)); return null; }),
        P("a one-shot whose sender is held", w => { (OneShotSender<int> s, OneShotReceiver<int> r) = OneShot.Create<int>(); _ = w.Spawn(Receive(r)); return s; }),
        P("a channel of ours whose sender is held", w => { var c = new AsyncChannel<int>(1); _ = w.Spawn(Take(c.Receiver)); return c.Sender; }),
        P("a channel of ours with room whose receiver is held by who sends", w => { var c = new AsyncChannel<int>(2); _ = w.Spawn(FillOwn(c, 2)); return null; }),
        P("a reader that gives back before it writes", w => { _ = w.Spawn(ReadThenWrite(new AsyncReaderWriterLock())); return null; }),
        P("a barrier of three with two parties", w => { Meet(w, 3, 2); return null; }, "party", "party"),
        P("a barrier of two with two parties", w => { Meet(w, 2, 2); return null; }),
        P("a barrier of three with two parties that somebody holds", w => Meet(w, 3, 2)),
        P("a ring of ten tasks", w => { Ring(w, 10, breaks: null); return null; }, [.. Enumerable.Range(0, 10).Select(static i => $"ring {i}")]),
        P("two channels of ours that wait for each other, and somebody holds one", w => { var a = new AsyncChannel<int>(1); var b = new AsyncChannel<int>(1); _ = w.Spawn(Relay(a.Receiver, b.Sender), "there"); _ = w.Spawn(Relay(b.Receiver, a.Sender), "back"); return a.Sender; }),

        P("a writer behind a reader that has leaked", w => { _ = w.Spawn(ReaderAndWriter(w, new())); return null; }, "ReaderAndWriter", "reader", "writer"),
        P("a writer behind a reader that waits for somebody", w => { var p = new TaskCompletionSource(); _ = w.Spawn(ReaderAndWriter(w, p)); return p; }),
        P("a watch whose sender is held", w => { var s = new WatchSender<int>(1); _ = w.Spawn(Changed(s.NewReceiver())); return s; }),
        P("a watch whose sender is in a static", w => { var s = new WatchSender<int>(1); s_static["watch"] = s; _ = w.Spawn(Changed(s.NewReceiver())); return null; }),
        P("a once whose maker has leaked", w => { Make(w, new()); return null; }, "first", "second"),
        P("a once whose maker waits for somebody", w => { var p = new TaskCompletionSource<int>(); Make(w, p); return p; }),
        P("a condition that is lost", w => { var m = new AsyncMutex("m"); _ = w.Spawn(Until(m, new AsyncCondition(m))); return null; }, "Until"),
        P("a condition that somebody holds", w => { var m = new AsyncMutex("m"); var c = new AsyncCondition(m); _ = w.Spawn(Until(m, c)); return c; }),
        P("a race between two that have leaked", w => { _ = w.Spawn(Racing(new(), new())); return null; }, "Racing", "AwaitValue", "AwaitValue"),
        P("a race between two that wait for somebody", w => { TaskCompletionSource<int> p = new(), q = new(); _ = w.Spawn(Racing(p, q)); return (p, q); }),
        P("a lost promise in a scope with a deadline", w => { _ = w.Spawn(InScope(w, TimeSpan.FromHours(1))); return null; }),
        P("a lost promise in a scope without a deadline", w => { _ = w.Spawn(InScope(w, Timeout.InfiniteTimeSpan)); return null; }, "InScope", "AwaitPromise"),
        P("a canceled deaf task in a scope with a deadline", w => { ManagedTask t = w.Spawn(InScope(w, TimeSpan.FromHours(1))); w.Run(); t.Cancel(); return null; }, "InScope", "AwaitPromise"),
        P("a canceled deaf task under a timeout", w => { ManagedTask t = w.Spawn(AwaitPromise(new()).WithTimeout(TimeSpan.FromHours(1)), "timed"); w.Run(); t.Cancel(); return null; }, "timed"),
        P("a canceled deaf task under a timeout whose promise is held", w => { var p = new TaskCompletionSource(); ManagedTask t = w.Spawn(AwaitPromise(p).WithTimeout(TimeSpan.FromHours(1)), "timed"); w.Run(); t.Cancel(); return p; }),
        P("a wait for the next tick", w => { _ = w.Spawn(Beat(new Interval(TimeSpan.FromHours(1)), null)); return null; }),
        P("a wait for a lost promise after a tick", w => { _ = w.Spawn(Beat(new Interval(TimeSpan.Zero, TimeSpan.FromHours(1)), new())); return null; }, "Beat"),

        // Mixed chains.
        P("a mixed chain that ends at a lost promise", w => { MixedChain(w, new()); return null; }, "source", "locker", "reader", "joiner", "waits for all"),
        P("a mixed chain that ends at a held promise", w => { var p = new TaskCompletionSource(); MixedChain(w, p); return p; }),

        // Time, marks, wakers.
        P("a sleeper", w => { _ = w.Spawn(Sleep()); return null; }),
        P("a lost promise under a timeout", w => { _ = w.Spawn(AwaitPromise(new()).WithTimeout(TimeSpan.FromHours(1))); return null; }),
        P("a lost promise under a timeout of its parent", w => { _ = w.Spawn(ScopeOver(w, default).WithTimeout(TimeSpan.FromHours(1))); return null; }),
        P("a lost promise of a resident", w => { ManagedTask t = w.Spawn(AwaitPromise(new())); t.IsResident = true; return null; }),
        P("a waker that is lost", w => { _ = w.Spawn(Poll(new WakerBox())); return null; }, "Poll"),
        P("a waker that is held", w => { var box = new WakerBox(); _ = w.Spawn(Poll(box)); return box; }),
        P("a canceled task in deaf foreign code", w => { ManagedTask t = w.Spawn(AwaitPromise(new())); w.Run(); t.Cancel(); return null; }, "AwaitPromise"),
        P("a shielded wait for a lost promise", w => { _ = w.Spawn(Shielded(new())); return null; }, "Shielded"),
    ];

    private static LeakProgram P(string name, Func<World, object?> run, params string[] leaked) => new(name, world => run((World)world), leaked);

    private static ManagedTask Spawn(this World world, Future body, string name) => world.Runtime.SpawnDetached(body, name);

    private static ManagedTask Spawn(this World world, Future body) => world.Runtime.SpawnDetached(body);

    private static ManagedTask Spawn(this World world, Func<CancellationToken, Task> body, string name) => world.Runtime.SpawnDetached(body, name);

    private static async Future AwaitPromise(TaskCompletionSource promise) => await promise.Task;

    private static async Future<int> AwaitValue(TaskCompletionSource<int> promise) => await promise.Task;

    private static async Future AwaitTask(Task task) => await task;

    private static async Task Plain(int depth, Task what)
    {
        if (depth > 0)
        {
            await Plain(depth - 1, what).ConfigureAwait(false);
        }
        else
        {
            await what;
        }
    }

    private static async Future AwaitBell(Bell bell)
    {
        var rung = new TaskCompletionSource();
        bell.Rung += (_, _) => rung.TrySetResult();
        await rung.Task;
    }

    private static async IAsyncEnumerable<int> Numbers(Task<int> first)
    {
        yield return await first;
    }

    private static async Future Drain(IAsyncEnumerable<int> numbers)
    {
        await foreach (int _ in numbers)
        {
            // Each is as good as the other.
        }
    }

    private static async Future Read(ChannelReader<int> reader) => await reader.ReadAsync();

    private static async Future Write(ChannelWriter<int> writer)
    {
        await writer.WriteAsync(1);
        await writer.WriteAsync(2);
    }

    private static async Future Select(ChannelReader<int> one, ChannelReader<int> other) =>
        await Task.WhenAny(one.WaitToReadAsync().AsTask(), other.WaitToReadAsync().AsTask());

    private static async Future Twice(SemaphoreSlim semaphore)
    {
        await semaphore.WaitAsync();
        await semaphore.WaitAsync();
    }

    private static async Future TwicePermit(AsyncSemaphore semaphore)
    {
        using SemaphoreLease first = await semaphore.AcquireAsync();
        using SemaphoreLease second = await semaphore.AcquireAsync();
    }

    private static async Future Hear(Notify notify) => await notify.WaitAsync();

    private static async Future Receive(OneShotReceiver<int> receiver) => await receiver.ReceiveAsync();

    private static async Future Take(ChannelReceiver<int> receiver) => await receiver.ReceiveAsync();

    private static async Future FillOwn(AsyncChannel<int> channel, int count)
    {
        for (int i = 0; i < count; i++)
        {
            await channel.Sender.SendAsync(i);
        }

        GC.KeepAlive(channel);
    }

    private static async Future Relay(ChannelReceiver<int> from, ChannelSender<int> to) => await to.SendAsync(await from.ReceiveAsync());

    private static async Future ReadThenWrite(AsyncReaderWriterLock both)
    {
        using (await both.LockReadAsync())
        {
            await Future.Yield();
        }

        using WriteLease writes = await both.LockWriteAsync();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static AsyncBarrier Meet(World world, int parties, int come)
    {
        var barrier = new AsyncBarrier(parties);
        for (int i = 0; i < come; i++)
        {
            _ = world.Runtime.SpawnDetached(Party(barrier), "party");
        }

        return barrier;

        static async Future Party(AsyncBarrier barrier) => await barrier.WaitAsync();
    }

    private static async Future ReaderAndWriter(World world, TaskCompletionSource promise) => await world.Runtime.RunScopeAsync("both", async scope =>
    {
        var both = new AsyncReaderWriterLock();
        _ = scope.Spawn(Reader(both, promise), "reader");
        _ = scope.Spawn(Writer(both), "writer");

        static async Future Reader(AsyncReaderWriterLock both, TaskCompletionSource promise)
        {
            using ReadLease reads = await both.LockReadAsync();
            await promise.Task;
        }

        static async Future Writer(AsyncReaderWriterLock both)
        {
            using WriteLease writes = await both.LockWriteAsync();
        }
    });

    private static async Future Changed(WatchReceiver<int> receiver) => await receiver.ChangedAsync();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Make(World world, TaskCompletionSource<int> promise)
    {
        var once = new AsyncOnce<int>(_ => AwaitValue(promise));
        _ = world.Runtime.SpawnDetached(Get(once), "first");
        _ = world.Runtime.SpawnDetached(Get(once), "second");

        static async Future Get(AsyncOnce<int> once) => await once.GetAsync();
    }

    private static async Future Until(AsyncMutex mutex, AsyncCondition condition)
    {
        using (await mutex.LockAsync())
        {
            await condition.WaitAsync();
        }
    }

    private static async Future Racing(TaskCompletionSource<int> one, TaskCompletionSource<int> other) =>
        await new Race<int>().Add(AwaitValue(one)).Add(AwaitValue(other)).FirstEndedAsync();

    private static async Future InScope(World world, TimeSpan within) =>
        await world.Runtime.RunScopeAsync("timed", within, async scope => { _ = scope.Spawn(AwaitPromise(new())); });

    private static async Future Beat(Interval interval, TaskCompletionSource? after)
    {
        await interval.NextAsync();
        await (after?.Task ?? Task.CompletedTask);
    }

    private static async Future KeepOver(Future wait, object kept)
    {
        await wait;
        GC.KeepAlive(kept);
    }

    private static async Task HearLater(Task first, Notify notify)
    {
        await first.ConfigureAwait(false);
        await notify.WaitAsync();
    }

    private static async Task LockPlain(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
            // Having had it is enough.
        }
    }

    // On a thread of its own, where what waits goes on inline.
    private static void Open(TaskCompletionSource gate)
    {
        var opener = new Thread(gate.SetResult);
        opener.Start();
        opener.Join();
    }

    private static async Future HoldForEver(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
            await new TaskCompletionSource().Task;
        }
    }

    private static async Future ScopeHearing(World world) =>
        await world.Runtime.RunScopeAsync("scope", async scope => { _ = scope.Spawn(Hear(new())); });

    private static async Future PlainScope(World world, TimeSpan within) => await world.Runtime.RunScopeAsync(
        "around",
        within,
        async scope => { _ = scope.Spawn(async Task (token) => await world.Runtime.RunScopeAsync("inner", async inner => { _ = inner.Spawn(Hear(new())); }), "plain"); });

    private static async Future SleeperAndHearer(World world) => await world.Runtime.RunScopeAsync("siblings", async scope =>
    {
        _ = scope.Spawn(Hear(new()));
        _ = scope.Spawn(Sleep());
    });

    // A lock whose holder waits for the promise, a channel whose writer waits for the lock, a reader of the channel, one who waits for that, and one who waits for all of them.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MixedChain(World world, TaskCompletionSource promise)
    {
        var mutex = new AsyncMutex("m");
        var channel = Channel.CreateUnbounded<int>();
        ManagedTask source = world.Spawn(Source(mutex, promise), "source");
        ManagedTask locker = world.Spawn(Locker(mutex, channel.Writer), "locker");
        ManagedTask reader = world.Spawn(Read(channel.Reader), "reader");
        ManagedTask joiner = world.Spawn(Join(reader), "joiner");
        _ = world.Spawn(AwaitTask(Task.WhenAll(source.AsTask(), locker.AsTask(), joiner.AsTask())), "waits for all");

        static async Future Source(AsyncMutex mutex, TaskCompletionSource promise)
        {
            using (await mutex.LockAsync())
            {
                await promise.Task;
            }
        }

        static async Future Locker(AsyncMutex mutex, ChannelWriter<int> writer)
        {
            using (await mutex.LockAsync())
            {
                await writer.WriteAsync(1);
            }
        }
    }

    private static async Future Join(ManagedTask task) => await task;

    private static async Future Sleep() => await Future.Delay(TimeSpan.FromHours(1));

    private static async Future ScopeOver(World world, CancellationToken token) =>
        await world.Runtime.RunScopeAsync("scope", async scope => { _ = scope.Spawn(AwaitPromise(new())); }, cancellationToken: token);

    private static async Future Family(World world, TaskCompletionSource? keep)
    {
        TaskCompletionSource gate = keep ?? new();
        await world.Runtime.RunScopeAsync("family", async scope =>
        {
            _ = scope.Spawn(AwaitPromise(gate), "child");
            await Future.Yield();
        });
        gate.TrySetResult();
    }

    private static async Future Siblings(World world) => await world.Runtime.RunScopeAsync("siblings", async scope =>
    {
        _ = scope.Spawn(AwaitPromise(new()));
        _ = scope.Spawn(Sleep());
    });

    private static async Future TwoSlots(TaskSlotManager slots)
    {
        using SlotLease first = await slots.AcquireAsync();
        using SlotLease second = await slots.AcquireAsync();
    }

    private static async Future OneSlot(TaskSlotManager slots)
    {
        using SlotLease first = await slots.AcquireAsync();
    }

    private static async Future Collect(World world, TaskCompletionSource<int> promise) => await world.Runtime.RunScopeAsync("collect", async scope =>
    {
        await using var collector = new TaskCollector<int>(scope);
        _ = collector.Add(AwaitValue(promise));
        await collector.CollectAsync();
    });

    private static async Future Lock(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
            // Having had it is enough.
        }
    }

    private static async Future TwoAtOneLock(World world, TaskCompletionSource promise) => await world.Runtime.RunScopeAsync("lock", async scope =>
    {
        var mutex = new AsyncMutex("m");
        _ = scope.Spawn(Holder(mutex, promise), "holder");
        _ = scope.Spawn(Lock(mutex), "waiter");

        static async Future Holder(AsyncMutex mutex, TaskCompletionSource promise)
        {
            using (await mutex.LockAsync())
            {
                await promise.Task;
            }
        }
    });

    private static async Future Crosswise(World world, AsyncMutex one, AsyncMutex two) => await world.Runtime.RunScopeAsync("locks", async scope =>
    {
        _ = scope.Spawn(Both(one, two), "left");
        _ = scope.Spawn(Both(two, one), "right");
    });

    private static async Future InOrder(World world, AsyncMutex one, AsyncMutex two) => await world.Runtime.RunScopeAsync("locks", async scope =>
    {
        _ = scope.Spawn(Both(one, two), "left");
        _ = scope.Spawn(Both(one, two), "right");
    });

    private static async Future Both(AsyncMutex first, AsyncMutex second)
    {
        using (await first.LockAsync())
        {
            await Future.Yield();
            using (await second.LockAsync())
            {
                await Future.Yield();
            }
        }
    }

    private static async Future Poll(WakerBox box) => await Future.FromPoll(waker =>
    {
        box.Waker = waker;
        return false;
    });

    private static async Future Shielded(TaskCompletionSource promise)
    {
        using CancelShield shield = ManagedTask.Shield();
        await promise.Task;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AsTaskRing(World world, int length, TimeSpan? breaks)
    {
        var tasks = new ManagedTask?[length];
        for (int i = 0; i < length; i++)
        {
            int next = (i + 1) % length;
            tasks[i] = world.Runtime.SpawnDetached(Member(tasks, next, i == 0 ? breaks : null), $"ring {i}");
        }

        static async Future Member(ManagedTask?[] tasks, int next, TimeSpan? within)
        {
            await Future.Yield();
            Task awaited = tasks[next]!.AsTask();
            tasks = null!;
            await (within is { } limit ? AwaitTask(awaited).WithTimeout(limit) : AwaitTask(awaited));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static object? PlainRing(World world, int length, bool keep)
    {
        var tasks = new ManagedTask?[length];
        var somebody = new TaskCompletionSource();
        for (int i = 0; i < length; i++)
        {
            int index = i;
            tasks[i] = world.Runtime.SpawnDetached(async Task (_) => await MemberAsync(tasks, (index + 1) % length, keep && index == 0 ? somebody.Task : null).ConfigureAwait(false), $"ring {i}");
        }

        return keep ? somebody : null;

        static async Task MemberAsync(ManagedTask?[] tasks, int next, Task? or)
        {
            ManagedTask awaited = tasks[next]!;
            tasks = null!;
            if (or is null)
            {
                await awaited;
            }
            else
            {
                await (await Task.WhenAny(or, awaited.AsTask()).ConfigureAwait(false)).ConfigureAwait(false);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PlainAroundFuture(World world, TimeSpan? within)
    {
        _ = world.Runtime.SpawnDetached(async Task (_) => await (within is { } limit ? JoinLater(ManagedTask.Current!).WithTimeout(limit) : JoinLater(ManagedTask.Current!)), "plain");

        static async Future JoinLater(ManagedTask task) => await task;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PlainSelfServing(World world, int slots)
    {
        TaskPool pool = world.Runtime.CreatePool("own", slots);
        _ = pool.TrySpawn(async Task (_) => await await pool.SpawnAsync(static async _ => await Future.Delay(TimeSpan.FromHours(1)), name: "inner"), out _, name: "outer");
    }

    private static void Ring(World world, int length, TimeSpan? breaks)
    {
        var tasks = new ManagedTask?[length];
        for (int i = 0; i < length; i++)
        {
            int next = (i + 1) % length;
            tasks[i] = world.Runtime.SpawnDetached(Member(tasks, next, i == 0 ? breaks : null), $"ring {i}");
        }

        static async Future Member(ManagedTask?[] tasks, int next, TimeSpan? within)
        {
            await Future.Yield();
            ManagedTask awaited = tasks[next]!;
            tasks = null!;
            await (within is { } limit ? Join(awaited).WithTimeout(limit) : Join(awaited));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Hostages(World world, out TaskCompletionSource one)
    {
        TaskCompletionSource a = new(), b = new();
        _ = world.Runtime.SpawnDetached(Hold(a, b), "hostage 0");
        _ = world.Runtime.SpawnDetached(Hold(b, a), "hostage 1");
        one = a;

        static async Future Hold(TaskCompletionSource mine, TaskCompletionSource yours)
        {
            await mine.Task;
            yours.TrySetResult();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void SelfServing(World world, int slots)
    {
        TaskPool pool = world.Runtime.CreatePool("pool", slots);
        pool.TrySpawn(Outer(pool), out _, "outer");

        static async Future Outer(TaskPool pool) => await await pool.SpawnAsync(Inner());

        static async Future Inner() => await Future.Yield();
    }

    // The platform's own delay, under the system clock: whether it roots what waits for it is what these programs are about.
#pragma warning disable RS0030 // nobody waits for it to elapse
    private static Task Platform(TimeSpan delay, CancellationToken token = default) => Task.Delay(delay, TimeProvider.System, token);
#pragma warning restore RS0030

    private static CancellationToken TimedToken() => new CancellationTokenSource(TimeSpan.FromHours(1)).Token;

    private static ThreadHolder HeldByThread(TaskCompletionSource promise)
    {
        var holder = new ThreadHolder();
        holder.Start(promise);
        return holder;
    }

    // A task of another runtime, which keeps its thread and has the promise on its stack, and nowhere else.
    private static TaskHolder HeldByTask(TaskCompletionSource promise)
    {
        var holder = new TaskHolder();
        holder.Start(promise);
        return holder;
    }

    private sealed class Bell
    {
        public event EventHandler? Rung;

        public void Ring() => Rung?.Invoke(this, EventArgs.Empty);
    }

    private sealed class WakerBox
    {
        public Waker Waker { get; set; }
    }

    /// <summary>Holds something until it is disposed.</summary>
    internal abstract class Holder : IDisposable
    {
        public abstract void Dispose();
    }

    /// <summary>A thread that has a promise on its stack, and nowhere else.</summary>
    internal sealed class ThreadHolder : Holder
    {
        private readonly ManualResetEventSlim _leave = new();
        private Thread? _thread;

        public void Start(TaskCompletionSource promise)
        {
            _thread = new Thread(() =>
            {
                _leave.Wait(CancellationToken.None);
                promise.TrySetResult();
            }) { IsBackground = true };
            _thread.Start();
        }

        public override void Dispose()
        {
            _leave.Set();
            _thread?.Join();
            _leave.Dispose();
        }
    }

    /// <summary>A managed task that runs and has a promise on its stack, and nowhere else.</summary>
    internal sealed class TaskHolder : Holder
    {
        private readonly ManualResetEventSlim _entered = new();
        private readonly ManualResetEventSlim _leave = new();
        private readonly TaskRuntime _runtime = new();

        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Start(TaskCompletionSource promise)
        {
            _ = _runtime.SpawnDetached(RunAsync(promise), "runs");
            _entered.Wait(CancellationToken.None);
        }

        public override void Dispose()
        {
            _leave.Set();
            _runtime.StopAsync(TimeSpan.FromSeconds(30), TimeSpan.Zero).GetAwaiter().GetResult().IsComplete.ShouldBeTrue();
        }

        private async Future RunAsync(TaskCompletionSource promise)
        {
            await Future.Yield();
            _entered.Set();
            _leave.Wait(CancellationToken.None);
            promise.TrySetResult();
        }
    }
}
