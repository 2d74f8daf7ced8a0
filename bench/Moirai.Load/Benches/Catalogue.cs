using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>Every load, in the order in which help and comparison show them.</summary>
internal static class Catalogue
{
    public static IReadOnlyList<Workload> All { get; } =
    [
        new MillionPool(),
        new MillionLive(),
        new SpawnJoin(),
        new TimeoutChurn(),
        new TimerChurn(),
        new Yielding(),
        new CancelTree(),
        new Mutex(),
        new DeadlockLooks(),
        new Registering(),
        new PingPong(),
        new LeakScanning(),
        new Snapshots(),
        new Accounting(),
        new AlarmLooks(),
        new MeterLooks(),
        new Stages(),
    ];
}
