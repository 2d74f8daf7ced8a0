using Moirai.Diagnostics;
using Moirai.Ground;

namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 5, part 3: the tasks of a snapshot are kept as numbers and shared words, and made when somebody asks; who reads them must not notice.</summary>
public sealed class ToldTaskTests
{
    private const int Crowd = (2 * Pages<ToldTask>.PageSize) + 100;

    [Fact]
    public void Each_of_thousands_is_told_with_its_own_name_wait_holdings_and_cause()
    {
        var world = new World();
        using var mutex = new AsyncMutex("ledger");
        var gate = new Gate();
        TaskPool pool = world.Runtime.CreatePool("pool", Crowd);
        ManagedTask holder = world.Start(
            async _ =>
            {
                using (await mutex.LockAsync())
                {
                    await gate.WaitAsync();
                }
            },
            "holder");
        var tasks = new ManagedTask[Crowd];
        for (int i = 0; i < Crowd; i++)
        {
            int seconds = i + 1;
            pool.TrySpawn(ct => BodyAsync(seconds, mutex), out ManagedTask? task, name: $"task {i}").ShouldBeTrue();
            tasks[i] = task!;
        }

        world.Run();
        for (int i = 0; i < Crowd; i += 7)
        {
            tasks[i].Cancel($"reason {i}");
        }

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot(new SnapshotOptions { MaxTasks = Crowd + 1 });

        var told = snapshot.Tasks.ToDictionary(static task => task.Id);
        told.Count.ShouldBe(Crowd + 1);
        told[holder.Id].Holds.ShouldBe(["mutex 'ledger'"]);
        for (int i = 0; i < Crowd; i++)
        {
            TaskSnapshot task = told[tasks[i].Id];
            task.Name.ShouldBe($"task {i}");
            task.SpawnSite.ShouldBe(tasks[i].SpawnSite);
            task.Holds.ShouldBe(["a slot of 'pool'"]);
            task.CancelCause.ShouldBe(i % 7 == 0 ? SnapshotTaker.Words(tasks[i].CancelCause) : null);
            task.State.ShouldBe(i % 7 == 0 ? TaskState.Ready : TaskState.Blocked);
            if (task.State == TaskState.Blocked && i % 2 == 0)
            {
                task.Wait!.DueIn.ShouldBe(TimeSpan.FromSeconds(i + 1));
            }
            else if (task.State == TaskState.Blocked)
            {
                task.Wait!.What.ShouldBe("mutex 'ledger'");
                task.Wait.DueIn.ShouldBeNull();
            }
        }

        gate.Open();
        world.Advance(Crowd + 1);
        world.Run(pool.DisposeAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_is_the_same_each_time_it_is_asked_for_and_is_made_each_time()
    {
        var world = new World();
        var gate = new Gate();
        _ = world.Start(async _ => await gate.WaitAsync(), "waiter");
        _ = world.Start(async _ => await Future.Delay(TimeSpan.FromSeconds(9)), "sleeper");
        world.Advance(3);

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();

        for (int i = 0; i < snapshot.Tasks.Count; i++)
        {
            snapshot.Tasks[i].ShouldBe(snapshot.Tasks[i]);
            snapshot.Tasks[i].ShouldNotBeSameAs(snapshot.Tasks[i]);
            snapshot.Tasks[i].GetHashCode().ShouldBe(snapshot.Tasks[i].GetHashCode());
        }

        snapshot.Tasks.ShouldBe([.. snapshot.Tasks]);
        Should.Throw<ArgumentOutOfRangeException>(() => snapshot.Tasks[snapshot.Tasks.Count]);
        Should.Throw<ArgumentOutOfRangeException>(() => snapshot.Tasks[-1]);
        gate.Open();
        world.Advance(9);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Tasks_at_one_place_share_their_chain_and_those_that_came_in_different_seconds_are_told_apart()
    {
        var world = new World();
        var gate = new Gate();
        for (int i = 0; i < 4; i++)
        {
            _ = world.Start(_ => OuterAsync(gate), "waiter");
            world.Advance(i % 2);
        }

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();

        TaskSnapshot[] tasks = [.. snapshot.Tasks];
        tasks.ShouldAllBe(task => ReferenceEquals(task.Chain, tasks[0].Chain) && task.ChainWaited.Count == task.Chain.Count);
        tasks.Select(static task => task.ChainWaited[^1]!.Value.TotalSeconds).Order().ShouldBe([1, 1, 2, 2]);
        tasks.Select(static task => task.ChainWaited).Distinct().Count().ShouldBe(2, "those of one second share a row");
        gate.Open();
        world.Run();
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(AccountingLevel.None)]
    [InlineData(AccountingLevel.Polls)]
    [InlineData(AccountingLevel.Exact)]
    public void An_account_is_told_as_far_as_it_is_kept(AccountingLevel level)
    {
        var world = new World(options => options.Accounting = level);
        ManagedTask task = world.Start(async _ => await Future.Delay(TimeSpan.FromSeconds(9)), "sleeper");
        world.Advance(4);

        TaskSnapshot told = world.Runtime.TakeSnapshot().Tasks.ShouldHaveSingleItem();

        TaskAccount account = task.TakeAccount();
        (told.Polls, told.Busy, told.Ready, told.Blocked, told.Age).ShouldBe((account.Polls, account.Busy, account.Ready, account.Blocked, account.Age));
        told.Polls.HasValue.ShouldBe(level != AccountingLevel.None);
        told.Blocked.ShouldBe(level == AccountingLevel.Exact ? TimeSpan.FromSeconds(4) : null);
        world.Runtime.TakeTaskSnapshot(task).ShouldNotBeNull().Polls.ShouldBe(account.Polls);
        world.Advance(5);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Pages_grow_without_moving_what_is_full()
    {
        var pages = new Pages<int>();
        for (int i = 0; i < 10 * Pages<int>.PageSize; i++)
        {
            pages.Add(i).ShouldBe(i);
            pages[i / 2].ShouldBe(i / 2);
        }

        ref readonly int full = ref pages[Pages<int>.PageSize];
        pages.Add(0);
        System.Runtime.CompilerServices.Unsafe.AreSame(in full, in pages[Pages<int>.PageSize]).ShouldBeTrue();
    }

    [Fact]
    public void Rows_of_numbers_lie_in_one_piece_each()
    {
        var rows = new NumberRows();
        var places = new List<(int At, int Length)>();
        for (int i = 0; i < 2_000; i++)
        {
            int length = (i % 65) + 1;
            places.Add((rows.Add(length, out Span<int> row), length));
            row.Fill(i);
        }

        for (int i = 0; i < places.Count; i++)
        {
            rows.Row(places[i].At, places[i].Length).ShouldAllBe(number => number == i);
        }
    }

    private static async Future BodyAsync(int seconds, AsyncMutex mutex)
    {
        if (seconds % 2 == 1)
        {
            await Future.Delay(TimeSpan.FromSeconds(seconds));
        }
        else
        {
            (await mutex.LockAsync()).Dispose();
        }
    }

    private static async Future OuterAsync(Gate gate) => await gate.WaitAsync();
}
