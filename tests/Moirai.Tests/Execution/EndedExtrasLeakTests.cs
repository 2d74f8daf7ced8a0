using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>Row B4: what a kept handle keeps of the rarer things that a task had: its token with who listened to it, and the tokens from outside that it followed.</summary>
public sealed class EndedExtrasLeakTests
{
    public static TheoryData<TaskState> Ends => [TaskState.Completed, TaskState.Failed, TaskState.Canceled];

    [Theory]
    [MemberData(nameof(Ends))]
    public void B4_a_kept_handle_keeps_nobody_who_listened_to_the_tasks_token(TaskState end) => KeepsNoListener(end, static (_, _) => { });

    [Theory]
    [MemberData(nameof(Ends))]
    public void B4_twin_a_handle_that_keeps_its_token_is_caught(TaskState end) => IsCaught(plant => KeepsNoListener(end, plant));

    [Theory]
    [MemberData(nameof(Ends))]
    public void B4_a_kept_handle_keeps_no_token_from_outside(TaskState end) => KeepsNoOutsideToken(end, static (_, _) => { });

    [Theory]
    [MemberData(nameof(Ends))]
    public void B4_twin_a_handle_that_keeps_its_links_is_caught(TaskState end) => IsCaught(plant => KeepsNoOutsideToken(end, plant));

    private static void IsCaught(Action<Action<ManagedTask, object>> test)
    {
        var planted = new ConditionalWeakTable<ManagedTask, object>(); // as a field of the handle
        Twin.IsCaught(() => test(planted.Add), "still reachable");
    }

    private static void KeepsNoListener(TaskState end, Action<ManagedTask, object> plant)
    {
        var world = new World();
        (ManagedTask handle, WeakReference listener) = Listen(world, end, plant);
        Garbage.ShouldBeGone(listener);
        ShouldHaveEnded(world, handle, end);
    }

    private static void KeepsNoOutsideToken(TaskState end, Action<ManagedTask, object> plant)
    {
        var world = new World();
        (ManagedTask handle, WeakReference source) = Follow(world, end, plant);
        Garbage.ShouldBeGone(source);
        ShouldHaveEnded(world, handle, end);
    }

    private static void ShouldHaveEnded(World world, ManagedTask handle, TaskState end)
    {
        handle.State.ShouldBe(end);
        (handle.CancelCause is not null).ShouldBe(end == TaskState.Canceled, "the cause is a part of the outcome, and stays");
        world.ShouldBeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask Handle, WeakReference Listener) Listen(World world, TaskState end, Action<ManagedTask, object> plant)
    {
        var listener = new object();
        ManagedTask handle = world.Start(async token =>
        {
            _ = token.UnsafeRegister(static _ => { }, listener); // and never unregistered
            _ = ManagedTask.CurrentToken.UnsafeRegister(static _ => { }, listener);
            await EndAsync(end);
        });
        handle.Cancel("as planned").ShouldBe(end == TaskState.Canceled);
        world.Run();
        plant(handle, listener);
        return (handle, new WeakReference(listener));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ManagedTask Handle, WeakReference Source) Follow(World world, TaskState end, Action<ManagedTask, object> plant)
    {
        var source = new CancellationTokenSource();
        ManagedTask handle = world.Spawn(_ => EndAsync(end)).CancelWith(source.Token);
        world.Run();
        handle.Cancel("as planned").ShouldBe(end == TaskState.Canceled);
        world.Run();
        plant(handle, source);
        return (handle, new WeakReference(source));
    }

    private static async Future EndAsync(TaskState end)
    {
        await Future.Yield();
        switch (end)
        {
            case TaskState.Failed:
                throw new FormatException("as planned");
            case TaskState.Canceled:
                await Future.Delay(Timeout.InfiniteTimeSpan);
                break;
        }
    }
}
