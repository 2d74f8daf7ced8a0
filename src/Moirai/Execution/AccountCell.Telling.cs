using Moirai.Ground;

namespace Moirai.Execution;

/// <content>What the cell tells. By anybody, at any time; nothing is written.</content>
internal sealed partial class AccountCell
{
    /// <summary>For how long no thread has been seen to do anything for the task; null when that is not known, since nobody follows threads. The task itself waits for its plain code all the while, however often that goes on.</summary>
    /// <param name="now">What the clock of the runtime shows.</param>
    internal TimeSpan? QuietFor(long now)
    {
        long since = Atomics.Read(ref _since);
        return since == Unread || Atomics.Read(ref _broken) ? null
            : !_isExact && ReferenceEquals(_clock, TimeProvider.System) ? TimeSpan.FromMilliseconds(Math.Max(0, Clock.CoarseMilliseconds - since))
            : _clock!.GetElapsedTime(since, Math.Max(now, since));
    }

    /// <summary>Adds the times to what is known otherwise.</summary>
    internal TaskAccount Complete(TaskAccount account, TimeProvider provider)
    {
        long state;
        long since;
        long busy;
        long ready;
        long now;
        var spinner = default(SpinWait);
        while (true)
        {
            state = Atomics.Read(ref _state);
            since = Atomics.Read(ref _since);
            busy = Atomics.Read(ref _busy);
            ready = Atomics.Read(ref _ready);
            now = Read();
            if (now == Unread)
            {
                return account;
            }

            if ((state & OneChange) == 0 && Atomics.Read(ref _state) == state)
            {
                break;
            }

            Atomics.SpinOnce(ref spinner);
        }

        if (Atomics.Read(ref _broken))
        {
            return account;
        }

        int word = (int)state;
        int bucket = Bucket(word);
        long until = bucket == Ended ? since : Math.Max(now, since);
        TimeSpan age = provider.GetElapsedTime(_created, until);
        TimeSpan busyTime = provider.GetElapsedTime(0, bucket == Running ? busy + until - since : busy);
        TimeSpan readyTime = provider.GetElapsedTime(0, bucket == Ready ? ready + until - since : ready);
        bool inPlainCode = bucket == Running && account.State is (TaskState.Blocked or TaskState.Ready);
        return account with
        {
            State = inPlainCode ? TaskState.Running : account.State,
            Busy = busyTime,
            Ready = readyTime,
            Blocked = age - busyTime - readyTime,
            Age = age,
            CreatedAt = provider.GetUtcNow() - provider.GetElapsedTime(_created, now),
            Threads = Math.Max(word >> ThreadShift, (word & (LentBit | ConditionMask)) == Running ? 1 : 0),
            LastAwait = account.LastAwait ?? (_lastAwait is { } lastAwait ? AwaitKind.Of(lastAwait) : null),
        };
    }
}
