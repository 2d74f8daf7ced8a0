using System.Diagnostics;
using Moirai.Load.Harness;
using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Load.Benches;

/// <summary>How late timers fire: N deadlines spread over one second, each to the microsecond.</summary>
/// <remarks>The time that counts is that of the inserts; what firing cost is in <c>cpu_s</c>, how late it was in <c>extra</c>.</remarks>
internal static class Lateness
{
    private const int SpreadMicroseconds = 1_000_000;
    private const int NoPeriod = Timeout.Infinite;

    public static void OfMoirai(Pass pass)
    {
        TimeSpan[] delays = Plan(pass.N);
        using var queue = new TimerQueue(TimeProvider.System);
        var probes = new Probe[delays.Length];
        using var all = new CountdownEvent(delays.Length);
        pass.Begin();
        for (int i = 0; i < probes.Length; i++)
        {
            var probe = new Probe(all) { Queue = queue };
            probes[i] = probe;
            probe.Planned = Stopwatch.GetTimestamp() + Ticks(delays[i]);
            queue.Arm(probe, queue.DueIn(delays[i]), armed: 0);
        }

        pass.Phase("insert");
        all.Wait(CancellationToken.None);
        pass.Phase("fire");
        pass.Count(pass.N, "insert");
        Report(pass, Array.ConvertAll(probes, static probe => probe.Late));
        Pass.Check(queue.Count == 0 && queue.Fired == pass.N, $"{queue.Fired} of {pass.N} fired, {queue.Count} are left");
        pass.Extra("timer_entries_left", queue.Count);
    }

    public static void ByHand(Pass pass)
    {
        TimeSpan[] delays = Plan(pass.N);
        var probes = new HandProbe[delays.Length];
        using var all = new CountdownEvent(delays.Length);
        pass.Begin();
        for (int i = 0; i < probes.Length; i++)
        {
            var probe = new HandProbe(all);
            probes[i] = probe;
            probe.Planned = Stopwatch.GetTimestamp() + Ticks(delays[i]);
#pragma warning disable RS0030 // the timer that people use: by way of TimeProvider it would carry a wrapper
            probe.Timer = new Timer(static probe => ((HandProbe)probe!).Fire(), probe, (long)delays[i].TotalMilliseconds, NoPeriod);
#pragma warning restore RS0030
        }

        pass.Phase("insert");
        all.Wait(CancellationToken.None);
        pass.Phase("fire");
        pass.Count(pass.N, "insert");
        Report(pass, Array.ConvertAll(probes, static probe => probe.Late));
        foreach (HandProbe probe in probes)
        {
            probe.Timer!.Dispose();
        }
    }

    private static TimeSpan[] Plan(long n)
    {
        var random = new XorShift(88172645463325252);
        var delays = new TimeSpan[n];
        for (int i = 0; i < delays.Length; i++)
        {
            delays[i] = TimeSpan.FromMilliseconds(100) + TimeSpan.FromMicroseconds(random.Below(SpreadMicroseconds));
        }

        return delays;
    }

    private static long Ticks(TimeSpan delay) => (long)(delay.TotalSeconds * Stopwatch.Frequency);

    private static void Report(Pass pass, long[] late)
    {
        Array.Sort(late);
        double microsecond = Stopwatch.Frequency / 1e6;
        pass.Extra("earliest_us", Math.Round(late[0] / microsecond));
        pass.Extra("late_p50_us", Math.Round(late[late.Length / 2] / microsecond));
        pass.Extra("late_p99_us", Math.Round(late[(int)(late.Length * 0.99)] / microsecond));
        pass.Extra("late_max_us", Math.Round(late[^1] / microsecond));
    }

    private sealed class Probe(CountdownEvent all) : WaitNode
    {
        private int _claimed;

        public long Planned { get; set; }

        public long Late { get; private set; }

        internal override bool IsArmed(int armed) => Volatile.Read(ref _claimed) == 0;

        internal override bool TryClaim() => Interlocked.Exchange(ref _claimed, 1) == 0;

        internal override void GoOn() => throw new NotSupportedException("Nothing waits here.");

        internal override void Resume(ref WakeBatch batch)
        {
            Late = Stopwatch.GetTimestamp() - Planned;
            all.Signal();
        }
    }

    private sealed class HandProbe(CountdownEvent all)
    {
        public long Planned { get; set; }

        public long Late { get; private set; }

        public Timer? Timer { get; set; }

        public void Fire()
        {
            Late = Stopwatch.GetTimestamp() - Planned;
            all.Signal();
        }
    }
}
