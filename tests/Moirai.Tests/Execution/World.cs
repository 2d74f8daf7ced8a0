using Moirai.Testing;

namespace Moirai.Tests.Execution;

/// <summary>A runtime on one thread, under a clock that the test turns. Nothing in it happens by itself.</summary>
internal sealed class World
{
    private readonly List<RuntimeEvent> _events = [];
    private readonly List<string> _trace = [];

    public World(Action<TaskRuntimeOptions>? configure = null)
    {
        var options = new TaskRuntimeOptions { Name = "world", Executor = Executor, TimeProvider = Time, OnEvent = Note };
        configure?.Invoke(options);
        Runtime = new TaskRuntime(options);
    }

    public VirtualTimeProvider Time { get; } = new();

    public LocalExecutor Executor { get; } = new();

    public TaskRuntime Runtime { get; }

    /// <summary>Entries in the timer queue.</summary>
    public int Timers => Runtime.Engine.Timers.Count;

    public string[] Trace => [.. _trace];

    public RuntimeEvent[] Events
    {
        get
        {
            lock (_events)
            {
                return [.. _events];
            }
        }
    }

    public void Log(string what) => _trace.Add(what);

    public long Run() => Executor.RunUntilStalled();

    public void Advance(double seconds)
    {
        Time.Advance(TimeSpan.FromSeconds(seconds));
        Run();
    }

    public ManagedTask Spawn(Func<CancellationToken, Future> body, string name = "task") => Runtime.SpawnDetached(body, name);

    public ManagedTask<T> Spawn<T>(Func<CancellationToken, Future<T>> body, string name = "task") => Runtime.SpawnDetached(body, name);

    /// <summary>Spawns, and runs until nothing is ready.</summary>
    public ManagedTask Start(Func<CancellationToken, Future> body, string name = "task")
    {
        ManagedTask task = Spawn(body, name);
        Run();
        return task;
    }

    public void ShouldBeEmpty() => ShouldBeEmpty(Runtime);

    public static void ShouldBeEmpty(TaskRuntime runtime)
    {
        Census census = runtime.TakeCensus();
        census.IsBalanced.ShouldBeTrue(census.ToString());
        census.IsEmpty.ShouldBeTrue(census.ToString());
        census.OpenScopes.ShouldBe(0, census.ToString());
    }

    private void Note(RuntimeEvent what)
    {
        lock (_events)
        {
            _events.Add(what);
        }
    }
}

/// <summary>A door that opens once. Waiting at it is one of Moirai's own waits, so cancellation interrupts it.</summary>
internal sealed class Gate
{
    private readonly List<Waker> _wakers = [];
    private bool _open;

    public Future WaitAsync() => Future.FromPoll(waker =>
    {
        lock (_wakers)
        {
            _wakers.Add(waker);
            return _open;
        }
    });

    public void Open()
    {
        Waker[] wakers;
        lock (_wakers)
        {
            _open = true;
            wakers = [.. _wakers];
            _wakers.Clear();
        }

        Array.ForEach(wakers, waker => waker.Wake());
    }
}
