using Moirai.Execution;
using Moirai.Lifecycle;
using Moirai.Tests.Timers;

namespace Moirai.Tests;

/// <summary>Nearly every test of a leak ends with <see cref="World.ShouldBeEmpty()"/>. Here is each thing that can be left, left, and caught by it.</summary>
public sealed class WorldTwinTests
{
    [Fact]
    public void An_empty_world_is_empty() => Leaves(static _ => { });

    [Fact]
    public void C11_twin_a_task_that_is_left_is_caught() => Twin.IsCaught(static () => Leaves(static world => world.Spawn(static async _ => await new Gate().WaitAsync())), "live 1");

    [Fact]
    public void A1_twin_a_timer_entry_that_is_left_is_caught() => Twin.IsCaught(
        static () => Leaves(static world =>
        {
            var entry = new TestWait();
            world.Runtime.Engine.Timers.Arm(entry, long.MaxValue, entry.Park());
        }),
        "timers 1");

    [Fact]
    public void C1_twin_a_slot_that_is_left_is_caught() => Twin.IsCaught(
        static () => Leaves(static world => world.Runtime.CreatePool("pool", 3).Slots.TryTake().ShouldBeTrue()),
        "slots 1");

    [Fact]
    public void C1_twin_a_waiter_for_a_slot_that_is_left_is_caught() => Twin.IsCaught(
        static () => Leaves(static world =>
        {
            TaskPool pool = world.Runtime.CreatePool("pool", 1);
            pool.Slots.TryTake();
            var waiter = new TestWait();
            pool.Slots.Wait(waiter, waiter.Park());
            pool.Slots.Waiting.ShouldBe(1);
        }),
        "waiters 1");

    [Fact]
    public void C11_twin_a_waiter_for_the_end_of_a_scope_that_is_left_is_caught() => Twin.IsCaught(
        static () => Leaves(static world =>
        {
            TaskScope scope = world.Runtime.OpenScope("scope");
            _ = scope.Spawn(static async _ => await new Gate().WaitAsync());
            var waiter = new TestWait();
            scope.Group.JoinEmpty(waiter, waiter.Park());
        }),
        "waiters 1");

    [Theory]
    [InlineData("scope")]
    [InlineData("pool")]
    [InlineData("collector")]
    public void C13_twin_a_group_that_is_left_open_is_caught(string what) => Twin.IsCaught(
        () => Leaves(world =>
        {
            switch (what)
            {
                case "scope":
                    _ = world.Runtime.OpenScope("open");
                    break;
                case "pool":
                    _ = world.Runtime.CreatePool("open", 1);
                    break;
                default:
                    TaskScope scope = world.Runtime.OpenScope("around");
                    _ = new TaskCollector<int>(scope);
                    break;
            }
        }),
        what == "collector" ? "open scopes 2" : "open scopes 1");

    [Fact]
    public void C4_twin_a_task_that_was_booked_as_gone_and_sits_in_the_register_still_is_caught() => Twin.IsCaught(
        static () => Leaves(static world =>
        {
            TaskGroup root = world.Runtime.Engine.Root;
            var task = new ManagedTask(new TaskId(1), root, TaskLabel.Of("t", "t", null, "file", 1));
            root.Enter(task);
            task.Page!.Leave(seat: 3, TaskEvent.Complete);
        }),
        "created 1 = live 1 + completed 1");

    [Fact]
    public void C4_twin_a_ready_task_that_nobody_ran_is_caught() => Twin.IsCaught(
        static () =>
        {
            var world = new World();
            _ = world.Spawn(static async _ => await Future.Yield());
            World.ShouldBeEmpty(world.Runtime);
        },
        "ready 1");

    private static void Leaves(Action<World> plant)
    {
        var world = new World();
        plant(world);
        world.ShouldBeEmpty();
    }
}
