using System.Runtime.CompilerServices;

namespace Moirai.Tests.Results;

/// <summary>Timeouts beside other things that end: a task that is canceled too, foreign code that lives on, a timer queue that is gone.</summary>
public sealed class TimeoutEdgeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void C6_foreign_code_that_ends_canceled_after_its_time_in_a_task_that_was_canceled_too_ends_as_a_cancellation()
    {
        var world = new World();
        var foreign = new TaskCompletionSource();
        ManagedTask task = world.Start(async _ => await AwaitAsync(foreign.Task).WithTimeout(Second));
        world.Advance(2);
        task.Cancel("and this").ShouldBeTrue();
        foreign.SetCanceled();
        world.Executor.RunUntil(task);
        task.State.ShouldBe(TaskState.Canceled);
        task.CancelCause!.Reason.ShouldBe("and this");
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task C6_what_listens_to_a_timed_bodys_token_is_never_called_by_the_thread_that_turns_the_timers()
    {
        await using var runtime = new TaskRuntime(); // under the system clock
        for (int i = 0; i < 20; i++)
        {
            Thread? caller = null;
            await Should.ThrowAsync<TaskTimeoutException>(runtime.SpawnDetached(async _ => await ListenAsync().WithTimeout(TimeSpan.FromMilliseconds(1))).AsTask());
            caller!.IsThreadPoolThread.ShouldBeTrue($"{caller.Name} called");

            async Future ListenAsync()
            {
                var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                await using CancellationTokenRegistration listens = ManagedTask.CurrentToken.UnsafeRegister(
                    _ =>
                    {
                        caller = Thread.CurrentThread;
                        ended.SetCanceled();
                    },
                    null);
                await ended.Task;
            }
        }

        World.ShouldBeEmpty(runtime);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void B4_a_foreign_task_that_is_waited_for_no_longer_keeps_nothing_of_who_waited(bool timesOut) => KeepsNobody(timesOut, static (_, _) => { });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void B4_twin_a_foreign_task_that_keeps_who_waited_is_caught(bool timesOut)
    {
        var planted = new ConditionalWeakTable<object, object>(); // as a continuation that is still registered
        Twin.IsCaught(() => KeepsNobody(timesOut, planted.Add), "still reachable");
    }

    [Fact]
    public void A_timeout_that_the_timer_queue_refuses_throws_at_its_await_and_the_task_goes_on_without_it()
    {
        var world = new World();
        bool ran = false;
        ManagedTask<int> task = world.Spawn(async _ =>
        {
            try
            {
                await MarkAsync().WithTimeout(Second);
            }
            catch (ObjectDisposedException)
            {
                world.Log("refused");
            }

            ManagedTask.Current!.Extras!.Regions.ShouldBeNull("it is still in the stretch that was to be timed");
            await Future.Yield();
            return 1;
        });
        world.Runtime.Engine.Timers.Dispose();
        world.Run();
        world.Trace.ShouldBe(["refused"]);
        task.Result.ShouldBe(1);
        ran.ShouldBeFalse();
        world.ShouldBeEmpty();

        async Future MarkAsync()
        {
            ran = true;
            await Future.Yield();
        }
    }

    private static void KeepsNobody(bool timesOut, Action<object, object> plant)
    {
        var world = new World();
        var foreign = new TaskCompletionSource();
        WeakReference waited = WaitInVain(world, foreign.Task, timesOut, plant);
        Garbage.ShouldBeGone(waited);
        foreign.SetResult(); // and wakes nobody
        world.Run().ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference WaitInVain(World world, Task foreign, bool timesOut, Action<object, object> plant)
    {
        ManagedTask task = world.Start(async _ =>
        {
            try
            {
                await foreign.WithTimeout(Second);
            }
            catch (TaskTimeoutException)
            {
                // as planned; told to the world, which may keep the error and not the task
            }
        });
        if (!timesOut)
        {
            task.Cancel();
        }

        world.Advance(1);
        task.State.ShouldBe(timesOut ? TaskState.Completed : TaskState.Canceled);
        plant(foreign, task);
        return new WeakReference(task);
    }

    private static async Future AwaitAsync(Task foreign) => await foreign;
}
