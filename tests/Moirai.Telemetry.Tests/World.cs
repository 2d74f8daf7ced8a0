using System.Diagnostics.Tracing;
using Moirai.Testing;

[assembly: CollectionBehavior(DisableTestParallelization = true)] // who listens to the meter or the source hears the whole process

namespace Moirai.Telemetry.Tests;

/// <summary>A runtime on one thread under a clock that the test turns.</summary>
internal sealed class World : IDisposable
{
    private readonly LocalExecutor _executor = new();

    public World(string name, Action<TaskRuntimeOptions>? configure = null)
    {
        var options = new TaskRuntimeOptions { Name = name, Executor = _executor, TimeProvider = Time };
        configure?.Invoke(options);
        Runtime = new TaskRuntime(options);
    }

    public VirtualTimeProvider Time { get; } = new();

    public TaskRuntime Runtime { get; }

    /// <summary>Runs until nothing is ready.</summary>
    public void Run() => _executor.RunUntilStalled();

    public void Advance(double seconds)
    {
        Time.Advance(TimeSpan.FromSeconds(seconds));
        Run();
    }

    /// <summary>Stops the runtime, so that it is out of the way of other tests.</summary>
    /// <remarks>The stop drives the executor itself.</remarks>
    public void Dispose() => Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero).Wait(TimeSpan.FromMinutes(1)).ShouldBeTrue("the runtime does not stop");
}

/// <summary>The other half of a test that proves something: the same with the fault planted.</summary>
internal static class Twin
{
    /// <summary>It fails, and for the reason that was planted.</summary>
    public static void IsCaught(Action planted, string says) => Should.Throw<ShouldAssertException>(planted).Message.ShouldContain(says);
}

/// <summary>How many lives are measured is decided for each thread: whoever spawns many does so on one of its own.</summary>
internal static class OwnThread
{
    public static void Run(Action act)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                act();
            }
            catch (Exception error) // it is the test's
            {
                failure = error;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        }
    }
}

/// <summary>What went wrong while somebody was told of something: listeners that threw.</summary>
internal sealed class Faults : EventListener
{
    private readonly List<string> _told = [];

    public string[] Told
    {
        get
        {
            lock (_told)
            {
                return [.. _told];
            }
        }
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "Moirai")
        {
            EnableEvents(eventSource, EventLevel.Error);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName == "OutletFailed")
        {
            lock (_told)
            {
                _told.Add((string)eventData.Payload![0]!);
            }
        }
    }
}
