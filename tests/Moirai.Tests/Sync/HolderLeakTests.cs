using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Tests.Sync;

/// <summary>What mutexes and semaphores keep of those who held them: nothing.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class HolderLeakTests
{
    private readonly AsyncSemaphore _semaphore = new(1);

    [Theory]
    [InlineData("at once")]
    [InlineData("after a wait")]
    [InlineData("by somebody else")]
    public void A_free_mutex_keeps_nothing_of_who_held_it_last(string released)
    {
        var mutex = new AsyncMutex("cache");
        Garbage.ShouldBeGone(Hold(mutex, released));
        GC.KeepAlive(mutex);
    }

    [Fact]
    public void Twin_a_mutex_that_keeps_its_holder_is_caught()
    {
        var mutex = new AsyncMutex("cache");
        WeakReference holder = Hold(mutex, released: "never");
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(holder));
        GC.KeepAlive(mutex);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Hold(AsyncMutex mutex, string released)
    {
        var world = new World();
        MutexLease lease = default;
        ManagedTask task = world.Start(async _ =>
        {
            lease = await mutex.LockAsync();
            if (released == "at once")
            {
                lease.Dispose();
            }

            await Future.Delay(TimeSpan.FromSeconds(released == "never" ? 60 : 1));
            if (released == "after a wait")
            {
                lease.Dispose();
            }
        });
        mutex.IsLocked.ShouldBe(released != "at once");
        if (released == "by somebody else")
        {
            lease.Dispose();
        }

        world.Advance(1);
        task.IsEnded.ShouldBe(released != "never");
        return new WeakReference(task);
    }

    [Fact]
    public void Permits_that_were_given_back_keep_nothing_of_who_had_them()
    {
        Garbage.ShouldBeGone(Hold());
        _semaphore.Available.ShouldBe(1);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Hold()
        {
            var world = new World();
            return new WeakReference(world.Start(async _ => (await _semaphore.AcquireAsync()).Dispose()));
        }
    }

    [Fact]
    public void Twin_permits_that_are_still_held_keep_their_holder_and_are_caught()
    {
        WeakReference holder = Hold();
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(holder));
        GC.KeepAlive(this);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Hold()
        {
            var world = new World();
            return new WeakReference(world.Start(async _ =>
            {
                await _semaphore.AcquireAsync();
                StepContext.Current.ForgetHolds(); // nobody gives back for it
            }));
        }
    }
}
