using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Scopes, pools and collectors that are left while somebody spawns into them: the task is refused, or canceled and waited for.</summary>
public sealed class ScopeModels
{
    [Fact]
    public void C11_a_task_that_is_spawned_while_its_scope_is_left_is_refused_or_canceled() => Proof.Holds<SpawnAgainstScope>(atLeast: 500);

    [Fact]
    public void C11_spawn_against_scope_twin() => Proof.Catches<SpawnAgainstScope>("RosterPage.EnterLocked", Flaw.Forgotten);

    [Fact]
    public void C1_C11_a_task_that_is_spawned_while_its_pool_is_disposed_of_is_refused_or_canceled() => Proof.Holds<SpawnAgainstPool>(atLeast: 500);

    [Fact]
    public void C1_C11_spawn_against_pool_twin() => Proof.Catches<SpawnAgainstPool>("RosterPage.EnterLocked", Flaw.Forgotten);

    [Fact]
    public void C9_a_task_that_is_added_while_its_collector_is_disposed_of_is_refused_or_canceled() => Proof.Holds<AddAgainstDispose>(atLeast: 500);

    [Fact]
    public void C9_add_against_dispose_twin() => Proof.Catches<AddAgainstDispose>("RosterPage.EnterLocked", Flaw.Forgotten);

    /// <summary>One thread leaves, another spawns a task that would take an hour.</summary>
    private abstract class SpawnAgainstLeave : Model
    {
        private readonly ManagedTask _owner;
        private bool _isRefused;
        private ManagedTask? _spawned;

        protected SpawnAgainstLeave()
        {
            _owner = World.Spawn(async () =>
            {
                await Future.Yield();
                await LeaveAsync();
            });
            World.Executor.StepOne();
            Thread("worker", World.Work);
            Thread("spawner", () =>
            {
                try
                {
                    _spawned = Spawn();
                }
                catch (InvalidOperationException)
                {
                    _isRefused = true;
                }
            });
        }

        protected ModelWorld World { get; } = new();

        public override void Check()
        {
            _owner.State.ShouldBe(TaskState.Completed, "who leaves waits for a task that nobody has canceled");
            _isRefused.ShouldBe(_spawned is null);
            (_spawned?.State ?? TaskState.Canceled).ShouldBe(TaskState.Canceled);
            World.ShouldBeEmpty();
        }

        protected abstract Future LeaveAsync();

        protected abstract ManagedTask Spawn();

        protected static async Future<int> TakeAnHourAsync()
        {
            await Future.Delay(TimeSpan.FromHours(1));
            return 1;
        }
    }

    private sealed class SpawnAgainstScope : SpawnAgainstLeave
    {
        private readonly TaskScope _scope;

        public SpawnAgainstScope() => _scope = World.Runtime.OpenScope("scope");

        protected override Future LeaveAsync() => _scope.DisposeAsync();

        protected override ManagedTask Spawn() => _scope.Spawn(static _ => TakeAnHourAsync());
    }

    private sealed class SpawnAgainstPool : SpawnAgainstLeave
    {
        private readonly TaskPool _pool;

        public SpawnAgainstPool() => _pool = World.Runtime.CreatePool("pool", 1);

        public override void Check()
        {
            base.Check();
            _pool.Slots.InUse.ShouldBe(0);
        }

        protected override Future LeaveAsync() => _pool.DisposeAsync();

        protected override ManagedTask Spawn()
        {
            _pool.TrySpawn(static _ => TakeAnHourAsync(), out ManagedTask<int>? task).ShouldBeTrue();
            return task!;
        }
    }

    private sealed class AddAgainstDispose : SpawnAgainstLeave
    {
        private readonly TaskScope _scope;
        private readonly TaskCollector<int> _collector;

        public AddAgainstDispose()
        {
            _scope = World.Runtime.OpenScope("scope");
            _collector = new TaskCollector<int>(_scope);
        }

        protected override async Future LeaveAsync()
        {
            await _collector.DisposeAsync();
            await _scope.DisposeAsync();
        }

        protected override ManagedTask Spawn() => _collector.Add(TakeAnHourAsync());
    }
}
