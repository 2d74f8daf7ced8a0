using Moirai.Testing;

namespace Moirai.Tests;

/// <summary>A runtime on one thread under a clock that we turn. Nothing runs unless it is driven, so every test is a written order of events.</summary>
internal sealed class TestWorld
{
    public TestWorld(string name = "world")
    {
        Runtime = new TaskRuntime(new TaskRuntimeOptions
        {
            Name = name,
            Executor = Executor,
            TimeProvider = Time,
            OnEvent = Events.Add,
        });
    }

    public LocalExecutor Executor { get; } = new();

    public VirtualTimeProvider Time { get; } = new();

    public List<RuntimeEvent> Events { get; } = [];

    public TaskRuntime Runtime { get; }

    public Census Census => Runtime.TakeCensus();

    public long Drive() => Executor.RunUntilStalled();

    /// <summary>Runs a future to its end. It must need nobody but this world.</summary>
    public T Run<T>(Future<T> future)
    {
        ManagedTask<T> task = Runtime.SpawnDetached(future);
        Drive();
        task.IsEnded.ShouldBeTrue($"{task} is stuck");
        return task.Result;
    }

    public void Run(Future future)
    {
        ManagedTask task = Runtime.SpawnDetached(future);
        Drive();
        task.IsEnded.ShouldBeTrue($"{task} is stuck");
        task.GetAwaiter().GetResult();
    }

    /// <summary>Runs a future to its failure.</summary>
    public TError Fails<TError>(Future future)
        where TError : Exception => Should.Throw<TError>(() => Run(future));

    /// <summary>The assertion behind every row: all is accounted for and nothing is left.</summary>
    public void ShouldBeEmpty()
    {
        Drive();
        Census census = Census;
        census.IsBalanced.ShouldBeTrue(census.ToString());
        census.IsEmpty.ShouldBeTrue(census.ToString());
        census.OpenScopes.ShouldBe(0, census.ToString());
    }

    /// <summary>Closes what a test has opened, and looks that nothing is left.</summary>
    public void CloseAndBeEmpty(TaskScope scope)
    {
        Run(scope.DisposeAsync());
        ShouldBeEmpty();
    }
}

/// <summary>A place to wait that nobody owns: open it, and all who wait go on at their next step.</summary>
internal sealed class Gate
{
    private readonly List<Waker> _waiting = [];
    private volatile bool _open;

    /// <summary>How many waits have begun here.</summary>
    public int Entered { get; private set; }

    public Future WaitAsync()
    {
        bool first = true;
        return Future.FromPoll(waker =>
        {
            lock (_waiting)
            {
                if (first)
                {
                    Entered++;
                    first = false;
                }

                if (!_open)
                {
                    _waiting.Add(waker);
                }

                return _open;
            }
        });
    }

    public void Open()
    {
        Waker[] waiting;
        lock (_waiting)
        {
            _open = true;
            waiting = [.. _waiting];
            _waiting.Clear();
        }

        foreach (Waker waker in waiting)
        {
            waker.Wake();
        }
    }
}

/// <summary>Asks the garbage collector whether something is gone.</summary>
internal static class Garbage
{
    /// <summary>The assertion of every leak test, and of its twin.</summary>
    public static void ShouldBeGone(WeakReference tracked)
    {
        for (int i = 0; i < 5 && tracked.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        tracked.IsAlive.ShouldBeFalse("the tracked object is still reachable");
    }
}

/// <summary>For tests that measure the memory of the process: they run alone.</summary>
[CollectionDefinition(nameof(MeasuresMemory), DisableParallelization = true)]
public sealed class MeasuresMemory;
