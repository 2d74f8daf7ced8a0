using System.Diagnostics.CodeAnalysis;

namespace Moirai.Load.Harness;

/// <summary>By hand, a single-threaded executor is a <see cref="TaskScheduler"/>: a queue that one thread empties.</summary>
internal sealed class OneThread : TaskScheduler
{
    private readonly Queue<Task> _ready = new();
    private Thread? _thread;

    /// <summary>Runs a body, and all that it starts here, on the calling thread until the body has ended.</summary>
    public void Run(Func<Task> body)
    {
        _thread = Thread.CurrentThread;
        Task whole = Task.Factory.StartNew(body, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();
        _ = whole.ContinueWith(static (_, state) => ((OneThread)state!).Pulse(), this, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, Default);
        while (TryNext(whole, out Task? task))
        {
            TryExecuteTask(task);
        }

        whole.GetAwaiter().GetResult();
    }

    protected override void QueueTask(Task task)
    {
        lock (_ready)
        {
            _ready.Enqueue(task);
            Monitor.Pulse(_ready);
        }
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        !taskWasPreviouslyQueued && Thread.CurrentThread == _thread && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_ready)
        {
            return [.. _ready];
        }
    }

    private bool TryNext(Task whole, [NotNullWhen(true)] out Task? task)
    {
        lock (_ready)
        {
            while (_ready.Count == 0)
            {
                if (whole.IsCompleted)
                {
                    task = null;
                    return false;
                }

                Monitor.Wait(_ready);
            }

            task = _ready.Dequeue();
            return true;
        }
    }

    private void Pulse()
    {
        lock (_ready)
        {
            Monitor.Pulse(_ready);
        }
    }
}
