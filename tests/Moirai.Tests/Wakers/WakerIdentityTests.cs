using Moirai.Wakers;

namespace Moirai.Tests.Wakers;

/// <summary>Two wakers are equal exactly when they wake the same task. How programs are compiled makes no difference: see <see cref="CompiledWaysTests"/>.</summary>
public sealed class WakerIdentityTests
{
    [Fact]
    public void D1_all_wakers_of_a_task_are_one_and_those_of_two_tasks_are_not() => IdentityRestsOnTheTask(static (one, other) => one.WillWake(other));

    [Fact]
    public void D1_every_way_to_compare_says_the_same()
    {
        IdentityRestsOnTheTask(static (one, other) => one == other);
        IdentityRestsOnTheTask(static (one, other) => !(one != other));
        IdentityRestsOnTheTask(static (one, other) => one.Equals((object)other));
        IdentityRestsOnTheTask(static (one, other) => one.Task == other.Task);
        IdentityRestsOnTheTask(static (one, other) => one.Equals(other) && one.GetHashCode() == other.GetHashCode());
    }

    [Fact]
    public void D1_twin_an_identity_that_rests_on_the_generic_instantiation_is_caught() => Should.Throw<ShouldAssertException>(() =>
        IdentityRestsOnTheTask(static (one, other) => one.WillWake(other) && KindOf(one) == KindOf(other)));

    [Fact]
    public void D1_twin_an_identity_that_rests_on_the_object_behind_is_caught() =>
        Should.Throw<ShouldAssertException>(() => IdentityRestsOnTheTask(static (one, other) => ReferenceEquals(one.Target, other.Target)));

    [Fact]
    public void D1_twin_an_identity_that_knows_no_tasks_is_caught() => Should.Throw<ShouldAssertException>(() => IdentityRestsOnTheTask(static (_, _) => true));

    [Fact]
    public void D1_the_default_waker_is_that_of_nobody()
    {
        Waker nobody = default;
        Waker somebody = new CountingTarget(1).Waker;
        nobody.WillWake(default).ShouldBeTrue();
        nobody.WillWake(somebody).ShouldBeFalse();
        somebody.WillWake(nobody).ShouldBeFalse();
        somebody.Equals(new object()).ShouldBeFalse();
        nobody.Task.ShouldBe(default);
        nobody.Wake();
        nobody.ToString().ShouldBe("waker of nobody");
        somebody.ToString().ShouldBe("waker of #1");
    }

    private static void IdentityRestsOnTheTask(Func<Waker, Waker, bool> same)
    {
        List<Waker> first = WakersOfOneTask();
        List<Waker> second = WakersOfOneTask();
        first.Count.ShouldBeGreaterThan(10);
        AllPairs(first, first).ShouldAllBe(pair => same(pair.One, pair.Other));
        AllPairs(first, second).ShouldAllBe(pair => !same(pair.One, pair.Other));
    }

    // As many ways to get a waker as there are: other instantiations, other call sites, another thread, inside a timeout, under a shield, made by another kind of target.
    private static List<Waker> WakersOfOneTask()
    {
        var world = new World();
        List<Waker> wakers = [];
        ManagedTask task = world.Spawn(async _ =>
        {
            await Future.FromPoll(waker => Note(waker, 2));
            await Future.FromPoll(wakers, static (wakers, waker) =>
            {
                wakers.Add(waker);
                return true;
            });
            await TwiceAsync(1);
            await TwiceAsync("text");
            await TwiceAsync(Guid.Empty);
            await TwiceAsync((1, "text")).WithTimeout(TimeSpan.FromSeconds(1));
            using (ManagedTask.Shield())
            {
                await TwiceAsync(new object());
            }

            await Future.Delay(TimeSpan.FromSeconds(1));
            await TwiceAsync(1L);
        });
        world.Run();
        var elsewhere = new Thread(() => world.Advance(1));
        elsewhere.Start();
        elsewhere.Join();
        task.State.ShouldBe(TaskState.Completed);
        wakers.Add(new Waker(new Planted<int>(task.Id)));
        wakers.Add(new Waker(new Planted<string>(task.Id)));
        return wakers;

        async Future TwiceAsync<T>(T value)
        {
            int asked = 0;
            await Future.FromPoll(waker => Note(waker, 1) ? Poll<T>.Ready(value) : Poll<T>.Pending);
            await Future.FromPoll((value, wakers), (state, waker) =>
            {
                state.wakers.Add(waker);
                waker.Wake();
                return ++asked == 2 ? Poll<T>.Ready(state.value) : Poll<T>.Pending;
            });
        }

        bool Note(Waker waker, int upTo)
        {
            wakers.Add(waker);
            waker.Wake();
            return wakers.Count >= upTo;
        }
    }

    private static IEnumerable<(Waker One, Waker Other)> AllPairs(List<Waker> first, List<Waker> second) => from one in first from other in second select (one, other);

    private static Type KindOf(Waker waker) => waker.Target!.GetType();

    private sealed class Planted<T>(TaskId task) : WakeTarget(task)
    {
        internal override void Wake() => throw new NotSupportedException(typeof(T).Name);
    }
}
