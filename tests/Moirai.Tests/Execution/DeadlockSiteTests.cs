using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>Row C8: a ring is told with the lines at which its tasks have taken what the others want, and with those at which they wait.</summary>
[Trait("Row", "C8")]
public sealed class DeadlockSiteTests
{
    private readonly DeadlockWorld _ring = new();

    public static TheoryData<string, bool> Ways => new(
        from way in (string[])["mutex", "mutex, tried", "semaphore", "semaphore, tried", "writer", "writer, tried", "reader"]
        from waits in (bool[])[false, true]
        where !(waits && way.EndsWith("tried", StringComparison.Ordinal))
        select (way, waits));

    [Theory]
    [MemberData(nameof(Ways))]
    public void C8_each_lock_of_a_ring_is_told_with_the_line_that_took_it(string way, bool waits)
    {
        (IDisposable one, IDisposable other) = (Make(way, "one"), Make(way, "other"));
        (Func<Future<IDisposable>> takeOne, string oneAt) = Way(way, one, 0);
        (Func<Future<IDisposable>> takeOther, string otherAt) = Way(way, other, 1);
        oneAt.ShouldNotBe(otherAt);
        var free = new Gate();
        if (waits)
        {
            _ring.World.Start(async _ => await KeepAsync(one, free), "has it before");
            _ring.World.Start(async _ => await KeepAsync(other, free), "has it before");
        }

        ManagedTask first = _ring.Spawn("first", takeOne, Want(other));
        ManagedTask closer = _ring.Spawn("closer", takeOther, Want(one));
        free.Open();
        _ring.World.Run();
        _ring.Run();

        DeadlockException error = _ring.ShouldHaveBroken(closer, first);
        error.Cycle.Select(static edge => edge.AcquiredAt).ShouldBe([oneAt, otherAt]);
        error.Message.ShouldContain($"(taken at {oneAt}) and waits in");
        error.Message.ShouldContain($"(taken at {otherAt}) and waits in");
        error.Cycle.ShouldAllBe(static edge => edge.WaitSite.Contains("DeadlockWorld.cs:"));
    }

    [Fact]
    public void C8_a_lock_that_is_taken_again_after_a_wait_for_news_is_told_with_the_line_that_took_it_first()
    {
        var ledger = new AsyncMutex("ledger");
        var stock = new AsyncMutex("stock");
        var news = new AsyncCondition(ledger, "news");
        string takenAt = string.Empty;
        ManagedTask waiter = _ring.World.Start(
            async _ =>
            {
                using (await ledger.LockAsync(Note(out takenAt)))
                {
                    await news.WaitAsync();
                    await _ring.Go.WaitAsync();
                    (await stock.LockAsync()).Dispose();
                }
            },
            "waiter");
        _ring.World.Run();
        _ring.World.Run(NotifyAsync());
        ManagedTask closer = _ring.Spawn("closer", DeadlockWorld.Lock(stock), DeadlockWorld.Lock(ledger));
        _ring.World.Run();
        _ring.Run();

        _ring.ShouldHaveBroken(closer, waiter).Cycle[0].AcquiredAt.ShouldBe(takenAt);

        async Future NotifyAsync()
        {
            using (await ledger.LockAsync())
            {
                news.Notify().ShouldBe(1);
            }
        }
    }

    [Fact]
    public void C8_a_lock_that_was_given_back_and_taken_elsewhere_is_told_with_the_line_that_took_it_last()
    {
        var ledger = new AsyncMutex("ledger");
        var stock = new AsyncMutex("stock");
        ManagedTask first = _ring.Spawn(
            "first",
            async () =>
            {
                (await ledger.LockAsync()).Dispose();
                return await Way("mutex", ledger, 0).Take();
            },
            DeadlockWorld.Lock(stock));
        ManagedTask closer = _ring.Spawn("closer", DeadlockWorld.Lock(stock), DeadlockWorld.Lock(ledger));
        _ring.World.Run();
        _ring.Run();

        _ring.ShouldHaveBroken(closer, first).Cycle[0].AcquiredAt.ShouldBe(Way("mutex", ledger, 0).At);
    }

