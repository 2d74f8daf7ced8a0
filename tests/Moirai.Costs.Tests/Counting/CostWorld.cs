namespace Moirai.Costs.Counting;

/// <summary>A runtime on the test's own thread, under a clock that the test turns and that costs nothing.</summary>
internal sealed class CostWorld
{
    private readonly LocalExecutor _executor = new();

    public CostWorld() => Runtime = new TaskRuntime(new() { Name = "costs", Executor = _executor, TimeProvider = Clock, LeaksAtStop = null });

    public HandClock Clock { get; } = new();

    public TaskRuntime Runtime { get; }

    /// <summary>Runs until nothing is ready.</summary>
    public void Run() => _executor.RunUntilStalled();

    /// <summary>Runs some work to its end; it needs nobody but this world.</summary>
    public void Run(Future work)
    {
        ManagedTask task = Runtime.SpawnDetached(work);
        Run();
        task.IsEnded.ShouldBeTrue($"{task} is stuck");
        task.GetAwaiter().GetResult();
    }

    /// <summary>Runs some work to its end on the thread pool, in a runtime of its own.</summary>
    public static void RunOnPool(Func<TaskRuntime, Future> work)
    {
        var runtime = new TaskRuntime(new() { Name = "costs on the pool", TimeProvider = new HandClock(), LeaksAtStop = null });
        runtime.SpawnDetached(work(runtime)).AsTask().GetAwaiter().GetResult();
        runtime.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary>A clock with timers that fire when it is turned. For one thread; setting a timer allocates nothing.</summary>
    internal sealed class HandClock : TimeProvider
    {
        private readonly List<HandTimer> _timers = [];
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_now);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new HandTimer(this, callback, state);
            _timers.Add(timer);
            timer.Change(dueTime, period);
            return timer;
        }

        public void Turn(TimeSpan by)
        {
            _now += by.Ticks;
            for (int i = 0; i < _timers.Count; i++)
            {
                _timers[i].FireIfDue();
            }
        }

        private sealed class HandTimer(HandClock clock, TimerCallback callback, object? state) : ITimer
        {
            private long _due = long.MaxValue;

            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                _due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : clock._now + dueTime.Ticks;
                return true;
            }

            public void FireIfDue()
            {
                if (_due <= clock._now)
                {
                    _due = long.MaxValue;
                    callback(state);
                }
            }

            public void Dispose() => _due = long.MaxValue;

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
