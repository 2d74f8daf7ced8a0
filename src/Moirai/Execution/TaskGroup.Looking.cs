using Moirai.Ground;

namespace Moirai.Execution;

/// <content>Being looked at, by who stops nothing and changes nothing.</content>
internal sealed partial class TaskGroup
{
    /// <summary>The slots that tasks here hold. Leaves what a scan has let go of as it is.</summary>
    internal ISlotReturn? PeekSlots() => PeekTies()?.Slots;

    /// <summary>Who is told of ends here. Leaves what a scan has let go of as it is.</summary>
    internal IEndListener? PeekListener() => PeekTies()?.Listener;

    /// <summary>Copies, under the gate, what is needed to look at the tasks without it: a word for each page of the register, and for each group inside.</summary>
    internal void Look(Pages<RosterPage> pages, List<TaskGroup> inside)
    {
        _gate.Enter();
        for (RosterPage? page = _pages.First; page is not null; page = page.Next)
        {
            pages.Add(page);
        }

        for (TaskGroup? child = _children.First; child is not null; child = child.Next)
        {
            inside.Add(child);
        }

        _gate.Exit();
    }
}
