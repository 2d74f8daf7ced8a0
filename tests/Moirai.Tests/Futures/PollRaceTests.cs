using Moirai.Execution;

namespace Moirai.Tests.Futures;

/// <summary>A wake that comes between the poll and the wait: too late for the one, too early for the other.</summary>
public sealed class PollRaceTests
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(20);

    /// <remarks>
    /// The window is a few instructions long: the waiter has seen that nobody woke it, and has not yet said that it waits. So it is written down instead of hit:
    /// the waiter is held at the gate of its task, which one that is asked to cancel has to pass at the end of that window, and the wake is shown the task as it was at the window's
    /// beginning, still running.
    /// </remarks>
    [Fact]
    public void D3_a_wake_between_a_poll_and_its_wait_is_not_lost()
    {
        var world = new World();
        using var polled = new ManualResetEventSlim();
        using var held = new ManualResetEventSlim();
        Waker kept = default;
        int polls = 0;
        ManagedTask task = world.Spawn(async _ =>
        {
            using CancelShield shield = ManagedTask.Shield(); // the task looks at its gate and goes on
            ManagedTask.Current!.Cancel();
            await Future.FromPoll(waker =>
            {
                kept = waker;
                if (++polls > 1)
                {
                    return true;
                }

                polled.Set();
                held.Wait(Failsafe).ShouldBeTrue();
                return false;
            });
        });
        object? running = null;
        var other = new Thread(() =>
        {
            polled.Wait();
            running = task.Place;
            task.Lock();
            held.Set();
            var spinner = default(SpinWait);
            while (task.State != TaskState.Blocked)
            {
                spinner.SpinOnce();
            }

            object? waiting = task.Place;
            Volatile.Write(ref task.Place, running);
            kept.Wake();
            Volatile.Write(ref task.Place, waiting);
            task.Unlock();
        });
        other.Start();
        world.Run();
        other.Join(Failsafe).ShouldBeTrue();

        running.ShouldBeOfType<StepContext>();
        polls.ShouldBe(2, "the wake was lost: nobody will ever poll again");
        task.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }
}
