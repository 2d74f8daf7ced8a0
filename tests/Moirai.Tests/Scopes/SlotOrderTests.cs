using Moirai.Wakers;

namespace Moirai.Tests.Scopes;

/// <summary>Row C1, to the instruction: a slot goes to the next only when the end of who held it is published.</summary>
public sealed class SlotOrderTests
{
    [Fact]
    public void C1_who_is_given_a_slot_finds_its_holder_ended_and_not_yet_off_the_books()
    {
        var world = new World();
        TaskPool pool = world.Runtime.CreatePool("one", maxTasks: 1);
        var gate = new Gate();
        ManagedTask holder = TaskSlotTests.Admit(pool, async _ => await gate.WaitAsync());
        world.Run();
        var next = new Watcher(holder, pool);
        pool.Slots.Wait(next, armed: 0);
        gate.Open();
        world.Run();
        (next.Seen, next.Live).ShouldBe((TaskState.Completed, 1L));
        next.Resumed.ShouldBeTrue();
        pool.Slots.Return();
        world.Run(pool.DrainAsync());
        world.ShouldBeEmpty();
    }

    /// <summary>Looks around at the moment in which it is given the slot.</summary>
    private sealed class Watcher(ManagedTask holder, TaskPool pool) : WaitNode
    {
        public TaskState Seen { get; private set; }

        public long Live { get; private set; }

        public bool Resumed { get; private set; }

        internal override bool IsArmed(int armed) => true;

        internal override bool TryClaim()
        {
            Seen = holder.State;
            Live = pool.Counts.Live;
            return true;
        }

        internal override void GoOn() => throw new NotSupportedException("the slot is taken");

        internal override void Resume(ref WakeBatch batch) => Resumed = true;
    }
}
