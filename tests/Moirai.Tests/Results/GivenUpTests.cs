using System.Runtime.CompilerServices;

namespace Moirai.Tests.Results;

/// <summary>C6: a foreign Task that was given up is accounted under the scope in which that happened, visible by name, and the scope's end waits for it with a budget.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class GivenUpTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData("scope")]
    [InlineData("opened")]
    [InlineData("pool")]
    [InlineData("operation")]
    public void C6_a_scopes_end_waits_for_the_Tasks_that_were_given_up_in_it(string kind)
    {
        var world = new World(options => options.AbandonTimeout = 10 * Second);
        var foreign = new TaskCompletionSource();
        ManagedTask owner = world.Start(async ct => await RunInAsync(world, kind, foreign.Task), "owner");
        world.Pass(1);
        world.Runtime.ListAbandoned().ShouldHaveSingleItem().Scope.ShouldBe("calls");
        world.Pass(5);
        owner.State.ShouldBe(TaskState.Blocked);
        owner.DescribeWait().ShouldContain("foreign task");
        foreign.SetResult();
        world.Run();
        owner.State.ShouldBe(TaskState.Completed);
        world.Events.ShouldNotContain(what => what.Kind == RuntimeEventKind.Abandoned);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("scope")]
    [InlineData("opened")]
    [InlineData("pool")]
    [InlineData("operation")]
    public void C6_when_the_budget_is_over_the_end_goes_on_without_them_and_the_runtime_keeps_account(string kind)
    {
        var world = new World(options => options.AbandonTimeout = 10 * Second);
        var foreign = new TaskCompletionSource();
        ManagedTask owner = world.Start(async ct => await RunInAsync(world, kind, foreign.Task), "owner");
        world.Pass(10.999);
        owner.State.ShouldBe(TaskState.Blocked);
        world.Pass(0.001);
        owner.State.ShouldBe(TaskState.Completed);
        world.Timers.ShouldBe(0);
        world.Census.OpenScopes.ShouldBe(0);
        world.Census.AbandonedWaits.ShouldBe(1);
        world.Runtime.ListAbandoned().ShouldHaveSingleItem().Name.ShouldBe("abandoned: foreign");
        world.Events.Single(what => what.Kind == RuntimeEventKind.Abandoned).Message.ShouldStartWith("'calls' ends without foreign Tasks that were given up in it; they go on, and runtime 'world' lists them until they end: foreign, given up by #");
        foreign.SetResult();
        world.Census.AbandonedWaits.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("plain in a body")]
    public void C6_a_Task_that_plain_code_has_given_up_is_accounted_where_that_code_runs(string kind)
    {
        var world = new World();
        var foreign = new TaskCompletionSource();
        ManagedTask owner = world.Start(async ct => await RunInAsync(world, kind, foreign.Task), "owner");
        world.Pass(1);
        world.Runtime.ListAbandoned().ShouldHaveSingleItem().Scope.ShouldBe("calls");
        Eventually.Is(() => RunUntil(() => owner.DescribeWait().Contains("foreign task", StringComparison.Ordinal)), TimeSpan.FromSeconds(60)).ShouldBeTrue(); // plain code goes on by way of the thread pool
        owner.State.ShouldBe(TaskState.Blocked);
        foreign.SetResult();
        world.Run();
        owner.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        bool RunUntil(Func<bool> condition)
        {
            world.Run();
            return condition();
        }
    }

    [Fact]
    public void C6_without_a_budget_nobody_waits()
    {
        var world = new World(options => options.AbandonTimeout = TimeSpan.Zero);
        var foreign = new TaskCompletionSource();
        ManagedTask owner = world.Start(async ct => await RunInAsync(world, "scope", foreign.Task));
        world.Pass(1);
        owner.State.ShouldBe(TaskState.Completed);
        world.Census.AbandonedWaits.ShouldBe(1);
        foreign.SetResult();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_Task_that_two_scopes_have_given_up_is_listed_under_both_and_both_wait()
    {
        var world = new World();
        var foreign = new TaskCompletionSource();
        ManagedTask first = world.Start(async ct => await world.Runtime.RunScopeAsync("first", _ => GiveUpAsync(foreign.Task)));
        world.Pass(1);
        ManagedTask second = world.Start(async ct => await world.Runtime.RunScopeAsync("second", _ => GiveUpAsync(foreign.Task)));
        world.Pass(1);
        world.Runtime.ListAbandoned().Select(one => one.Scope).ShouldBe(["first", "second"]);
        world.Census.AbandonedWaits.ShouldBe(1, "it is one Task");
        (first.State, second.State).ShouldBe((TaskState.Blocked, TaskState.Blocked));
        foreign.SetResult();
        world.Run();
        (first.State, second.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        world.Runtime.ListAbandoned().ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_the_failure_of_a_Task_for_which_only_the_scopes_end_waits_is_told()
    {
        var world = new World();
        var foreign = new TaskCompletionSource();
        ManagedTask owner = world.Start(async ct => await RunInAsync(world, "scope", foreign.Task));
        world.Pass(2);
        var late = new ArithmeticException("late");
        foreign.SetException(late);
        world.Run();
        owner.State.ShouldBe(TaskState.Completed);
        world.Events.Single(what => what.Kind == RuntimeEventKind.UnobservedFailure).Error.ShouldBe(late);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C6_a_Task_that_nobody_can_end_is_not_waited_for()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("calls");
        Spawn(scope);
        world.Run();
        world.Pass(1);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        world.Census.AbandonedWaits.ShouldBe(0);
        ManagedTask join = world.Start(async ct => await scope.JoinAsync());
        join.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Spawn(TaskScope scope) => scope.Spawn(async ct => await GiveUpAsync(new TaskCompletionSource().Task));
    }

    [Fact]
    public void C6_a_Task_that_is_polled_any_number_of_times_is_accounted_once()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("calls");
        var one = new TaskCompletionSource();
        var other = new TaskCompletionSource();
        for (int i = 0; i < 100; i++)
        {
            scope.Spawn(async ct =>
            {
                await GiveUpAsync(one.Task);
                await GiveUpAsync(other.Task);
            });
            world.Run();
            world.Pass(2);
        }

        scope.Group.GivenUp!.ToList().Count.ShouldBe(2);
        one.SetResult();
        scope.Group.GivenUp!.ToList().Count.ShouldBe(1);
        other.SetResult();
        world.CloseAndBeEmpty(scope);
    }

    private static async Future RunInAsync(World world, string kind, Task foreign)
    {
        switch (kind)
        {
            case "scope":
                await world.Runtime.RunScopeAsync("calls", _ => GiveUpAsync(foreign));
                break;
            case "opened":
                TaskScope opened = world.Runtime.OpenScope("calls");
                await opened.Spawn(async ct => await GiveUpAsync(foreign));
                await opened.JoinAsync();
                break;
            case "pool":
                TaskPool pool = world.Runtime.CreatePool("calls", 1);
                await await pool.SpawnAsync(async ct => await GiveUpAsync(foreign));
                await pool.DisposeAsync();
                break;
            case "plain":
                await world.Runtime.RunScopeAsync("calls", scope =>
                {
                    scope.Spawn(async Task (ct) => await PlainAsync(foreign));
                    return Future.Completed();
                });
                break;
            case "plain in a body":
                await world.Runtime.RunScopeAsync("calls", async scope => await PlainAsync(foreign));
                break;
            default:
                await world.Runtime.RunScopeAsync("calls", async _ => await GiveUpAsync(foreign).WithTimeout(TimeSpan.FromHours(1), abandonAfter: Second));
                break;
        }
    }

    private static async Future GiveUpAsync(Task foreign)
    {
        try
        {
            await foreign.WithTimeout(Second);
        }
        catch (TaskTimeoutException)
        {
            // it goes on
        }
    }

    private static async Task PlainAsync(Task foreign)
    {
        try
        {
            await foreign.WithTimeout(Second);
        }
        catch (TaskTimeoutException)
        {
            // it goes on
        }
    }
}
