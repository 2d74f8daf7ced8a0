using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Races and guards: of several who could, one does.</summary>
public sealed class ResultModels
{
    [Fact]
    public void S167_branches_that_end_at_once_give_one_winner_and_all_are_waited_for() => Proof.Holds<BranchesEndAtOnce>(atLeast: 500);

    [Fact]
    public void S167_branches_end_at_once_twin() => Proof.Catches<BranchesEndAtOnce>("RosterPage.Leave", Flaw.CheckThenStore);

    [Fact]
    public void S167_of_two_who_run_a_race_one_is_told_that_it_was_run() => Proof.Holds<TwoRunners>(atLeast: 100);

    [Fact]
    public void S167_two_runners_twin() => Proof.Catches<TwoRunners>("Race.RunAsync", Flaw.CheckThenStore);

    [Fact]
    public void Clean_up_that_is_dismissed_while_its_task_ends_runs_or_does_not() => Proof.Holds<DismissAgainstEnd>(atLeast: 50);

    [Theory]
    [InlineData("worker")]
    [InlineData("dismisser")]
    public void Dismiss_against_end_twin(string thread) => Proof.Catches<DismissAgainstEnd>("CleanUp.TryTake", Flaw.CheckThenStore, thread);

    [Fact]
    public void C12_who_disposes_second_goes_on_once_the_clean_up_was_run_and_not_before() => Proof.Holds<DisposeAgainstDispose>(atLeast: 200);

    [Theory]
    [InlineData("CleanUp.TryTake", Flaw.CheckThenStore)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void C12_dispose_against_dispose_twin(string site, Flaw flaw) => Proof.Catches<DisposeAgainstDispose>(site, flaw);

    [Fact]
    public void C12_who_waits_for_a_clean_up_goes_on_once_also_if_it_is_canceled_when_the_clean_up_ends() => Proof.Holds<CancelAgainstCleanUp>(atLeast: 50);

    [Fact]
    public void C12_cancel_against_clean_up_twin() => Proof.Catches<CancelAgainstCleanUp>("LifecycleWord.IsArmed", Flaw.Blind);

    private sealed class BranchesEndAtOnce : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _racer;
        private int _index = -1;

        public BranchesEndAtOnce()
        {
            _racer = _world.Spawn(async () =>
            {
                TaskOutcome<int> won = await new Race<int>("race", RaceOrder.Biased)
                    .Add(OneAsync)
                    .Add(OneAsync)
                    .FirstCompletedAsync();
                _index = won.Index;
                won.Value.ShouldBe(1);
            });
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            _world.Executor.StepOne();
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _racer.State.ShouldBe(TaskState.Completed);
            _index.ShouldBeInRange(0, 1);
            _world.ShouldBeEmpty();
        }

        private static async Future<int> OneAsync(CancellationToken token)
        {
            await Future.Yield();
            return 1;
        }
    }

    private sealed class TwoRunners : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask[] _tasks;
        private readonly Race<int> _race = new("race", RaceOrder.Biased);

        public TwoRunners()
        {
            _race.Add(static async _ =>
            {
                await Future.Completed();
                return 1;
            });
            _tasks = [_world.Spawn(RunAsync), _world.Spawn(RunAsync)];
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _tasks.Count(static task => task.State == TaskState.Completed).ShouldBe(1);
            _tasks.Count(static task => task.Exception is InvalidOperationException).ShouldBe(1);
            Should.Throw<InvalidOperationException>(() => _race.Add(static async _ => 1));
            _world.ShouldBeEmpty();
        }

        private async Future RunAsync() => await _race.FirstCompletedAsync();
    }

    private sealed class DismissAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private ResourceGuard? _guard;
        private int _cleanedUp;
        private bool _dismissed;

        public DismissAgainstEnd()
        {
            _task = _world.Spawn(async () =>
            {
                _guard = ResourceGuard.Protect(this, static model => { model._cleanedUp++; });
                await Future.Yield();
            });
            _world.Executor.StepOne();
            Thread("worker", _world.Executor.StepOne);
            Thread("dismisser", () =>
            {
                _dismissed = _guard!.Dismiss();
                _guard.IsDone.ShouldBeTrue();
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            _cleanedUp.ShouldBe(_dismissed ? 0 : 1);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>Two dispose the same guard at once.</summary>
    private sealed class DisposeAgainstDispose : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask[] _tasks;
        private ResourceGuard? _guard;
        private int _begun;
        private int _done;

        public DisposeAgainstDispose()
        {
            _ = _world.Start(async () =>
            {
                _guard = ResourceGuard.Protect(this, static model =>
                {
                    model._begun++;
                    Run.Current?.Step("cleans up");
                    model._done++;
                });
                await Future.Delay(TimeSpan.FromHours(1));
            });
            _tasks = [_world.Spawn(DisposeAsync), _world.Spawn(DisposeAsync)];
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _tasks.ShouldAllBe(static task => task.State == TaskState.Completed);
            (_begun, _done).ShouldBe((1, 1));
            _world.Time.Advance(3_600_000);
            _world.ShouldBeEmpty();
        }

        private async Future DisposeAsync()
        {
            await _guard!.DisposeAsync();
            _done.ShouldBe(1, "who has disposed may rely on it");
        }
    }

    /// <summary>The second who disposes waits, and is canceled at the moment at which the clean-up ends.</summary>
    private sealed class CancelAgainstCleanUp : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;
        private ResourceGuard? _guard;
        private bool _done;

        public CancelAgainstCleanUp()
        {
            _first = _world.Start(async () =>
            {
                _guard = ResourceGuard.Protect(this, static async model =>
                {
                    await Future.Delay(TimeSpan.FromMilliseconds(5));
                    model._done = true;
                });
                await _guard.DisposeAsync();
            });
            _second = _world.Spawn(async () =>
            {
                await Future.Yield();
                await _guard!.DisposeAsync();
                _done.ShouldBeTrue("a cancellation does not end the wait");
            });
            _world.Executor.StepOne();
            _world.Time.Advance(5);
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", () =>
            {
                _world.Executor.StepOne();
                _second.Cancel();
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _first.State.ShouldBe(TaskState.Completed);
            _second.State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }
    }
}
