using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Rings of waiting tasks: each is found by one of those who close it, and none is found that never stood.</summary>
public sealed class DeadlockModels
{
    [Fact]
    public void C8_of_two_who_close_a_ring_at_once_one_is_thrown_the_error() => Proof.Holds<TwoClosers>(atLeast: 200);

    [Theory]
    [InlineData("LifecycleWord.Peek", Flaw.Blind)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Stale)]
    public void C8_two_closers_twin(string site, Flaw flaw) => Proof.Catches<TwoClosers>(site, flaw);

    [Fact]
    public void C8_of_two_who_close_a_ring_at_once_one_tells() => Proof.Holds<TwoTellers>(atLeast: 200);

    [Theory]
    [InlineData("LifecycleWord.Peek", Flaw.Blind)]
    public void C8_two_tellers_twin(string site, Flaw flaw) => Proof.Catches<TwoTellers>(site, flaw);

    [Fact]
    public void C8_links_that_stood_one_after_the_other_are_no_ring() => Proof.Holds<VanishingLink>(atLeast: 200);

    [Theory]
    [InlineData("LifecycleWord.IsArmed", Flaw.Stale)]
    public void C8_vanishing_link_twin(string site, Flaw flaw) => Proof.Catches<VanishingLink>(site, flaw);

    [Fact]
    public void C8_a_permit_that_is_detached_is_no_link() => Proof.Holds<DetachedPermit>(atLeast: 50);

    [Theory]
    [InlineData("PermitPrimitive.Detach", Flaw.Forgotten)]
    public void C8_detached_permit_twin(string site, Flaw flaw) => Proof.Catches<DetachedPermit>(site, flaw);

    [Fact]
    public void C8_a_child_and_the_end_of_its_scope_close_a_ring_at_once() => Proof.Holds<ChildAgainstScope>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.Peek", Flaw.Blind)]
    public void C8_child_against_scope_twin(string site, Flaw flaw) => Proof.Catches<ChildAgainstScope>(site, flaw);

    [Fact]
    public void C8_the_ends_of_two_scopes_one_inside_the_other_close_a_ring_at_once() => Proof.Holds<ScopeInScope>(atLeast: 100);

    [Theory]
    [InlineData("TaskGroup.Deadlock.IsAwaited", Flaw.Blind)]
    public void C8_scope_in_scope_twin(string site, Flaw flaw) => Proof.Catches<ScopeInScope>(site, flaw);

    [Fact]
    public void C8_a_ring_that_vanishes_while_it_is_looked_at_hides_no_other() => Proof.Holds<Detour>(atLeast: 50);

    [Theory]
    [InlineData("LifecycleWord.Peek", Flaw.Blind)]
    public void C8_detour_twin(string site, Flaw flaw) => Proof.Catches<Detour>(site, flaw);

    private abstract class OfRings(DeadlockPolicy policy) : Model
    {
        protected ModelWorld World { get; } = new(policy);

        protected AsyncMutex First { get; } = new("first");

        protected AsyncMutex Second { get; } = new("second");

        /// <summary>Takes one lock in a first step, and the other in a second one.</summary>
        protected static async Future BothAsync(AsyncMutex one, AsyncMutex other)
        {
            using (await one.LockAsync())
            {
                await Future.Yield();
                (await other.LockAsync()).Dispose();
            }
        }

        protected void Found(int rings)
        {
            World.Runtime.TakeCensus().Deadlocks.ShouldBe(rings);
            World.ShouldBeEmpty();
            First.IsLocked.ShouldBeFalse();
            Second.IsLocked.ShouldBeFalse();
        }
    }

    private abstract class Crosswise : OfRings
    {
        protected Crosswise(DeadlockPolicy policy)
            : base(policy)
        {
            One = World.Spawn(() => BothAsync(First, Second));
            Two = World.Spawn(() => BothAsync(Second, First));
            World.Executor.StepOne();
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        protected ManagedTask One { get; }

        protected ManagedTask Two { get; }
    }

    private sealed class TwoClosers() : Crosswise(DeadlockPolicy.Throw)
    {
        public override void Check()
        {
            World.Executor.RunReady();
            ManagedTask[] failed = [.. new[] { One, Two }.Where(static task => task.State == TaskState.Failed)];
            failed.Length.ShouldBe(1, "one of two is thrown the error");
            failed[0].Exception.ShouldBeOfType<DeadlockException>();
            (One.IsEnded && Two.IsEnded).ShouldBeTrue();
            Found(1);
        }
    }

    private sealed class TwoTellers() : Crosswise(DeadlockPolicy.Report)
    {
        public override void Check()
        {
            World.Executor.RunReady();
            (One.State, Two.State).ShouldBe((TaskState.Blocked, TaskState.Blocked));
            One.Cancel();
            World.Executor.RunReady();
            Two.State.ShouldBe(TaskState.Completed);
            Found(1);
        }
    }

    /// <summary>The third ends the wait of the second for what it has, and only then waits for what the first has. Readers fork the chain, so that it is looked along once before it is looked at again.</summary>
    private sealed class VanishingLink : OfRings
    {
        private readonly AsyncReaderWriterLock _read = new("read");
        private readonly ManagedTask[] _tasks;

        public VanishingLink()
            : base(DeadlockPolicy.Throw)
        {
            ManagedTask one = World.Spawn(async () =>
            {
                using (await First.LockAsync())
                {
                    await Future.Yield();
                    (await _read.LockWriteAsync()).Dispose();
                }
            });
            ManagedTask? two = null;
            ManagedTask three = World.Spawn(async () =>
            {
                using (await Second.LockAsync())
                {
                    await Future.Yield();
                    two!.Cancel();
                    (await First.LockAsync()).Dispose();
                }
            });
            World.Executor.StepOne();
            World.Executor.StepOne();
            two = World.Spawn(async () =>
            {
                using (await _read.LockReadAsync())
                {
                    (await Second.LockAsync()).Dispose();
                }
            });
            World.Executor.Requeue();
            World.Executor.Requeue();
            World.Executor.StepOne();
            _tasks = [one, three];
            Thread("first", World.Executor.StepOne);
            Thread("third", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _tasks.Count(static task => task.State == TaskState.Completed).ShouldBe(2);
            Found(0);
        }
    }

    /// <summary>One gives the permit to nobody in particular, and then waits for what another has that waits for the permit.</summary>
    private sealed class DetachedPermit : OfRings
    {
        private readonly AsyncSemaphore _permit = new(1, "permit");
        private readonly ManagedTask _one;
        private readonly ManagedTask _two;
        private SemaphoreLease _detached;

        public DetachedPermit()
            : base(DeadlockPolicy.Throw)
        {
            _one = World.Spawn(async () =>
            {
                SemaphoreLease lease = await _permit.AcquireAsync();
                await Future.Yield();
                _detached = lease.Detach();
                (await First.LockAsync()).Dispose();
            });
            _two = World.Spawn(async () =>
            {
                using (await First.LockAsync())
                {
                    await Future.Yield();
                    (await _permit.AcquireAsync()).Dispose();
                }
            });
            World.Executor.StepOne();
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _detached.Dispose();
            World.Executor.RunReady();
            (_one.State, _two.State).ShouldBe((TaskState.Completed, TaskState.Completed));
            Found(0);
        }
    }

    private sealed class ChildAgainstScope : OfRings
    {
        private readonly ManagedTask _parent;

        public ChildAgainstScope()
            : base(DeadlockPolicy.Throw)
        {
            _parent = World.Spawn(async () =>
            {
                using (await First.LockAsync())
                {
                    await World.Runtime.RunScopeAsync("scope", async scope =>
                    {
                        _ = scope.Spawn(async _ => (await First.LockAsync()).Dispose());
                        await Future.Yield();
                    });
                }
            });
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _parent.Exception.ShouldBeOfType<DeadlockException>();
            Found(1);
        }
    }

    /// <summary>The innermost task waits for a lock that is held by who waits for the outer scope; whoever waits for the inner one has nothing that anybody wants, but lives in the outer one.</summary>
    private sealed class ScopeInScope : OfRings
    {
        private readonly ManagedTask _outer;
        private readonly ManagedTask _inner;

        public ScopeInScope()
            : base(DeadlockPolicy.Throw)
        {
            TaskGroup outer = TaskGroup.Open(World.Runtime.Engine.Root, "outer", opener: null);
            TaskGroup inner = TaskGroup.Open(outer, "inner", opener: null);
            _outer = World.Spawn(async () =>
            {
                using (await First.LockAsync())
                {
                    await Future.Yield();
                    await new EmptyAwaitable(outer, isFirm: false);
                }
            });
            _inner = World.SpawnInto(outer, async Future () =>
            {
                await Future.Yield();
                await new EmptyAwaitable(inner, isFirm: false);
            });
            World.SpawnInto(inner, async Future () => (await First.LockAsync()).Dispose());
            World.Executor.StepOne();
            World.Executor.StepOne();
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            new[] { _outer, _inner }.Count(static task => task.Failure is DeadlockException).ShouldBe(1);
            Found(1);
        }
    }

    /// <summary>The wait that closes two rings at once: two read what the third wants to write, and both wait for what that has. One of them is canceled while the third looks.</summary>
    private sealed class Detour : OfRings
    {
        private readonly AsyncReaderWriterLock _read = new("read");
        private readonly ManagedTask _writer;
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;

        public Detour()
            : base(DeadlockPolicy.Throw)
        {
            _writer = World.Spawn(async () =>
            {
                using (await First.LockAsync())
                {
                    await Future.Yield();
                    (await _read.LockWriteAsync()).Dispose();
                }
            });
            World.Executor.StepOne();
            _first = World.Spawn(ReadAsync);
            _second = World.Spawn(ReadAsync);
            World.Executor.Requeue();
            World.Executor.StepOne();
            World.Executor.StepOne();
            Thread("writer", World.Executor.StepOne);
            Thread("canceller", () => _first.Cancel());
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _writer.Exception.ShouldBeOfType<DeadlockException>();
            (_first.State, _second.State).ShouldBe((TaskState.Canceled, TaskState.Completed));
            Found(1);
        }

        private async Future ReadAsync()
        {
            using (await _read.LockReadAsync())
            {
                (await First.LockAsync()).Dispose();
            }
        }
    }
}
