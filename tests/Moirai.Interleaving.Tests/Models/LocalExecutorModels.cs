using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>The executor of one thread: one drives it at a time, and who sleeps until something arrives is woken.</summary>
public sealed class LocalExecutorModels
{
    [Fact]
    public void Who_drives_until_a_task_has_ended_is_woken_by_what_arrives() => Proof.Holds<ArriveAgainstSleep>(atLeast: 200);

    [Theory]
    [InlineData("LocalExecutor.RunUntil", Flaw.NoLock)]
    [InlineData("ReadyQueue.Pop", Flaw.Forgotten)]
    public void Arrive_against_sleep_twin(string site, Flaw flaw) => Proof.Catches<ArriveAgainstSleep>(site, flaw);

    [Fact]
    public void Two_threads_never_drive_at_once() => Proof.Holds<TwoDrivers>(atLeast: 200);

    [Fact]
    public void Two_drivers_twin() => Proof.Catches<TwoDrivers>("LocalExecutor.TryRunSlice", Flaw.CheckThenStore);

    [Fact]
    public void Who_waits_for_an_arrival_is_told_when_a_driver_leaves_work_behind() => Proof.Holds<LeaveAgainstWait>(atLeast: 100);

    [Theory]
    [InlineData("LocalExecutor.NextArrival", Flaw.NoLock)]
    [InlineData("LocalExecutor.End", Flaw.Forgotten)]
    public void Leave_against_wait_twin(string site, Flaw flaw) => Proof.Catches<LeaveAgainstWait>(site, flaw);

    private abstract class Local : Model
    {
        protected Local()
        {
            Runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "model", Executor = Executor, TimeProvider = new ModelTime() });
        }

        public override bool HasFineSteps => true;

        protected LocalExecutor Executor { get; } = new();

        protected TaskRuntime Runtime { get; }
    }

    private sealed class ArriveAgainstSleep : Local
    {
        private readonly ManagedTask _task;
        private Waker _waker;
        private int _isDone;

        public ArriveAgainstSleep()
        {
            _task = Runtime.SpawnDetached(_ => Future.FromPoll(waker =>
            {
                _waker = waker;
                return Atomics.Read(ref _isDone) != 0;
            }));
            Executor.RunUntilStalled();
            Thread("driver", () => Executor.RunUntil(_task));
            Thread("source", () =>
            {
                Atomics.Write(ref _isDone, 1);
                _waker.Wake();
            });
        }

        public override void Check() => _task.State.ShouldBe(TaskState.Completed);
    }

    private sealed class TwoDrivers : Local
    {
        private int _inside;
        private int _steps;

        public TwoDrivers()
        {
            for (int i = 0; i < 2; i++)
            {
                Runtime.SpawnDetached(_ => StepAsync());
            }

            Thread("first", () => Executor.TryRunSlice());
            Thread("second", () => Executor.TryRunSlice());
        }

        public override void Check()
        {
            Executor.RunUntilStalled();
            _steps.ShouldBe(2);
        }

        private async Future StepAsync()
        {
            Atomics.Add(ref _inside, 1).ShouldBe(1, "two threads run tasks at once");
            _steps++;
            Atomics.Add(ref _inside, -1);
            await Future.Yield();
        }
    }

    /// <summary>A driver runs one step and goes; somebody else wants to be told when there is something to run with nobody to run it.</summary>
    private sealed class LeaveAgainstWait : Local
    {
        private Task? _arrival;

        public LeaveAgainstWait()
        {
            Runtime.SpawnDetached(async _ => await Future.Yield());
            Thread("driver", () => Executor.RunOneStep());
            Thread("waiter", () => _arrival = Executor.NextArrival());
        }

        public override void Check()
        {
            _arrival!.IsCompleted.ShouldBeTrue("something is ready, nobody drives, and nobody is told");
            Executor.RunUntilStalled();
        }
    }
}
