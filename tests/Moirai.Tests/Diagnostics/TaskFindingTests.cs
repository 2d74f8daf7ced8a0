namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 7, part 3: who has the id of a task, from a snapshot, an alarm or a log, finds the task; who wants to hear of events need not have made the runtime.</summary>
public sealed class TaskFindingTests
{
    [Fact]
    public void A_live_task_is_found_by_its_id_wherever_it_lives_and_one_that_has_ended_is_not()
    {
        var world = new World("finding");
        var gate = new Gate();
        TaskPool pool = world.Runtime.CreatePool("requests", maxTasks: 1);
        pool.TrySpawn(_ => gate.WaitAsync(), out ManagedTask? inPool, name: "in a pool").ShouldBeTrue();
        ManagedTask detached = world.Start(_ => gate.WaitAsync(), "detached");

        world.Runtime.FindTask(inPool!.Id).ShouldBeSameAs(inPool);
        world.Runtime.FindTask(new TaskId(long.MaxValue)).ShouldBeNull();
        world.Runtime.FindTasks([inPool.Id, detached.Id, new TaskId(long.MaxValue)]).ShouldBe([inPool, detached], ignoreOrder: true);
        world.Runtime.FindTasks([]).ShouldBeEmpty();

        gate.Open();
        world.Advance(0);
        world.Runtime.FindTask(inPool.Id).ShouldBeNull();
        world.Start(async _ => await pool.DisposeAsync(), "closes the pool");
        world.Advance(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void One_task_is_told_as_a_snapshot_of_all_would_tell_it()
    {
        var world = new World("one");
        using var ledger = new AsyncMutex("ledger");
        var gate = new Gate();
        ManagedTask holder = world.Start(async _ =>
        {
            using (await ledger.LockAsync())
            {
                await gate.WaitAsync();
            }
        }, "holder");
        ManagedTask waiter = world.Start(async _ =>
        {
            using (await ledger.LockAsync())
            {
            }
        }, "waiter");
        world.Advance(7);

        TaskSnapshot alone = world.Runtime.TakeTaskSnapshot(waiter).ShouldNotBeNull();
        TaskSnapshot listed = world.Runtime.TakeSnapshot().Tasks.Single(task => task.Id == waiter.Id);
        alone.ToString().ShouldBe(listed.ToString());
        alone.Chain.Select(static frame => frame.ToString()).ShouldBe(listed.Chain.Select(static frame => frame.ToString()));
        alone.Wait!.Holder.ShouldBe(holder.Id);
        alone.Scope.ShouldBeNull();

        gate.Open();
        world.Advance(0);
        world.Runtime.TakeTaskSnapshot(waiter).ShouldBeNull("it has ended");
        new World("another").Runtime.TakeTaskSnapshot(waiter).ShouldBeNull("it is none of that runtime's");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Subscribers_are_told_of_events_until_they_leave_and_one_that_throws_disturbs_nobody()
    {
        var world = new World("events");
        List<RuntimeEventKind> heard = [];
        using IDisposable faulty = world.Runtime.SubscribeToEvents(static _ => throw new InvalidOperationException("a subscriber's fault"));
        IDisposable subscription = world.Runtime.SubscribeToEvents(what => heard.Add(what.Kind));
        TimeOut();
        heard.ShouldBe([RuntimeEventKind.TimedOut]);

        subscription.Dispose();
        subscription.Dispose();
        TimeOut();
        heard.Count.ShouldBe(1);
        world.ShouldBeEmpty();

        void TimeOut()
        {
            ManagedTask task = world.Start(static async _ => await Future.Delay(TimeSpan.FromHours(1)).WithTimeout(TimeSpan.FromSeconds(1)), "late");
            world.Advance(1);
            task.Exception.ShouldBeAssignableTo<TimeoutException>();
        }
    }
}
