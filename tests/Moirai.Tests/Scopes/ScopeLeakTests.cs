namespace Moirai.Tests.Scopes;

/// <summary>Row C11: whichever way a scope is left, its children have ended before. Each with scopes that let somebody out too early, or nobody at all.</summary>
public sealed class ScopeLeakTests
{
    public enum Left
    {
        ByReturn,
        ByFailureOfTheBody,
        ByFailureOfAChild,
        ByCancellation,
        ByTimeout,
    }

    public static TheoryData<Left> AllWays => [.. Enum.GetValues<Left>()];

    public static TheoryData<Left> WaysThatCancel => [.. Enum.GetValues<Left>().Where(static way => way != Left.ByReturn)];

    private delegate Future RunScope(World world, Func<TaskScope, Future> body);

    [Theory]
    [MemberData(nameof(AllWays))]
    public void C11_whichever_way_a_scope_is_left_its_children_have_cleaned_up_and_ended_before(Left way) =>
        LeavesNoChild(way, static (world, body) => world.Runtime.RunScopeAsync("scope", body));

    [Theory]
    [MemberData(nameof(AllWays))]
    public void C11_twin_a_scope_that_is_left_with_its_body_is_caught(Left way) => Twin.IsCaught(
        () => LeavesNoChild(way, static async (world, body) => await body(world.Runtime.OpenScope("left open"))),
        "a child has not ended");

    [Theory]
    [MemberData(nameof(WaysThatCancel))]
    public void C11_twin_a_scope_that_waits_for_its_children_and_does_not_cancel_them_is_caught(Left way) => Twin.IsCaught(
        () => LeavesNoChild(way, static async (world, body) =>
        {
            TaskScope scope = null!;
            ManagedTask apart = world.Runtime.SpawnDetached(async _ => await world.Runtime.RunScopeAsync("apart", async inner => await (scope = inner).Spawn(static async _ => await Future.Yield()), ScopePolicy.Isolate));
            while (scope is null)
            {
                await Future.Yield();
            }

            try
            {
                await body(scope);
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                await apart;
            }
        }),
        "nobody canceled the children");

    private static void LeavesNoChild(Left way, RunScope run)
    {
        var world = new World();
        var work = new Gate();
        var trigger = new Gate();
        var cleanUp = new Gate();
        int cleaned = 0;
        int cleanedWhenLeft = -1;
        ManagedTask parent = world.Start(async _ =>
        {
            try
            {
                await (way == Left.ByTimeout ? run(world, BodyAsync).WithTimeout(TimeSpan.FromSeconds(1)) : run(world, BodyAsync));
            }
            catch (Exception error) when (error is FormatException or TaskTimeoutException)
            {
                // as planned
            }
            finally
            {
                cleanedWhenLeft = cleaned;
            }
        });
        switch (way)
        {
            case Left.ByReturn:
                trigger.Open();
                world.Run();
                work.Open();
                world.Run();
                break;
            case Left.ByCancellation:
                parent.Cancel();
                world.Run();
                break;
            case Left.ByTimeout:
                world.Advance(1);
                break;
            default:
                trigger.Open();
                world.Run();
                break;
        }

        parent.IsEnded.ShouldBeFalse("a child has not ended");
        cleanUp.Open();
        world.Run();
        parent.IsEnded.ShouldBeTrue("nobody canceled the children");
        cleanedWhenLeft.ShouldBe(2);
        parent.State.ShouldBe(way == Left.ByCancellation ? TaskState.Canceled : TaskState.Completed);
        world.ShouldBeEmpty();

        async Future BodyAsync(TaskScope scope)
        {
            _ = scope.Spawn(ChildAsync);
            _ = scope.Spawn(ChildAsync);
            if (way == Left.ByFailureOfAChild)
            {
                _ = scope.Spawn(async _ =>
                {
                    await trigger.WaitAsync();
                    throw new FormatException("child");
                });
                await Future.Yield();
                return;
            }

            await trigger.WaitAsync();
            if (way == Left.ByFailureOfTheBody)
            {
                throw new FormatException("body");
            }
        }

        async Future ChildAsync(CancellationToken token)
        {
            try
            {
                await work.WaitAsync();
            }
            finally
            {
                using CancelShield shield = ManagedTask.Shield();
                await cleanUp.WaitAsync();
                cleaned++;
            }
        }
    }
}
