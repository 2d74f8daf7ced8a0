using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Permits: given back, waited for, canceled, taken alone, added; each goes to one, and none is lost.</summary>
public sealed class PermitModels
{
    [Fact]
    public void S141_a_permit_that_is_given_back_while_its_first_waiter_is_canceled_goes_to_the_next() => Proof.Holds<ReturnAgainstCancel>(atLeast: 200);

    [Theory]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    [InlineData("PermitPrimitive.ReturnLocked", Flaw.Forgotten)]
    [InlineData("PermitPrimitive.TakeLocked", Flaw.Forgotten)]
    public void S141_return_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<ReturnAgainstCancel>(site, flaw);

    [Fact]
    public void S141_who_begins_to_wait_while_the_permit_is_given_back_has_it() => Proof.Holds<ReturnAgainstWait>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    public void S141_return_against_wait_twin(string site, Flaw flaw) => Proof.Catches<ReturnAgainstWait>(site, flaw);

    [Fact]
    public void S141_copies_of_a_lease_give_back_once() => Proof.Holds<TwoReturnsOfALease>(atLeast: 20);

    [Theory]
    [InlineData("LeaseTable.Remove", Flaw.Forgotten)]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    public void S141_copies_of_a_lease_twin(string site, Flaw flaw) => Proof.Catches<TwoReturnsOfALease>(site, flaw);

    [Fact]
    public void S141_whoever_asks_without_the_gate_is_told_of_a_lease_what_holds() => Proof.Holds<AskAgainstGrowth>(atLeast: 20);

    [Theory]
    [InlineData("LeaseTable.Grow", Flaw.Forgotten)]
    [InlineData("LeaseTable.Add", Flaw.Forgotten)]
    [InlineData("LeaseTable.Remove", Flaw.Forgotten)]
    public void S141_ask_against_growth_twin(string site, Flaw flaw) => Proof.Catches<AskAgainstGrowth>(site, flaw);

    [Fact]
    public void Nobody_reads_while_somebody_writes() => Proof.Holds<WriteAgainstRead>(atLeast: 200);

    [Theory]
    [InlineData("PermitPrimitive.IsTakenAlone", Flaw.Blind)]
    [InlineData("PermitPrimitive.Holder", Flaw.Blind)]
    public void Write_against_read_twin(string site, Flaw flaw) => Proof.Catches<WriteAgainstRead>(site, flaw);

    [Fact]
    public void S147_permits_are_added_and_forgotten_while_somebody_waits() => Proof.Holds<AddAgainstWait>(atLeast: 100);

    [Theory]
    [InlineData("PermitPrimitive.TryAdd", Flaw.Forgotten)]
    [InlineData("PermitPrimitive.ForgetFree", Flaw.Forgotten)]
    [InlineData("PermitPrimitive.Free", Flaw.Blind)]
    public void S147_add_against_wait_twin(string site, Flaw flaw) => Proof.Catches<AddAgainstWait>(site, flaw);

    private abstract class OfSemaphore : Model
    {
        protected ModelWorld World { get; } = new();

        protected AsyncSemaphore Semaphore { get; init; } = new(1);

        protected Guarded Inside { get; } = new();

        protected async Future PassAsync()
        {
            using (await Semaphore.AcquireAsync())
            {
                Inside.Pass();
            }
        }

        protected void ShouldBeFree(int permits)
        {
            World.ShouldBeEmpty();
            (Semaphore.Available, Semaphore.Permits, Semaphore.Waiting).ShouldBe((permits, permits, 0));
        }
    }

    private sealed class ReturnAgainstCancel : OfSemaphore
    {
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;

        public ReturnAgainstCancel()
        {
            Semaphore.TryAcquire(out SemaphoreLease lease).ShouldBeTrue();
            _first = World.Start(PassAsync);
            _second = World.Start(PassAsync);
            Thread("returner", lease.Dispose);
            Thread("canceller", () => _first.Cancel());
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _first.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _second.State.ShouldBe(TaskState.Completed, "the permit was lost");
            ShouldBeFree(1);
        }
    }

    private sealed class ReturnAgainstWait : OfSemaphore
    {
        private readonly ManagedTask _task;

