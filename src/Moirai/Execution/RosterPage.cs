using Moirai.Ground;
using Moirai.Lifecycle;

namespace Moirai.Execution;

/// <summary>Seats for some tasks of a group, and the account of those who sat there.</summary>
/// <remarks>
/// A group's register is a list of such pages. Entering takes the next seat of the last page, under the group's gate. Leaving takes no lock: the seat is emptied and the
/// page's account is moved by one atomic addition, so those who spawn and those who end tasks on another processor do not fight over one lock. A seat is used once; a page that
/// is full and left by all is folded into the group's account by who left last.
/// <para>Invariant at rest: <c>Entered − Left</c> seats are taken.</para>
/// </remarks>
internal sealed class RosterPage : ILinked<RosterPage>
{
    internal const int LargestPage = 64;

    // The account of those who left, in one word: how many left, how many of them failed, how many were canceled, sixteen bits each.
    private const int FailedShift = 16;
    private const int CanceledShift = 32;
    private const long FieldMask = 0xFFFF;

    private readonly ManagedTask?[] _seats;

    // Written by interlocked addition, by whoever ends a task that sat here.
    private long _left;

    // Written under the group's gate; read by anyone.
    private int _entered;

    internal RosterPage(int seats) => _seats = new ManagedTask?[seats];

    /// <summary>Neighbours in the group's list. Written under the group's gate.</summary>
    public RosterPage? Next { get; set; }

    /// <inheritdoc cref="Next"/>
    public RosterPage? Previous { get; set; }

    internal int Size => _seats.Length;

    internal bool IsFull => Atomics.Read(ref _entered) == _seats.Length;

    /// <summary>Whether all who entered have left.</summary>
    internal bool IsEmpty => (Atomics.Read(ref _left) & FieldMask) == Atomics.Read(ref _entered);

    /// <summary>Gives the task the next seat. Under the group's gate; the page is not full.</summary>
    /// <returns>The number of the seat.</returns>
    internal byte EnterLocked(ManagedTask task)
    {
        int seat = Atomics.ReadOwn(in _entered);
        Atomics.Write(ref _seats[seat], task);
        Atomics.Write(ref _entered, seat + 1);
        return (byte)seat;
    }

    /// <summary>Empties a seat and books how its task ended. A full fence.</summary>
    /// <returns>Whether nobody is left on the page.</returns>
    internal bool Leave(byte seat, TaskEvent how)
    {
        _seats[seat] = null;
        long booked = how switch
        {
            TaskEvent.Complete => 1,
            TaskEvent.Fail => 1 | (1L << FailedShift),
            _ => 1 | (1L << CanceledShift),
        };
        return (Atomics.Add(ref _left, booked) & FieldMask) == Atomics.Read(ref _entered);
    }

    /// <summary>Adds this page's account. Under the group's gate.</summary>
    internal void AddTo(ref GroupCounts counts)
    {
        long left = Atomics.Read(ref _left);
        long gone = left & FieldMask;
        long failed = (left >> FailedShift) & FieldMask;
        long canceled = (left >> CanceledShift) & FieldMask;
        int entered = Atomics.ReadOwn(in _entered);
        counts.Created += entered;
        counts.Live += entered - gone;
        counts.Failed += failed;
        counts.Canceled += canceled;
        counts.Completed += gone - failed - canceled;
    }

    /// <summary>As <see cref="AddTo"/>, with the live ones counted by their seats: what the account is checked against.</summary>
    internal void AddCountedTo(ref GroupCounts counts)
    {
        var spinner = default(SpinWait);
        while (true)
        {
            var booked = default(GroupCounts);
            AddTo(ref booked);
            int taken = 0;
            foreach (ManagedTask? task in _seats)
            {
                taken += task is null ? 0 : 1;
            }

            // Between emptying a seat and booking it lie a few instructions of another thread. Whoever is there is given the time.
            if (taken == booked.Live || spinner.Count > 200)
            {
                booked.Live = taken;
                counts.Add(booked);
                return;
            }

            Atomics.SpinOnce(ref spinner);
        }
    }

    /// <summary>How many of those who sit here wait in a synchronization primitive. Exact at rest.</summary>
    internal int CountPrimitiveWaits()
    {
        int waits = 0;
        for (int i = 0; i < _seats.Length; i++)
        {
            if (Atomics.Read(ref _seats[i]) is { State: TaskState.Blocked, Leaf.Queue: Wakers.IPrimitiveQueue })
            {
                waits++;
            }
        }

        return waits;
    }

    internal void AddTasksTo(List<ManagedTask> tasks)
    {
        for (int i = 0; i < _seats.Length; i++)
        {
            if (Atomics.Read(ref _seats[i]) is { } task)
            {
                tasks.Add(task);
            }
        }
    }

    /// <summary>Who sits there; null when nobody does any more, or has yet.</summary>
    internal ManagedTask? this[int seat] => Volatile.Read(ref _seats[seat]);
}
