using Moirai.Diagnostics;

namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 5, part 3: the text that a human reads at night, and rows that stand for many tasks.</summary>
public sealed class SnapshotTextTests
{
    [Fact]
    public void The_widest_chains_are_merged_into_one_line_that_says_where_on_what_and_because_of_whom()
    {
        var world = new World("orders");
        var gate = new Gate();
        using var ledger = new AsyncMutex("ledger");
        ManagedTask reconcile = world.Start(_ => HoldAsync(ledger, gate), "reconcile");
        for (int i = 0; i < 8_213; i++)
        {
            _ = world.Spawn(_ => SaveAsync(ledger), "order");
        }

        world.Run();
        world.Advance(42);

        string text = world.Runtime.TakeSnapshot().ToString();

        string row = text.Split('\n').Single(static line => line.StartsWith("  × 8,213", StringComparison.Ordinal));
        row.ShouldMatch($@"^  × 8,213 'order' waiting at SnapshotTextTests\.cs:\d+ on mutex 'ledger' held by {reconcile.Id} 'reconcile', up to 42 s$");
        text.ShouldContain("      WriteAsync SnapshotTextTests.cs:");
        text.ShouldContain($"  {reconcile.Id} 'reconcile' waiting at SnapshotTextTests.cs:");
        text.ShouldContain("  mutex 'ledger', held by");
        text.ShouldContain(", the longest for 42 s");
        text.Split('\n').Length.ShouldBeLessThanOrEqualTo(50);

        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void It_fits_a_terminal_however_much_there_is_to_tell()
    {
        var world = new World(new string('n', 300));
        var gate = new Gate();
        var mutexes = new List<AsyncMutex>();
        var scopes = new List<TaskScope>();
        for (int i = 0; i < 60; i++)
        {
            TaskScope scope = world.Runtime.OpenScope($"scope {i} {new string('s', 200)}");
            scopes.Add(scope);
            var mutex = new AsyncMutex($"mutex {i} {new string('m', 200)}");
            mutexes.Add(mutex);
            _ = scope.Spawn(_ => HoldAsync(mutex, gate), $"holder {i} {new string('t', 200)}");
            _ = scope.Spawn(_ => SaveAsync(mutex), $"waiter {i} {new string('t', 200)}");
        }

        world.Run();

        string[] lines = world.Runtime.TakeSnapshot().ToString().Split('\n');

        lines.Length.ShouldBeLessThanOrEqualTo(50);
        lines.ShouldAllBe(static line => line.Length <= 120);
        lines.ShouldContain(static line => line.StartsWith("  … and ", StringComparison.Ordinal) && line.Contains(" kinds"));
        gate.Open();
        scopes.ForEach(scope => world.Run(scope.DisposeAsync()));
        mutexes.ForEach(static mutex => mutex.Dispose());
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_name_that_would_move_the_cursor_is_told_without_doing_so()
    {
        var world = new World("one\r\ntwo");
        using var mutex = new AsyncMutex("ledger\u001b[2J");
        mutex.TryLock(out MutexLease lease).ShouldBeTrue();
        _ = world.Start(async _ => (await mutex.LockAsync()).Dispose(), "× 1 a\nb\u2028c " + string.Concat(Enumerable.Repeat("\U0001F9F5", 100)));

        string text = world.Runtime.TakeSnapshot().ToString();

        text.Where(static character => character != '\n' && (char.IsControl(character) || character == '\u2028')).ShouldBeEmpty();
        text.Split('\n').ShouldContain(static line => line.StartsWith("  #", StringComparison.Ordinal) && line.Contains("'× 1 a·b·c ", StringComparison.Ordinal));
        text.ShouldContain("mutex 'ledger·[2J'");
        text.ShouldContain("runtime 'one··two'");
        text.EnumerateRunes().ShouldNotContain(System.Text.Rune.ReplacementChar, "no letter is cut in two");
        lease.Dispose();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Tasks_beyond_the_limit_are_counted_in_groups_with_the_oldest_of_them()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask first = world.Start(_ => gate.WaitAsync(), "waiter");
        world.Advance(60);
        for (int i = 0; i < 999; i++)
        {
            _ = world.Spawn(_ => gate.WaitAsync(), "waiter");
        }

        world.Run();

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot(new SnapshotOptions { Chains = false, MaxTasks = 10 });

        snapshot.Tasks.Count.ShouldBe(10);
        snapshot.TasksNotListed.ShouldBe(990);
        GroupSnapshot group = snapshot.Groups.ShouldHaveSingleItem();
        group.Count.ShouldBe(1_000);
        group.Name.ShouldBe("waiter");
        group.Oldest.ShouldBe(first.Id);
        group.Waited.ShouldBe(TimeSpan.FromSeconds(60));
        group.Chain.Count.ShouldBeLessThanOrEqualTo(1);
        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Waits_for_different_things_of_one_name_are_one_row_that_names_none_of_them()
    {
        var world = new World();
        var gate = new Gate();
        for (int i = 0; i < 20; i++)
        {
            ManagedTask child = world.Start(_ => gate.WaitAsync(), "child");
            _ = world.Start(_ => JoinAsync(child), "parent");
        }

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();

        GroupSnapshot parents = snapshot.Groups.Single(static group => group.Name == "parent");
        parents.Count.ShouldBe(20);
        parents.Wait.ShouldBe(new WaitSnapshot(WaitKind.Task, "the end of 'child'"));
        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_million_names_do_not_make_a_million_rows()
    {
        var world = new World();
        var gate = new Gate();
        const int Many = 25_000;
        for (int i = 0; i < Many; i++)
        {
            _ = world.Spawn(_ => gate.WaitAsync(), $"order {i}");
        }

        world.Run();

        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot(new SnapshotOptions { MaxTasks = 0, MaxRows = 10 });

        snapshot.Tasks.ShouldBeEmpty();
        snapshot.Groups.Count.ShouldBe(10);
        (snapshot.GroupsNotListed + 10).ShouldBeLessThan(10_010);
        snapshot.Groups[0].Name.ShouldBeNull();
        snapshot.Groups[0].Count.ShouldBe(Many - 10_000);
        snapshot.States.Live.ShouldBe(Many);
        gate.Open();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_oldest_of_a_row_is_one_whose_time_is_known()
    {
        ChainNode nowhere = new ChainTrie().Of([]);
        var rows = new GroupRows(most: 10);
        TimeSpan?[] waited = [null, TimeSpan.FromSeconds(5), null, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(7)];
        for (int i = 0; i < waited.Length; i++)
        {
            rows.Add(new SeenTask { Id = new TaskId(i + 1), Name = "order", State = TaskState.Blocked, Chain = nowhere, Waited = waited[i] });
        }

        GroupSnapshot row = rows.Largest(1, new PrimitiveTable(0)).ShouldHaveSingleItem();
        (row.Count, row.Oldest.Value, row.Waited).ShouldBe((5, 4, TimeSpan.FromSeconds(9)));
    }

    [Fact]
    public void An_empty_runtime_says_so()
    {
        string text = new World("idle").Runtime.TakeSnapshot().ToString();

        text.ShouldStartWith("runtime 'idle' at ");
        text.ShouldContain("\nno tasks");
    }

    private static async Future HoldAsync(AsyncMutex mutex, Gate gate)
    {
        using (await mutex.LockAsync())
        {
            await gate.WaitAsync();
        }
    }

    private static async Future SaveAsync(AsyncMutex mutex) => await WriteAsync(mutex);

    private static async Future WriteAsync(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
        }
    }

    private static async Future JoinAsync(ManagedTask child) => await child;
}
