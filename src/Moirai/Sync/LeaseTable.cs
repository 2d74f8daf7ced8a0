namespace Moirai.Sync;

/// <summary>Who has how much of a primitive that several can have at a time: one row for each lease.</summary>
/// <remarks>
/// A ticket names a row and the use of it, so a lease that was given back, or a copy of it, names nothing any more. Rows are used again, last in first out: the table is as long as there
/// were leases at a time, and in a steady state nothing is allocated. A row is used 2³⁶ times before a ticket comes back.
/// <para>Not locked: everything but <see cref="IsHeld"/> and <see cref="NoteSite"/> is for whoever holds the gate of the primitive that embeds it.</para>
/// </remarks>
internal struct LeaseTable
{
    private const int IndexBits = 26;
    // Rows that are used again come first.
    private const int MostHolders = 1_024;
    private const int MostRows = 1 << IndexBits;
    private const long IndexMask = MostRows - 1;
    private const long Taken = 1L << IndexBits;
    private const long NextUse = 1L << (IndexBits + 1);

    // Replaced under the gate; read by anyone. Who still reads one that was replaced sees what it was a moment ago.
    private Row[] _rows;

    // How many rows were ever used.
    private int _made;

    // The row that was given back last; -1 when all that were made are taken.
    private int _free;

    public LeaseTable()
    {
        _rows = new Row[4];
        _free = -1;
    }

    /// <summary>Whether there is no room for another lease. Then no permit is free either, for whoever asks.</summary>
    internal readonly bool IsFull => _free < 0 && _made == MostRows;

    /// <summary>Enters a lease. Not when it is full.</summary>
    /// <returns>The ticket; greater than 0.</returns>
    internal long Add(int permits, bool isExclusive, ManagedTask? holder, string file = "", int line = 0)
    {
        int index = _free;
        if (index >= 0)
        {
            _free = Atomics.ReadOwn(in _rows)[index].Permits;
        }
        else
        {
            index = _made++;
            if (index == _rows.Length)
            {
                Grow();
            }

            Atomics.ReadOwn(in _rows)[index].Word = index;
        }

        ref Row row = ref Atomics.ReadOwn(in _rows)[index];
        row.Permits = permits;
        row.IsExclusive = isExclusive;
        row.Holder = holder;
        row.File = file;
        row.Line = line;
        long ticket = row.Word | Taken;
        Atomics.Write(ref row.Word, ticket);
        return ticket;
    }

    /// <summary>Whether what the ticket names has not been given back. From any thread, under no lock.</summary>
    internal readonly bool IsHeld(long ticket)
    {
        Row[] rows = Atomics.Read(in _rows);
        long index = ticket & IndexMask;
        return ticket > 0 && index < rows.Length && Atomics.Read(in rows[index].Word) == ticket;
    }

    /// <summary>How many permits the lease has; 0 when it was given back.</summary>
    internal readonly int PermitsOf(long ticket) => IsHeld(ticket) ? _rows[ticket & IndexMask].Permits : 0;

    internal readonly bool IsExclusive(long ticket) => IsHeld(ticket) && _rows[ticket & IndexMask].IsExclusive;

    /// <summary>Changes what a lease has; it was not given back.</summary>
    internal readonly void Change(long ticket, int permits, bool isExclusive)
    {
        ref Row row = ref _rows[ticket & IndexMask];
        row.Permits = permits;
        row.IsExclusive = isExclusive;
    }

    /// <summary>Strikes out a lease that was not given back.</summary>
    internal void Remove(long ticket)
    {
        int index = (int)(ticket & IndexMask);
        ref Row row = ref _rows[index];
        Atomics.Write(ref row.Word, ((ticket & ~Taken) + NextUse) & long.MaxValue);
        row.Holder = null;
        row.Permits = _free;
        _free = index;
    }

    /// <summary>Copies the first leases, for messages.</summary>
    /// <returns>How many there were to copy.</returns>
    internal readonly int CopyTo(Span<(ManagedTask? Holder, int Permits)> first)
    {
        int count = 0;
        int end = Math.Min(_made, 64); // rows that are used again come first
        for (int i = 0; i < end && count < first.Length; i++)
        {
            if ((_rows[i].Word & Taken) != 0)
            {
                first[count++] = (_rows[i].Holder, _rows[i].Permits);
            }
        }

        return count;
    }

    /// <summary>Notes where a lease was asked for. By who has just got it, before anybody else can give it back; under no gate. When the table grows at this moment the place stays unknown.</summary>
    internal readonly void NoteSite(long ticket, string file, int line)
    {
        ref Row row = ref _rows[ticket & IndexMask];
        row.Line = line;
        Volatile.Write(ref row.File, file); // who sees it sees the line
    }

    /// <summary>Where the first lease of a task was asked for; empty when that is not known.</summary>
    internal readonly (string File, int Line) SiteOf(ManagedTask holder)
    {
        int end = Math.Min(_made, MostHolders);
        for (int i = 0; i < end; i++)
        {
            if (ReferenceEquals(_rows[i].Holder, holder))
            {
                return (Volatile.Read(ref _rows[i].File), _rows[i].Line);
            }
        }

        return (string.Empty, 0);
    }

    /// <summary>Adds the tasks that answer for leases.</summary>
    internal readonly void AddHoldersTo(List<ManagedTask> holders)
    {
        int end = Math.Min(_made, MostHolders);
        for (int i = 0; i < end; i++)
        {
            if (_rows[i].Holder is { } holder)
            {
                holders.Add(holder);
            }
        }
    }

    private void Grow()
    {
        var longer = new Row[Math.Min(_rows.Length * 2, MostRows)];
        _rows.CopyTo(longer, 0);
        Atomics.Write(ref _rows, longer);
    }

    private struct Row
    {
        // The use, a bit for taken, the index. Written under the gate, last when it is taken and first when it is given back.
        internal long Word;

        // The task that answers for it; null for plain code, and when it was detached.
        internal ManagedTask? Holder;

        // Where it was asked for; empty when that is not known. For messages.
        internal string File;
        internal int Line;

        // While the row is free: the next free one.
        internal int Permits;

        internal bool IsExclusive;
    }
}
