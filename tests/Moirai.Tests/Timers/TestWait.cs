using Moirai.Wakers;

namespace Moirai.Tests.Timers;

/// <summary>A waiter without a task: it can be parked again and again, and tells who claimed its wait.</summary>
internal sealed class TestWait : WaitNode
{
    private const int Idle = 0;
    private const int Armed = 1;
    private const int Claimed = 2;
    private const int StateMask = 3;

    // Low two bits: the state; the rest counts the waits. Moved by compare-and-swap once it is armed.
    private int _word;

    public Action<TestWait>? OnResume { get; init; }

    public string Name { get; init; } = "";

    // Written by whoever resumes; read when that has happened.
    public int Resumes { get; private set; }

    public bool IsIdle => (Volatile.Read(ref _word) & StateMask) == Idle;

    public int Park()
    {
        Expect(Idle);
        int armed = (_word | StateMask) + 1 + Armed;
        Volatile.Write(ref _word, armed);
        return armed;
    }

    /// <summary>What the claimant does last: the waiter may park again.</summary>
    public void Finish()
    {
        Expect(Claimed);
        Volatile.Write(ref _word, _word & ~StateMask);
    }

    internal override bool IsArmed(int armed) => Volatile.Read(ref _word) == armed;

    internal override bool TryClaim()
    {
        int word = Volatile.Read(ref _word);
        return (word & StateMask) == Armed && Interlocked.CompareExchange(ref _word, word - Armed + Claimed, word) == word;
    }

    internal override void GoOn() => throw new NotSupportedException("no timer is due while it is being registered");

    internal override void Resume(ref WakeBatch batch)
    {
        Resumes++;
        Finish();
        OnResume?.Invoke(this);
    }

    // No assertion library: this runs in loops that must not allocate.
    private void Expect(int state)
    {
        if ((Volatile.Read(ref _word) & StateMask) != state)
        {
            throw new InvalidOperationException($"wait {Name} is in state {_word & StateMask} instead of {state}");
        }
    }
}
