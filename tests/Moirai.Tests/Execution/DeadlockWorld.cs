namespace Moirai.Tests.Execution;

/// <summary>Two or more tasks that are stepped one after the other, so that who closes a ring is written down.</summary>
internal sealed class DeadlockWorld(DeadlockPolicy policy = DeadlockPolicy.Throw)
{
    public World World { get; } = new(options => options.Deadlocks = policy);

    /// <summary>Opened when all have taken their first lock.</summary>
    public Gate Go { get; } = new();

    public DeadlockException[] Told => [.. World.Events.Where(static told => told.Kind == RuntimeEventKind.Deadlock).Select(static told => (DeadlockException)told.Error!)];

    /// <summary>A task that takes one thing, lets all others take theirs, and then wants another.</summary>
    public ManagedTask Spawn(string name, Func<Future<IDisposable>> first, Func<Future<IDisposable>> second) => World.Start(
        async _ =>
        {
            using (await first())
            {
                await Go.WaitAsync();
                using (await second())
                {
                    World.Log(name);
                }
            }
        },
        name);

    public void Run()
    {
        Go.Open();
        World.Run();
    }

    /// <summary>The assertion behind each kind: one wait has thrown, the others have gone on, and nothing is left.</summary>
    public DeadlockException ShouldHaveBroken(ManagedTask closer, params ManagedTask[] others)
    {
        closer.State.ShouldBe(TaskState.Failed, $"{closer} found no deadlock");
        DeadlockException error = closer.Exception.ShouldBeOfType<DeadlockException>();
        foreach (ManagedTask other in others)
        {
            other.State.ShouldBe(TaskState.Completed, $"{other} waits although the ring was broken");
        }

        Told.ShouldBe([error]);
        World.Census.Deadlocks.ShouldBe(1);
        World.ShouldBeEmpty();
        error.Task.ShouldBe(closer.Id);
        error.Cycle[0].Task.ShouldBe(closer.Id);
        for (int i = 0; i < error.Cycle.Count; i++)
        {
            error.Cycle[i].HeldBy.ShouldBe(error.Cycle[(i + 1) % error.Cycle.Count].Task, error.Message);
        }

        return error;
    }

    public static Func<Future<IDisposable>> Lock(AsyncMutex mutex) => async () => await mutex.LockAsync();

    public static Func<Future<IDisposable>> Read(AsyncReaderWriterLock gate) => async () => await gate.LockReadAsync();

    public static Func<Future<IDisposable>> Write(AsyncReaderWriterLock gate) => async () => await gate.LockWriteAsync();

    public static Func<Future<IDisposable>> Acquire(AsyncSemaphore semaphore) => async () => await semaphore.AcquireAsync();
}