        public ReturnAgainstWait()
        {
            Semaphore.TryAcquire(out SemaphoreLease lease).ShouldBeTrue();
            _task = World.Spawn(PassAsync);
            Thread("worker", World.Executor.StepOne);
            Thread("returner", lease.Dispose);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed, "the waiter was forgotten");
            ShouldBeFree(1);
        }
    }

    private sealed class TwoReturnsOfALease : OfSemaphore
    {
        private int _taken;

        public TwoReturnsOfALease()
        {
            Semaphore = new AsyncSemaphore(2);
            Semaphore.TryAcquire(out SemaphoreLease lease).ShouldBeTrue();
            Semaphore.TryAcquire(out _).ShouldBeTrue();
            Thread("one", lease.Dispose);
            Thread("two", () =>
            {
                lease.Dispose();
                _taken += Semaphore.TryAcquire(out _) ? 1 : 0;
            });
        }

        public override void Check()
        {
            _taken.ShouldBe(1);
            (Semaphore.Available, Semaphore.Permits).ShouldBe((0, 2), "one lease was given back twice");
        }
    }

    /// <summary>The table of leases grows while somebody asks about one, as a snapshot does, and about one that is given back.</summary>
    private sealed class AskAgainstGrowth : Model
    {
        private const long One = 1 << 3; // one permit, for nobody

        public AskAgainstGrowth()
        {
            var semaphore = new AsyncSemaphore(8);
            var tickets = new long[4];
            for (int i = 0; i < 4; i++)
            {
                semaphore.TryTake(null, One, "", 0, out tickets[i]).ShouldBeTrue();
            }

            var held = (IHeld)semaphore;
            Thread("taker", () =>
            {
                semaphore.TryTake(null, One, "", 0, out long fifth).ShouldBeTrue();
                held.IsHeld(fifth).ShouldBeTrue();
                semaphore.Return(fifth, isExclusive: false).ShouldBe(1);
                held.IsHeld(fifth).ShouldBeFalse("it was given back");
            });
            Thread("asker", () =>
            {
                held.IsHeld(tickets[0]).ShouldBeTrue();
                held.IsHeld(tickets[3]).ShouldBeTrue();
                held.IsHeld(0).ShouldBeFalse();
            });
        }
    }

    private sealed class WriteAgainstRead : Model
    {
        private readonly ModelWorld _world = new();
        private readonly AsyncReaderWriterLock _lock = new();
        private readonly Guarded _inside = new();
        private readonly ManagedTask _writer;
        private readonly ManagedTask _reader;

        public WriteAgainstRead()
        {
            _writer = _world.Spawn(async () =>
            {
                using (await _lock.LockWriteAsync())
                {
                    _inside.Pass();
                    _lock.IsWriteLocked.ShouldBeTrue();
                    ReferenceEquals(_lock.Holder, ManagedTask.Current).ShouldBeTrue();
                }
            });
            _reader = _world.Spawn(async () =>
            {
                using (await _lock.LockReadAsync())
                {
                    _inside.Pass();
                }
            });
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            (_writer.Exception ?? _reader.Exception).ShouldBeNull();
            (_writer.State, _reader.State).ShouldBe((TaskState.Completed, TaskState.Completed));
            (_lock.Readers, _lock.IsWriteLocked, _lock.Waiting).ShouldBe((0, false, 0));
            _world.ShouldBeEmpty();
        }
    }

    private sealed class AddAgainstWait : OfSemaphore
    {
        private readonly ManagedTask _task;
        private int _forgotten;

        public AddAgainstWait()
        {
            Semaphore = new AsyncSemaphore(0, 3);
            _task = World.Spawn(PassAsync);
            Thread("worker", World.Executor.StepOne);
            Thread("adder", () =>
            {
                Semaphore.AddPermits(2);
                int free = Semaphore.Available;
                free.ShouldBeInRange(1, 2);
                _forgotten = Semaphore.ForgetPermits(1);
                _forgotten.ShouldBe(1);
                SemaphoreLease lease = default;
                if (Semaphore.TryAcquire(out lease))
                {
                    lease.Forget();
                    _forgotten++;
                }
            });
        }

        public override void Check()
        {
            World.Executor.RunReady();
            if (_task.State == TaskState.Blocked)
            {
                _forgotten.ShouldBe(2);
                Semaphore.AddPermits(1);
                _forgotten--;
                World.Executor.RunReady();
            }

            _task.State.ShouldBe(TaskState.Completed);
            ShouldBeFree(2 - _forgotten);
        }
    }
}