    [Fact]
    public void C8_a_value_that_is_being_made_is_told_with_the_line_that_asked_for_it()
    {
        string askedAt = string.Empty;
        AsyncOnce<int>? once = null;
        ManagedTask<int>? asks = null;
        once = new AsyncOnce<int>(
            async Future<int> (_) =>
            {
                if (asks is not null)
                {
                    return 7; // the second attempt, by the one that asks
                }

                asks = _ring.World.Runtime.SpawnDetached(async _ => await once!.GetAsync(), "asks");
                await Future.Yield();
                return await asks;
            },
            "config");
        ManagedTask<int> makes = _ring.World.Spawn(async _ => await once.GetAsync(Note(out askedAt)), "makes");
        _ring.World.Run();

        DeadlockException error = makes.Exception.ShouldBeOfType<DeadlockException>();
        error.Cycle.Single(static edge => edge.WaitsFor == "once 'config'").AcquiredAt.ShouldBe(askedAt);
        error.Cycle.Single(static edge => edge.WaitsFor != "once 'config'").AcquiredAt.ShouldBeNull("nothing was taken");
    }

    private static IDisposable Make(string way, string name) => way.Split(',')[0] switch
    {
        "mutex" => new AsyncMutex(name),
        "semaphore" => new AsyncSemaphore(1, name),
        _ => new AsyncReaderWriterLock(name),
    };

    // Each is taken in a line of its own.
    private static (Func<Future<IDisposable>> Take, string At) Way(string way, IDisposable what, int who) => (way, who) switch
    {
        ("mutex", 0) => (async () => await ((AsyncMutex)what).LockAsync(), Here()),
        ("mutex", _) => (async () => await ((AsyncMutex)what).LockAsync(), Here()),
        ("mutex, tried", 0) => (() => Tried(((AsyncMutex)what).TryLock(out MutexLease lease), lease), Here()),
        ("mutex, tried", _) => (() => Tried(((AsyncMutex)what).TryLock(out MutexLease lease), lease), Here()),
        ("semaphore", 0) => (async () => await ((AsyncSemaphore)what).AcquireAsync(), Here()),
        ("semaphore", _) => (async () => await ((AsyncSemaphore)what).AcquireAsync(1), Here()),
        ("semaphore, tried", 0) => (() => Tried(((AsyncSemaphore)what).TryAcquire(out SemaphoreLease lease), lease), Here()),
        ("semaphore, tried", _) => (() => Tried(((AsyncSemaphore)what).TryAcquire(out SemaphoreLease lease), lease), Here()),
        ("writer", 0) => (async () => await ((AsyncReaderWriterLock)what).LockWriteAsync(), Here()),
        ("writer", _) => (async () => await ((AsyncReaderWriterLock)what).LockWriteAsync(), Here()),
        ("writer, tried", 0) => (() => Tried(((AsyncReaderWriterLock)what).TryLockWrite(out WriteLease lease), lease), Here()),
        ("writer, tried", _) => (() => Tried(((AsyncReaderWriterLock)what).TryLockWrite(out WriteLease lease), lease), Here()),
        ("reader", 0) => (async () => await ((AsyncReaderWriterLock)what).LockReadAsync(), Here()),
        _ => (async () => await ((AsyncReaderWriterLock)what).LockReadAsync(), Here()),
    };

    private static Future<IDisposable> Tried(bool taken, IDisposable lease)
    {
        taken.ShouldBeTrue();
        return Future.FromResult(lease);
    }

    // For writing: so that a reader is in the way too.
    private static Func<Future<IDisposable>> Want(IDisposable what) => what switch
    {
        AsyncMutex mutex => DeadlockWorld.Lock(mutex),
        AsyncSemaphore semaphore => DeadlockWorld.Acquire(semaphore),
        _ => DeadlockWorld.Write((AsyncReaderWriterLock)what),
    };

    private static async Future KeepAsync(IDisposable what, Gate free)
    {
        using (await Want(what)())
        {
            await free.WaitAsync();
        }
    }

    private static string Here([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => $"{Path.GetFileName(file)}:{line}";

    // Stands for the file at a call, so that the line of the call is known.
    private static string Note(out string at, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        at = Here(file, line);
        return file;
    }
}
