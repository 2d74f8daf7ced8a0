using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>The place for one waker, from one thread: what a look costs that finds its waker there already, and what a change costs.</summary>
internal sealed class Registering() : Workload(
    "atomic-waker",
    "N registrations at one place: of the waker that is there already, of two tasks' wakers in turn, or of one that is taken out each time",
    new("same", 100_000_000),
    new("swap", 100_000_000),
    new("take", 100_000_000))
{
    public override async Future RunByMoiraiAsync(Pass pass)
    {
        Waker own = await WakerAsync();
        Waker other = await pass.Runtime.SpawnDetached(WakerAsync(), "other");
        var place = new AtomicWaker();
        place.Register(own);
        pass.Begin();
        long done = pass.Variant switch
        {
            "same" => Same(place, own, pass.N),
            "swap" => Swap(place, own, other, pass.N),
            _ => Take(place, own, pass.N),
        };
        pass.Phase("run");
        pass.Count(done);
        place.Register(own);
        Pass.Check(place.Take() == own, "the waker is not there");
    }

    public override Task RunByHandAsync(Pass pass)
    {
        Action own = static () => { };
        Action other = static () => { };
        var place = new ActionPlace();
        place.Register(own);
        pass.Begin();
        long done = pass.Variant switch
        {
            "same" => Same(place, own, pass.N),
            "swap" => Swap(place, own, other, pass.N),
            _ => Take(place, own, pass.N),
        };
        pass.Phase("run");
        pass.Count(done);
        place.Register(own);
        Pass.Check(ReferenceEquals(place.Take(), own), "the continuation is not there");
        return Task.CompletedTask;
    }

    private static Future<Waker> WakerAsync() => Future.FromPoll(static waker => Poll<Waker>.Ready(waker));

    private static long Same(AtomicWaker place, Waker waker, long count)
    {
        for (long i = 0; i < count; i++)
        {
            place.Register(waker);
        }

        return count;
    }

    private static long Same(ActionPlace place, Action continuation, long count)
    {
        for (long i = 0; i < count; i++)
        {
            place.Register(continuation);
        }

        return count;
    }

    private static long Swap(AtomicWaker place, Waker one, Waker other, long count)
    {
        for (long i = 0; i < count; i += 2)
        {
            place.Register(other);
            place.Register(one);
        }

        return count;
    }

    private static long Swap(ActionPlace place, Action one, Action other, long count)
    {
        for (long i = 0; i < count; i += 2)
        {
            place.Register(other);
            place.Register(one);
        }

        return count;
    }

    private static long Take(AtomicWaker place, Waker waker, long count)
    {
        long taken = 0;
        for (long i = 0; i < count; i++)
        {
            place.Register(waker);
            taken += place.Take() == waker ? 1 : 0;
        }

        return taken;
    }

    private static long Take(ActionPlace place, Action continuation, long count)
    {
        long taken = 0;
        for (long i = 0; i < count; i++)
        {
            place.Register(continuation);
            taken += ReferenceEquals(place.Take(), continuation) ? 1 : 0;
        }

        return taken;
    }

    /// <summary>What one writes by hand: the continuation itself is kept, and its identity is that of the delegate, so it has to be cached with whoever waits.</summary>
    private sealed class ActionPlace
    {
        private Action? _continuation;

        public void Register(Action continuation)
        {
            if (!ReferenceEquals(Volatile.Read(ref _continuation), continuation))
            {
                Interlocked.Exchange(ref _continuation, continuation);
            }
        }

        public Action? Take() => Interlocked.Exchange(ref _continuation, null);
    }
}
