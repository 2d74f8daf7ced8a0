using System.Runtime.CompilerServices;

namespace Moirai.Execution;

/// <content>How times are booked.</content>
internal sealed partial class AccountCell
{
    // The way of nearly every resume: nobody is there, and the task waits or is ready. Everything else goes by the long way. Not compiled into its callers: the platform's own method, into which the handler is compiled, has a try block, and there a
    // look at the clock is a call more.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long BookEntry(int polls, long now)
    {
        long state = Atomics.Read(ref _state);
        if ((state & (OneChange | uint.MaxValue)) > Ready)
        {
            return ChangeThreads(OneThread, polls, now);
        }

        if (now == Unread)
        {
            now = Read();
        }

        if (Atomics.CompareExchange(ref _state, state + OneChange, state) != state)
        {
            return ChangeThreads(OneThread, polls, now);
        }

        long since = Atomics.ReadOwn(in _since);
        if (now > since)
        {
            if ((int)state == Ready)
            {
                Atomics.Write(ref _ready, Atomics.ReadOwn(in _ready) + now - since);
            }

            Atomics.Write(ref _since, now);
        }

        Atomics.Write(ref _polls, Atomics.ReadOwn(in _polls) + polls);
        Atomics.Write(ref _state, state + (2 * OneChange) + OneThread);
        return now;
    }

    // The same for the only one that is there.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long BookLeave()
    {
        long state = Atomics.Read(ref _state);
        if ((state & (OneChange | (uint.MaxValue - Ready))) != OneThread)
        {
            return ChangeThreads(-OneThread, polls: 0, Unread);
        }

        long now = Read();
        if (Atomics.CompareExchange(ref _state, state + OneChange, state) != state)
        {
            return ChangeThreads(-OneThread, polls: 0, now);
        }

        long since = Atomics.ReadOwn(in _since);
        if (now > since)
        {
            Atomics.Write(ref _busy, Atomics.ReadOwn(in _busy) + now - since);
            Atomics.Write(ref _since, now);
        }

        Atomics.Write(ref _state, state + (2 * OneChange) - OneThread);
        return now;
    }

    // The running step is over, and the task is something else. On the hot path of every task whose times are kept, mostly before plain code is called, if ever: then the owner alone writes, and the word is the condition and no more.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long Stop(int condition)
    {
        long state = Atomics.Read(ref _state);
        if (_flows || (int)state != Running)
        {
            return Turn(condition, Unread);
        }

        long now = Read();
        long since = Atomics.ReadOwn(in _since);
        if (now > since) // one word alone needs no version: whoever reads sees it changed
        {
            Atomics.Write(ref _state, state + OneChange);
            Atomics.Write(ref _busy, Atomics.ReadOwn(in _busy) + now - since);
            Atomics.Write(ref _since, now);
        }

        Atomics.Write(ref _state, state + (2 * OneChange) + (condition - Running));
        return now;
    }

    // The same for a task that is ready or waits.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long Turn(int condition, long now)
    {
        long state = Atomics.Read(ref _state);
        int word = (int)state;
        if (_flows || (uint)word > Ready)
        {
            return TurnBesideThreads(condition, now);
        }

        if (now == Unread)
        {
            now = Read();
        }

        long since = Atomics.ReadOwn(in _since);
        if (now > since)
        {
            Atomics.Write(ref _state, state + OneChange);
            if (word == Ready)
            {
                Atomics.Write(ref _ready, Atomics.ReadOwn(in _ready) + now - since);
            }

            Atomics.Write(ref _since, now);
        }

        Atomics.Write(ref _state, state + (2 * OneChange) + (condition - word));
        return now;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private long TurnBesideThreads(int condition, long now) => Change(~(ConditionMask | LentBit), 0, condition, polls: 0, now);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private long ChangeThreads(int add, int polls, long now) => Change(~0, add, 0, polls, now);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ChangeBits(int mask, int set, long now) => Change(mask, 0, set, polls: 0, now);

    // One change: some bits go, something is added, some bits come. The clock is read only when the task is something else afterwards, and never by who has the gate: it may be anybody's. Compiled into its three callers, most of whose bits
    // are known.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Change(int mask, int add, int set, int polls, long now)
    {
        long state = Atomics.Read(ref _state);
        int next = After((int)state, mask, add, set);
        if (now == Unread && Bucket((int)state) != Bucket(next))
        {
            now = Read();
        }

        if (!_flows)
        {
            Atomics.Write(ref _state, state + OneChange);
        }
        else if ((state & OneChange) != 0 || Atomics.CompareExchange(ref _state, state + OneChange, state) != state)
        {
            state = TakeGate();
            next = After((int)state, mask, add, set);
            if (now == Unread && Bucket((int)state) != Bucket(next))
            {
                Atomics.Write(ref _state, state); // nothing was written
                now = Read();
                state = TakeGate();
                next = After((int)state, mask, add, set);
            }
        }

        Write(state, next, now, polls);
        return now;
    }

    // Who has made the version odd is the only one to write.
    private long TakeGate()
    {
        var spinner = default(SpinWait);
        while (true)
        {
            long state = Atomics.Read(ref _state);
            if ((state & OneChange) == 0 && Atomics.CompareExchange(ref _state, state + OneChange, state) == state)
            {
                return state;
            }

            Atomics.SpinOnce(ref spinner);
        }
    }

    // Every write is one that releases, so nobody sees them in another order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Write(long state, int next, long now, int polls)
    {
        long since = Atomics.ReadOwn(in _since);
        if (now > since) // and not unread
        {
            int bucket = Bucket((int)state);
            if (bucket == Running)
            {
                Atomics.Write(ref _busy, Atomics.ReadOwn(in _busy) + now - since);
            }
            else if (bucket == Ready)
            {
                Atomics.Write(ref _ready, Atomics.ReadOwn(in _ready) + now - since);
            }

            if (bucket != Ended)
            {
                Atomics.Write(ref _since, now);
            }
        }

        if (polls != 0)
        {
            Atomics.Write(ref _polls, Atomics.ReadOwn(in _polls) + polls);
        }

        Atomics.Write(ref _state, ((state + (2 * OneChange)) & ~(long)uint.MaxValue) | (uint)next);
    }

    // What has ended stays so; only threads still leave.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int After(int word, int mask, int add, int set) => (word & ConditionMask) == Ended
        ? word + add
        : ((word & mask) + add) | set;

    // A step that runs, or a thread in plain code, is busy; one that lends its thread waits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Bucket(int word)
    {
        int condition = word & ConditionMask;
        if (condition == Ended)
        {
            return Ended;
        }

        if (word >= OneThread || (word & (LentBit | ConditionMask)) == Running)
        {
            return Running;
        }

        return condition == Ready ? Ready : Blocked;
    }

    // The usual clock without a detour: it is known when this is compiled.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Read() => ReferenceEquals(_clock, TimeProvider.System) ? TimeProvider.System.GetTimestamp() : ReadOther();

    private long ReadOther()
    {
        try
        {
            return _clock!.GetTimestamp();
        }
        catch (Exception) // out of a value-changed handler it would end the process; the account says that it knows no times
        {
            Atomics.Write(ref _broken, true);
            return Unread;
        }
    }
}
