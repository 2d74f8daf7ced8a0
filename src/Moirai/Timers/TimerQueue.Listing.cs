using Moirai.Wakers;

namespace Moirai.Timers;

/// <content>Who is in the queue, for tests that look whether anybody was left there.</content>
internal sealed partial class TimerQueue
{
    /// <summary>All linked nodes with their deadlines, in no order. Takes time by their number, under the gate.</summary>
    internal List<(WaitNode Node, long Due)> ListEntries()
    {
        List<(WaitNode, long)> entries = [];
        _gate.Enter();
        _wheel.AddTo(entries);
        _gate.Exit();
        return entries;
    }
}
