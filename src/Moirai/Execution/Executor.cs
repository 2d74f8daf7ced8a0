using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

/// <summary>Where ready tasks run. One executor serves one runtime.</summary>
/// <remarks>Not for derivation outside Moirai: take <see cref="ThreadPoolExecutor"/> or <see cref="LocalExecutor"/>.</remarks>
public abstract class Executor : IReadySink
{
    private Engine? _engine;

    // Whether the moment is noted at which a task becomes ready. Written once, when the executor is attached.
    private bool _noted;

    private protected Executor()
    {
    }

    /// <summary>How many ready tasks wait for a thread. Exact at rest, else a moment old.</summary>
    public abstract int ReadyCount { get; }

    /// <summary>How many steps were run since the executor was made: each takes a task from ready to its next wait or its end. Exact at rest.</summary>
    public abstract long StepCount { get; }

    internal Engine Engine => _engine ?? throw new InvalidOperationException("This executor serves no runtime yet: pass it to a TaskRuntime in TaskRuntimeOptions.Executor.");

    /// <summary>The engine, once there is one.</summary>
    internal Engine? AttachedTo => _engine;

    internal void Attach(Engine engine)
    {
        if (Interlocked.CompareExchange(ref _engine, engine, null) is { } other)
        {
            throw new InvalidOperationException($"This executor already serves runtime '{other.Name}'. Make one executor for each runtime.");
        }

        _noted = engine.Accounting == AccountingLevel.Exact;
    }

    /// <summary>Takes a ready frame. The caller gives the task up with this.</summary>
    internal void Enqueue(Frame frame) => Enqueue(frame, StepContext.Existing);

    /// <summary>Takes a ready frame from a thread whose context is at hand.</summary>
    internal void Enqueue(Frame frame, StepContext? context)
    {
        if (_noted)
        {
            frame.Owner!.Exact?.BecomeReady();
        }

        Take(frame, context);
    }

    /// <summary>Takes a ready frame from a thread of the pool that has nothing else to do: the caller's work item ends with this call.</summary>
    internal void EnqueueAndServe(Frame frame, StepContext context)
    {
        if (_noted)
        {
            frame.Owner!.Exact?.BecomeReady();
        }

        TakeAndServe(frame, context);
    }

    void IReadySink.EnqueueChain(WaitNode head, int count)
    {
        if (_noted)
        {
            for (WaitNode? node = head; node is not null; node = node.Next)
            {
                ((Frame)node).Owner!.Exact?.BecomeReady();
            }
        }

        TakeChain(head, count);
    }

    private protected abstract void Take(Frame frame, StepContext? context);

    private protected virtual void TakeAndServe(Frame frame, StepContext context) => Take(frame, context);

    private protected abstract void TakeChain(WaitNode head, int count);
}
