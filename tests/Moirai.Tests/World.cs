using System.Runtime.CompilerServices;
using Moirai.Testing;

namespace Moirai.Tests;

/// <summary>A runtime on one thread under a clock that the test turns. Nothing runs unless it is driven, so every test is a written order of events.</summary>
internal sealed class World
{
    private readonly List<RuntimeEvent> _events = [];
    private readonly List<string> _trace = [];

    public World(string name = "world")
        : this(options => options.Name = name)
    {
    }

    public World(Action<TaskRuntimeOptions> configure)
    {
        var options = new TaskRuntimeOptions { Name = "world", Executor = Executor, TimeProvider = Time, OnEvent = Note };
        configure(options);
        Runtime = new TaskRuntime(options);
    }

    public VirtualTimeProvider Time { get; } = new();

    public LocalExecutor Executor { get; } = new();

    public TaskRuntime Runtime { get; }

    public Census Census => Runtime.TakeCensus();

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

    /// <summary>The events, once the garbage collector has run and what it found was told.</summary>
    /// <param name="count">How many are awaited; fewer come back when they do not come.</param>
    public RuntimeEvent[] EventsAfterCollection(int count)
    {
        for (int i = 0; i < 10 && Events.Length < count; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Eventually.Is(() => Events.Length >= count, TimeSpan.FromMilliseconds(300)); // told by way of the thread pool
        }

        return Events;
    }

    /// <summary>The events, once the garbage collector has run, where none is meant to come of it: the time is what one more than there are would have for its way through the idle thread pool.</summary>
    public RuntimeEvent[] EventsAfterNothingWasFound()
    {
        int count = Events.Length;
        for (int i = 0; i < 3 && Events.Length == count; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Eventually.Is(() => Events.Length > count, TimeSpan.FromMilliseconds(100));
        }

        return Events;
    }

    public void Log(string what) => _trace.Add(what);

    /// <summary>Runs until nothing is ready.</summary>
    public long Run() => Executor.RunUntilStalled();

    /// <summary>Runs a future to its end. It must need nobody but this world.</summary>
    public T Run<T>(Future<T> future)
    {
        ManagedTask<T> task = Runtime.SpawnDetached(future);
        Run();
        task.IsEnded.ShouldBeTrue($"{task} is stuck");
        return task.Result;
    }

    /// <inheritdoc cref="Run{T}(Future{T})"/>
    public void Run(Future future)
    {
        ManagedTask task = Runtime.SpawnDetached(future);
        Run();
        task.IsEnded.ShouldBeTrue($"{task} is stuck");
        task.GetAwaiter().GetResult();
    }

    /// <summary>Runs a future to its failure.</summary>
    public TError Fails<TError>(Future future)
        where TError : Exception => Should.Throw<TError>(() => Run(future));

    public void Advance(double seconds)
    {
        Time.Advance(TimeSpan.FromSeconds(seconds));
        Run();
    }

    /// <summary>Lets time pass from timer to timer, and runs what each of them wakes before it goes on: as if threads were fast.</summary>
    public void Pass(double seconds)
    {
        TimeSpan end = Time.Elapsed + TimeSpan.FromSeconds(seconds);
        Run();
        while (Time.NextTimerIn is { } next && Time.Elapsed + next <= end)
        {
            Time.AdvanceToNextTimer();
            Run();
        }

        Time.Advance(end - Time.Elapsed);
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

    /// <summary>Runs until a task has ended that something outside this world wakes: foreign code, by way of the thread pool. Fails when it does not end.</summary>
    public void RunUntil(ManagedTask task)
    {
        using var failsafe = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        Executor.RunUntil(task, failsafe.Token);
    }

    /// <summary>The assertion behind every row: all is accounted for and nothing is left.</summary>
    public void ShouldBeEmpty()
    {
        Run();
        ShouldBeEmpty(Runtime);
    }

    /// <inheritdoc cref="ShouldBeEmpty()"/>
    public static void ShouldBeEmpty(TaskRuntime runtime)
    {
        Census census = runtime.TakeCensus();
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

    private void Note(RuntimeEvent what)
    {
        lock (_events)
        {
            _events.Add(what);
        }
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

/// <summary>For what comes by way of the finalizer's thread and the thread pool, where there is no event that a test could await.</summary>
internal static class Eventually
{
    /// <summary>Gives way to others until the condition holds.</summary>
    /// <returns>False when it did not within the limit, which only a failing test reaches, and a twin.</returns>
    public static bool Is(Func<bool> condition, TimeSpan limit)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > limit)
            {
                return false;
            }

            Thread.Yield();
        }

        return true;
    }

    /// <summary>Gives way to others until the condition holds. A test whose condition never comes true fails, and does not hang.</summary>
    public static async Task IsAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(60), $"it never came true that {what}");
            await Task.Yield();
        }
    }
}

/// <summary>The other half of a test that proves an absence.</summary>
internal static class Twin
{
    /// <summary>The same test with the fault planted: it fails, and for the reason that was planted.</summary>
    public static void IsCaught(Action planted, string says) => Should.Throw<ShouldAssertException>(planted).Message.ShouldContain(says);

    /// <inheritdoc cref="IsCaught(Action, string)"/>
    public static async Task IsCaughtAsync(Func<Task> planted, string says)
    {
        string? caught = null;
        try
        {
            await planted();
        }
        catch (ShouldAssertException error)
        {
            caught = error.Message;
        }

        caught.ShouldNotBeNull("the planted fault was not caught").ShouldContain(says);
    }
}

/// <summary>For tests that measure the memory of the process: they run alone.</summary>
[CollectionDefinition(nameof(MeasuresMemory), DisableParallelization = true)]
public sealed class MeasuresMemory;
