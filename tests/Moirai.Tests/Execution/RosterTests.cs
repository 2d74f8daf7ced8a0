using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai.Tests.Execution;

/// <summary>The register of a group: pages of seats that are left without a lock.</summary>
public class RosterTests
{
    [Fact]
    public async Task C13_A_pool_that_is_drained_while_its_last_tasks_end_counts_each_of_them_once()
    {
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "roster" });
        for (int round = 0; round < 200; round++)
        {
            TaskPool pool = runtime.CreatePool("pool", 1_000);
            for (int i = 0; i < 700; i++)
            {
                _ = await pool.SpawnAsync(i, static async (number, _) =>
                {
                    if (number % 3 == 0)
                    {
                        await Future.Yield();
                    }
                });
            }

            await pool.DrainAsync();
            pool.Counts.ShouldBe(new PoolCounts(700, 0, 700, 0, 0), $"round {round}");
        }

        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public void C13_Whoever_leaves_a_page_last_and_comes_late_finds_it_folded_and_does_not_fold_it_again() => FoldsOnce(static _ => { });

    [Fact]
    public void C13_twin_a_page_that_is_folded_again_by_who_comes_late_is_caught() =>
        Twin.IsCaught(static () => FoldsOnce(static page => page.Previous = page), "not each counted once"); // it looks as if it were in the group's list still

    private static void FoldsOnce(Action<RosterPage> plant)
    {
        var world = new World();
        TaskGroup group = TaskGroup.Open(world.Runtime.Engine.Root, "group", opener: null);
        List<(RosterPage Page, byte Seat)> seats = [];
        for (int i = 0; i < 100; i++)
        {
            var task = new ManagedTask(new TaskId(i + 1), group, TaskLabel.Of("t", "t", null, "file", 1));
            group.Enter(task);
            seats.Add((task.Page!, task.Seat));
        }

        // All book their leaving, and the group closes before any of those who were last on a page has got to folding it.
        foreach ((RosterPage page, byte seat) in seats)
        {
            page.Leave(seat, TaskEvent.Complete);
        }

        group.TryClose(out _).ShouldBeTrue();
        foreach (RosterPage page in seats.Select(static seat => seat.Page).Distinct())
        {
            plant(page);
            group.LastLeft(page);
        }

        group.Counts.ShouldBe(new GroupCounts { Created = 100, Completed = 100 }, "not each counted once");
        world.Runtime.TakeCensus().Created.ShouldBe(100);
    }

    [Fact]
    public void The_census_counts_seats_and_notices_a_task_that_was_booked_as_gone_and_sits_there_still()
    {
        var page = new RosterPage(4);
        var world = new World();
        var task = new ManagedTask(new TaskId(1), world.Runtime.Engine.Root, TaskLabel.Of("t", "t", null, "file", 1));
        page.EnterLocked(task);
        page.Leave(seat: 3, TaskEvent.Complete); // books an end, and empties another seat: the planted fault

        var counts = default(GroupCounts);
        page.AddCountedTo(ref counts);
        (counts.Created == counts.Live + counts.Completed).ShouldBeFalse("the check cannot fail");
    }

    [Fact]
    public void A_census_of_scopes_nested_a_hundred_thousand_deep_and_their_cancellation_need_no_deep_stack()
    {
        const int depth = 100_000;
        var world = new World();
        TaskGroup root = TaskGroup.Open(world.Runtime.Engine.Root, "0", opener: null);
        TaskGroup group = root;
        for (int i = 1; i < depth; i++)
        {
            group = TaskGroup.Open(group, "nested", opener: null);
        }

        world.Runtime.TakeCensus().OpenScopes.ShouldBe(depth);
        root.FirstBusy().ShouldBeNull();
        root.Cancel(new CancelCause(CancelKind.Requested, "test", null, world.Time.GetUtcNow())).ShouldBeTrue();
        group.Cause.ShouldNotBeNull();
        root.CollectTasks().ShouldBeEmpty();
        root.StopIntake();
    }
}
