using Moirai.Execution;
using Moirai.Futures;
using Moirai.Interleaving.Exploring;
using Moirai.Wakers;

namespace Moirai.Interleaving.Models;

/// <summary>A runtime for a model: the real one, on an executor and a clock that are turned by the threads of the model.</summary>
internal sealed class ModelWorld
{
    // Rings are looked for in the models of rings; in all others the looks would only make more interleavings.
    public ModelWorld(DeadlockPolicy deadlocks = DeadlockPolicy.Off)
    {
        Runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "model", Executor = Executor, TimeProvider = Time, OnEvent = _ => { }, Deadlocks = deadlocks });
        (Runtime.Engine.Watch as IDisposable)?.Dispose(); // thousands of these worlds are dropped as they are; nobody is to clean up after them
    }

    public ModelExecutor Executor { get; } = new();

    public ModelTime Time { get; } = new();

    public TaskRuntime Runtime { get; }

    public ManagedTask Spawn(Func<Future> body) => Runtime.SpawnDetached(_ => body());

    public ManagedTask SpawnInto(TaskGroup group, Func<Future> body) => Spawning.Spawn(group, Bodies.Of(body(), "task", "model", 0));

    /// <summary>Spawns, and runs until nothing is ready: the scene before the threads begin.</summary>
    public ManagedTask Start(Func<Future> body)
    {
        ManagedTask task = Spawn(body);
        Executor.RunReady();
        return task;
    }

    /// <summary>Runs a body that has used up the turns of its step: its first wait gives way before it asks, and begins when its turn comes.</summary>
    public static async Future WithoutTurns(Func<Future> body)
    {
        while (!StepContext.Current.HasToGiveWay)
        {
            _ = StepContext.MayGoOn();
        }

        await body();
    }

    /// <summary>What a thread does that runs ready tasks, until the other threads have ended and nothing is ready.</summary>
    public void Work() => Executor.Work();

    /// <summary>Runs what is left, and looks that the account balances and nothing is left of it.</summary>
    public void ShouldBeEmpty()
    {
        Executor.RunReady();
        Census census = Runtime.TakeCensus();
        census.IsBalanced.ShouldBeTrue(census.ToString());
        census.IsEmpty.ShouldBeTrue(census.ToString());
    }
}

/// <summary>Where ready tasks of a model wait for a thread of the model. It stands for any executor: first come first served, and each frame once.</summary>
internal sealed class ModelExecutor : Executor
{
    private readonly Queue<Frame> _ready = new();

    // All that were stepped, so that a world that is kept keeps what its threads had in hand when their run was broken off.
    private readonly List<Frame> _stepped = [];

    public override int ReadyCount => _ready.Count;

    public override long StepCount => _stepped.Count;

    /// <summary>Puts the first that is ready behind the others.</summary>
    public void Requeue() => _ready.Enqueue(_ready.Dequeue());

    public void RunReady()
    {
        while (_ready.Count > 0)
        {
            StepOne();
        }
    }

    public void Work()
    {
        while (Run.WaitForWork("waits for a ready task", () => _ready.Count > 0))
        {
            StepOne();
        }
    }

    private protected override void Take(Frame frame, StepContext? context) => Add(frame);

    private protected override void TakeChain(WaitNode head, int count)
    {
        for (WaitNode? node = head; node is not null;)
        {
            WaitNode? next = node.Next;
            node.Next = null;
            Add((Frame)node);
            node = next;
        }
    }

    private void Add(Frame frame)
    {
        Run.Current?.LandAll(); // the gate of a real queue is a fence
        if (_ready.Contains(frame))
        {
            Run.Fail($"{frame} is made ready twice");
        }

        _ready.Enqueue(frame);
    }

    /// <summary>Runs the first that is ready to its next wait or its end.</summary>
    public void StepOne()
    {
        Frame frame = _ready.Dequeue();
        _stepped.Add(frame);
        Stepper.Run(frame, StepContext.Current, ExecutionContext.Capture()!);
    }
}

/// <summary>A clock that a thread of the model moves. No locks: one thread of a model works at a time.</summary>
internal sealed class ModelTime : TimeProvider
{
    private readonly List<ModelTimer> _timers = [];
    private long _now;

    /// <summary>Whether the next timer that is set fails to be.</summary>
    public bool FailsNext { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>When the first timer is due; null when none is set.</summary>
    public long? NextDue => _timers.Min(static timer => timer.Due == long.MaxValue ? (long?)null : timer.Due);

    /// <summary>How many timers have been made and not disposed of.</summary>
    public int Timers => _timers.Count;

    public override long GetTimestamp() => _now;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        dueTime.ShouldBe(Timeout.InfiniteTimeSpan);
        var timer = new ModelTimer(this, () => callback(state));
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Moves the clock, and fires what is due.</summary>
    public void Advance(int milliseconds)
    {
        _now += milliseconds * TimeSpan.TicksPerMillisecond;
        foreach (ModelTimer timer in _timers.ToArray())
        {
            timer.FireIfDue(_now);
        }
    }

    private sealed class ModelTimer(ModelTime time, Action fire) : ITimer
    {
        public long Due { get; private set; } = long.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Run.Current?.Step("sets the provider's timer");
            if (time.FailsNext)
            {
                time.FailsNext = false;
                throw new InvalidOperationException("the provider fails");
            }

            Due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : time._now + dueTime.Ticks;
            return true;
        }

        public void FireIfDue(long now)
        {
            if (Due <= now)
            {
                Due = long.MaxValue;
                fire();
            }
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
