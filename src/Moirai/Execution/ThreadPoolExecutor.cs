using Moirai.Execution;
using Moirai.Wakers;

namespace Moirai;

/// <summary>Runs tasks on the .NET thread pool, shared with everything else in the process. The default.</summary>
/// <remarks>
/// There is one ready queue for each processor, and for each queue a pump: a work item of the thread pool that steps what is ready, one
/// task after the other, helps itself from the other queues when its own is empty, and gives its thread back now and then. The pool keeps
/// counting threads and compensating for blocked ones. A body that blocks its thread strands nobody: the other pumps take what waits behind it,
/// and a monitor sends for more pumps when all are stuck.
/// </remarks>
public sealed class ThreadPoolExecutor : Executor
{
    // Fewer steps than this between two looks of the monitor are long ones.
    private const int FewSteps = 200;

    private readonly Pump[] _pumps;
    private readonly int _mask;

    // Pumps that run or were sent for, the spare ones included; the monitor watches over them.
    private WatchedCount _pumpsAtWork;

    // 1 while a spare pump was sent for and has not begun. Interlocked.
    private int _spareWaiting;

    // Steps of spare pumps that have gone. Interlocked.
    private long _spareSteps;

    /// <summary>Makes an executor with a ready queue for each processor.</summary>
    public ThreadPoolExecutor()
    {
        int shards = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount);
        _mask = shards - 1;
        _pumps = new Pump[shards];
        for (int i = 0; i < shards; i++)
        {
            _pumps[i] = new Pump(this, new ReadyQueue(), isSpare: false);
        }
    }

    /// <inheritdoc/>
    public override int ReadyCount
    {
        get
        {
            int count = 0;
            foreach (Pump pump in _pumps)
            {
                count += pump.Queue.Count;
            }

            return count;
        }
    }

    /// <inheritdoc/>
    public override long StepCount
    {
        get
        {
            long steps = Interlocked.Read(ref _spareSteps);
            foreach (Pump pump in _pumps)
            {
                steps += pump.Steps;
            }

            return steps;
        }
    }

    private protected override void Take(Frame frame, StepContext? context)
    {
        Pump pump = PumpOf(context);
        Pushed(pump, pump.Queue.Push(frame));
    }

    private protected override void TakeChain(WaitNode head, int count)
    {
        Pump pump = PumpOf(StepContext.Existing);
        Pushed(pump, pump.Queue.PushChain(head, count));
    }

    /// <inheritdoc/>
    /// <remarks>Serves the queue itself when nobody does: one trip through the pool less than to send for a pump.</remarks>
    private protected override void TakeAndServe(Frame frame, StepContext context)
    {
        Pump pump = PumpOf(context);
        bool queued = pump.Queue.PushOrServe(frame, out bool serves);
        if (serves)
        {
            Activate();
            pump.Run(queued ? null : frame, context);
        }
        else
        {
            Pushed(pump, send: false);
        }
    }

    private Pump PumpOf(StepContext? context) =>
        context?.Shard is Pump own && ReferenceEquals(own.Executor, this) && !own.IsSpare ? own : Pick();

    private void Pushed(Pump pump, bool send)
    {
        if (send)
        {
            Send(pump);
        }
        else if (pump.WantsHelp)
        {
            SendHelper(pump);
        }
    }

    /// <summary>For work that comes from outside: a pump that has nothing to do, else always the same one for a thread.</summary>
    private Pump Pick()
    {
        Pump usual = _pumps[Environment.CurrentManagedThreadId & _mask];
        if (!usual.Queue.IsServed || _pumpsAtWork.Active >= _pumps.Length)
        {
            return usual;
        }

        foreach (Pump pump in _pumps)
        {
            if (!pump.Queue.IsServed)
            {
                return pump;
            }
        }

        return usual;
    }

    /// <summary>Sends for an idle pump, which will find its own queue empty and take from the others.</summary>
    internal void SendHelper(Pump busy)
    {
        foreach (Pump pump in _pumps)
        {
            if (!ReferenceEquals(pump, busy) && pump.TryBeginHelp())
            {
                Send(pump);
                return;
            }
        }
    }

    private void Send(Pump pump)
    {
        Activate();
        ThreadPool.UnsafeQueueUserWorkItem(pump, preferLocal: false);
    }

    private void Activate()
    {
        if (_pumpsAtWork.Begin())
        {
            PumpMonitor.Watch(this);
        }
    }

    internal bool HasIdlePump => _pumpsAtWork.Active < _pumps.Length;

    internal ReadOnlySpan<Pump> Pumps => _pumps;

    /// <summary>A spare pump has got a thread.</summary>
    internal void SpareBegan() => Volatile.Write(ref _spareWaiting, 0);

    /// <summary>A pump has found nothing to do and goes.</summary>
    internal void Retire(Pump pump)
    {
        _pumpsAtWork.End();
        if (pump.IsSpare)
        {
            Interlocked.Add(ref _spareSteps, pump.Steps);
        }
    }

    /// <summary>Looks for pumps that are stuck in a step, or in long ones, while frames wait behind them. Called by the monitor alone.</summary>
    /// <returns>False when nothing is going on here any more.</returns>
    internal bool Inspect()
    {
        bool stuck = false;
        foreach (Pump pump in _pumps)
        {
            long steps = pump.Steps;
            stuck |= steps - pump.StepsSeen < FewSteps && pump.Queue.Count > 0;
            pump.StepsSeen = steps;
        }

        if (stuck)
        {
            foreach (Pump pump in _pumps)
            {
                if (pump.TryBeginHelp())
                {
                    Send(pump);
                    return true;
                }
            }

            // All are on duty and one does not get on. One pump more, unless one is still waiting for a thread of the pool; it ends when it finds
            // nothing to do.
            if (Interlocked.CompareExchange(ref _spareWaiting, 1, 0) == 0)
            {
                Send(new Pump(this, _pumps[0].Queue, isSpare: true));
            }
        }

        return _pumpsAtWork.Active > 0;
    }

    /// <summary>The monitor stops watching; the next pump that is sent for asks it again.</summary>
    /// <returns>True when work came in between and the monitor has to go on.</returns>
    internal bool EndWatch() => _pumpsAtWork.EndWatch();
}
