using Moirai.Ground;

namespace Moirai.Costs.Counting;

/// <summary>The platform's monitor, and a count of who enters it.</summary>
internal sealed class CountingBed
{
    private readonly SystemBed _bed = new();

    public static bool ReusesFrames => SystemBed.ReusesFrames;

    public SystemBed.Held Enter()
    {
        Tally.CountMonitor();
        return _bed.Enter();
    }

    public bool Sleep(int milliseconds) => _bed.Sleep(milliseconds);

    public void Call() => _bed.Call();

    public static Thread StartThread(string name, int stackSize, Action<object?> run, object state) => SystemBed.StartThread(name, stackSize, run, state);
}
