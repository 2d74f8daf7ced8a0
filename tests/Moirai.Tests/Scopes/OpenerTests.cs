using System.Runtime.CompilerServices;

namespace Moirai.Tests.Scopes;

/// <summary>A task knows the scopes and pools it has opened, in order to cancel them with itself: exactly as long as they are open.</summary>
public sealed class OpenerTests
{
    private const int Open = 5;

    public static TheoryData<string> Ways => ["run", "join", "dispose", "pool"];

    [Theory]
    [MemberData(nameof(Ways))]
    public void C11_a_task_that_lives_on_holds_nothing_of_what_it_has_opened_and_left(string way) => HoldsNothing(way, static _ => { });

    [Theory]
    [MemberData(nameof(Ways))]
    public void C11_twin_an_opener_that_keeps_what_it_has_opened_is_caught(string way)
    {
        // In the opener and nowhere else, as a list of the open scopes from which nobody is taken out.
        var kept = new ConditionalWeakTable<ManagedTask, List<object>>();
        Twin.IsCaught(() => HoldsNothing(way, opened => kept.GetOrCreateValue(ManagedTask.Current!).Add(opened)), "still reachable");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(Open - 1)]
    public void C11_whichever_of_its_scopes_a_task_leaves_that_one_is_let_go_and_the_others_are_canceled_with_the_task(int left)
    {
        var world = new World();
        (ManagedTask task, WeakReference gone, ManagedTask[] others) = OpenManyAndLeaveOne(world, left);
        task.State.ShouldBe(TaskState.Blocked);
        Garbage.ShouldBeGone(gone);

        task.Cancel("with all that it opened");
        others.Length.ShouldBe(Open - 1);
        others.ShouldAllBe(static child => child.CancelCause!.Reason == "with all that it opened");
        world.Run();
        others.ShouldAllBe(static child => child.State == TaskState.Canceled);
        task.State.ShouldBe(TaskState.Canceled);
    }

    private static void HoldsNothing(string way, Action<object> plant)
    {
        var world = new World();
        var gate = new Gate();
        List<WeakReference> tracked = [];
        ManagedTask task = LeaveMany(world, way, gate, tracked, plant);
        tracked.Count.ShouldBe(3);
        foreach (WeakReference one in tracked)
        {
            Garbage.ShouldBeGone(one);
        }

        task.State.ShouldBe(TaskState.Blocked, "it lives on");
        gate.Open();
        world.ShouldBeEmpty();
        task.State.ShouldBe(TaskState.Completed);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask LeaveMany(World world, string way, Gate gate, List<WeakReference> tracked, Action<object> plant) => world.Start(async _ =>
    {
        for (int i = 0; i < 3; i++)
        {
            await LeaveOneAsync(world.Runtime, way, opened =>
            {
                tracked.Add(new WeakReference(opened));
                plant(opened);
            });
        }

        await gate.WaitAsync();
    });

    private static async Future LeaveOneAsync(TaskRuntime runtime, string way, Action<object> opened)
    {
        switch (way)
        {
            case "run":
                await runtime.RunScopeAsync("left", async scope =>
                {
                    opened(scope);
                    await scope.Spawn(static async _ => await Future.Yield());
                });
                break;
            case "pool":
                TaskPool pool = runtime.CreatePool("left", 1);
                opened(pool);
                await await pool.SpawnAsync(static async _ => await Future.Yield());
                await pool.DrainAsync();
                break;
            default:
                TaskScope open = runtime.OpenScope("left");
                opened(open);
                _ = open.Spawn(static async _ => await Future.Yield());
                await (way == "join" ? open.JoinAsync() : open.DisposeAsync());
                break;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask Task, WeakReference Left, ManagedTask[] Others) OpenManyAndLeaveOne(World world, int left)
    {
        var scopes = new TaskScope?[Open];
        List<ManagedTask> others = [];
        WeakReference? gone = null;
        ManagedTask task = world.Start(async _ =>
        {
            for (int i = 0; i < Open; i++)
            {
                scopes[i] = world.Runtime.OpenScope($"scope {i}");
                ManagedTask child = scopes[i]!.Spawn(static async _ => await Future.Delay(Timeout.InfiniteTimeSpan));
                if (i != left)
                {
                    others.Add(child); // a handle keeps its scope
                }
            }

            await Future.Yield();
            await scopes[left]!.DisposeAsync();
            gone = new WeakReference(scopes[left]);
            scopes[left] = null;
            await new Gate().WaitAsync();
        });
        return (task, gone!, [.. others]);
    }
}
