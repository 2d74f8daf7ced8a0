namespace Moirai.Ground;

/// <summary>A lock of one byte for critical sections of a few dozen instructions that call no user code.</summary>
/// <remarks>
/// One interlocked operation to enter, one store with release semantics to leave. Not re-entrant. A thread that finds it
/// taken spins and then yields its time slice (<see cref="SpinWait"/>), so a holder that lost its processor gets it back.
/// <para>The order in which gates may nest, outermost first: group, task, queue or wheel, executor shard.</para>
/// </remarks>
internal struct SpinGate
{
    // 0 free, 1 taken. Written by whoever enters or leaves.
    private byte _taken;

    public void Enter()
    {
        if (Atomics.CompareExchange(ref _taken, (byte)1, (byte)0) != 0)
        {
            EnterContended();
        }
    }

    public bool TryEnter() => Atomics.CompareExchange(ref _taken, (byte)1, (byte)0) == 0;

    public void Exit() => Atomics.Write(ref _taken, (byte)0);

    private void EnterContended()
    {
        var spinner = default(SpinWait);
        do
        {
            Atomics.SpinOnce(ref spinner);
        }
        while (Atomics.Read(ref _taken) != 0 || Atomics.CompareExchange(ref _taken, (byte)1, (byte)0) != 0);
    }
}
