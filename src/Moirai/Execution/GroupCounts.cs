namespace Moirai.Execution;

/// <summary>How many tasks were created, live, and ended in which way.</summary>
internal record struct GroupCounts
{
    public long Created;
    public long Live;
    public long Completed;
    public long Failed;
    public long Canceled;

    public void Add(GroupCounts other)
    {
        Created += other.Created;
        Live += other.Live;
        Completed += other.Completed;
        Failed += other.Failed;
        Canceled += other.Canceled;
    }
}

/// <summary>What a walk over a tree of groups adds up.</summary>
internal struct GroupTotals
{
    public GroupCounts Counts;
    public long OpenGroups;
    public long SlotsInUse;
    public long Waiters;
    public long Abandoned;
}
