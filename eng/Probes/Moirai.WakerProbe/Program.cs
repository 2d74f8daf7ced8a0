using System.Runtime.CompilerServices;
using Moirai;

// Looks, as a user's program would, whether wakers are what they promise to be, and prints what it found as one line of JSON.
// Exit code 0 when all holds; 1 when it does not.
await using var runtime = new TaskRuntime();
List<Waker> first = await WakersOfOneTaskAsync(runtime, out TaskId firstTask);
List<Waker> second = await WakersOfOneTaskAsync(runtime, out TaskId secondTask);
bool same = AllPairs(first, first).All(static pair => pair.One.WillWake(pair.Other) && pair.One == pair.Other && pair.One.GetHashCode() == pair.Other.GetHashCode())
    && first.TrueForAll(waker => waker.Task == firstTask);
bool different = AllPairs(first, second).All(static pair => !pair.One.WillWake(pair.Other) && pair.One != pair.Other) && firstTask != secondTask;
long bytes = RegisterAgain(first);
bool holds = same && different && bytes == 0;
string compiled = RuntimeFeature.IsDynamicCodeSupported ? "managed" : "native";
Console.WriteLine($$"""{"build":"{{Probe.Build}}","compiled":"{{compiled}}","wakers":{{first.Count}},"same":{{Json(same)}},"different":{{Json(different)}},"register_bytes":{{bytes}}}""");
return holds ? 0 : 1;

// Other instantiations, other call sites, other threads, in a timeout, in code that is already optimized and in code that is not.
static Task<List<Waker>> WakersOfOneTaskAsync(TaskRuntime runtime, out TaskId id)
{
    List<Waker> wakers = [];
    ManagedTask task = runtime.SpawnDetached(async ct =>
    {
        await Future.FromPoll(waker => Note(wakers, waker));
        await Future.FromPoll(wakers, static (wakers, waker) => Note(wakers, waker));
        for (int round = 0; round < 100; round++)
        {
            await GiveAsync(wakers, round);
            await GiveAsync(wakers, "text");
            await GiveAsync(wakers, (round, Guid.Empty)).WithTimeout(TimeSpan.FromMinutes(1));
            await Task.Run(static () => { }, ct);
        }

        int here = Environment.CurrentManagedThreadId;
        for (int hop = 0; hop < 1_000 && Environment.CurrentManagedThreadId == here; hop++)
        {
            await Task.Run(static () => { }, ct);
        }

        await GiveAsync(wakers, new object());
    });
    id = task.Id;
    return GatherAsync(task, wakers);
}

static async Task<List<Waker>> GatherAsync(ManagedTask task, List<Waker> wakers)
{
    await task;
    return wakers;
}

static async Future GiveAsync<T>(List<Waker> wakers, T value)
{
    await Future.FromPoll((value, wakers), static (state, waker) => Note(state.wakers, waker) ? Poll<T>.Ready(state.value) : Poll<T>.Pending);
    await Future.FromPoll(waker => Note(wakers, waker) ? Poll<T>.Ready(value) : Poll<T>.Pending);
}

// Pending at the first look of each wait, and woken at once.
static bool Note(List<Waker> wakers, Waker waker)
{
    wakers.Add(waker);
    waker.Wake();
    return wakers.Count % 2 == 0;
}

static IEnumerable<(Waker One, Waker Other)> AllPairs(List<Waker> first, List<Waker> second) => from one in first from other in second select (one, other);

static long RegisterAgain(List<Waker> wakers)
{
    var place = new AtomicWaker();
    place.Register(wakers[0]);
    long before = GC.GetAllocatedBytesForCurrentThread();
    foreach (Waker waker in wakers)
    {
        place.Register(waker);
    }

    return GC.GetAllocatedBytesForCurrentThread() - before;
}

static string Json(bool value) => value ? "true" : "false";

/// <summary>How this program was built.</summary>
internal static class Probe
{
#if DEBUG
    public const string Build = "debug";
#else
    public const string Build = "release";
#endif
}
