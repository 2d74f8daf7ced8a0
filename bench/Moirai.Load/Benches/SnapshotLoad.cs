using System.Diagnostics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>What looks at a crowd take from tasks that yield all the time beside it.</summary>
/// <remarks>
/// Windows of a second by turns, since the machine may have other work: nobody looks; one snapshot; one after the other. And controls: a thread that only computes, for as long as a snapshot takes and all the time, which is what a second busy
/// processor takes from the first on this machine; and one that allocates as many bytes as a snapshot, in small objects that live as long, which is what the collector takes.
/// </remarks>
internal sealed class SnapshotLoad
{
    private const int Rounds = 7;
    private const long WorthTiming = 50_000;
    private const int BytesAnObject = 100;

    private readonly Pass _pass;
    private readonly SnapshotOptions _options;
    private readonly Busy _busy;
    private readonly TimeSpan _window;
    private readonly Window[] _windows;

    // What was taken last is kept until the next, as by somebody who reads it.
    private object? _kept;
    private long _bytes;
    private long _ticks;

    private SnapshotLoad(Pass pass, SnapshotOptions options, Busy busy)
    {
        _pass = pass;
        _options = options;
        _busy = busy;
        _window = pass.N < WorthTiming ? TimeSpan.FromMilliseconds(20) : TimeSpan.FromSeconds(1);
        _windows =
        [
            new("quiet", static (_, _) => { }),
            new("one_a_second", static (load, _) => load.Snapshot()),
            new("spin_as_long", static (load, _) => SpinUntil(Stopwatch.GetTimestamp() + load._ticks)),
            new("allocate_as_much", static (load, _) => load.Allocate()),
            new("one_after_the_other", static (load, end) => load.SnapshotsUntil(end)),
            new("spin_always", static (_, end) => SpinUntil(end)),
        ];
    }

    /// <summary>Measures, and tells what was found.</summary>
    internal static async Future MeasureAsync(Pass pass, SnapshotOptions options)
    {
        int processors = pass.Variant == "full" ? Environment.ProcessorCount : Math.Max(1, Environment.ProcessorCount - 1);
        var busy = new Busy(processors);
        ManagedTask[] workers = [.. Enumerable.Range(0, processors).Select(worker => pass.Runtime.SpawnDetached(_ => busy.WorkAsync(worker), name: "worker"))];
        var load = new SnapshotLoad(pass, options, busy);
        for (int i = 0; i < Rounds; i++)
        {
            foreach (Window window in load._windows)
            {
                await load.RunAsync(window);
            }
        }

        busy.Stop();
        foreach (ManagedTask worker in workers)
        {
            await worker;
        }

        pass.Phase("snapshots");
        pass.Count(busy.Done, "snapshots");
        load.Tell();
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static void SpinUntil(long end)
    {
        var work = new XorShift(1);
        while (Stopwatch.GetTimestamp() < end)
        {
            for (int i = 0; i < 1_000; i++)
            {
                work.Below(1_000);
            }
        }
    }

    private async Future RunAsync(Window window)
    {
        TimeSpan paused = GC.GetTotalPauseDuration();
        long began = Stopwatch.GetTimestamp();
        long end = began + (long)(_window.TotalSeconds * Stopwatch.Frequency);
        long before = _busy.Done;

        // On a thread of its own, as an operator's look is.
        Task look = Task.Factory.StartNew(() => LookBy(window, end), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Future.Delay(_window);
        await look;
        window.Rates.Add((_busy.Done - before) / Stopwatch.GetElapsedTime(began).TotalSeconds);
        window.Pauses.Add((GC.GetTotalPauseDuration() - paused).TotalMilliseconds);
    }

    private void LookBy(Window window, long end)
    {
        long before = _busy.Done;
        long began = Stopwatch.GetTimestamp();
        window.Look(this, end);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        window.Seconds.Add(seconds);
        window.RatesMeanwhile.Add((_busy.Done - before) / Math.Max(seconds, 1e-9));
    }

    private void Snapshot()
    {
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        long began = Stopwatch.GetTimestamp();
        _kept = _pass.Runtime.TakeSnapshot(_options);
        _ticks = Stopwatch.GetTimestamp() - began;
        _bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
    }

    private void SnapshotsUntil(long end)
    {
        while (Stopwatch.GetTimestamp() < end)
        {
            Snapshot();
            _windows[4].Count++;
        }
    }

    private void Allocate()
    {
        var kept = new List<byte[]>();
        for (long bytes = 0; bytes < _bytes; bytes += BytesAnObject)
        {
            kept.Add(new byte[BytesAnObject]);
        }

        _kept = kept;
    }

    private void Tell()
    {
        Window quiet = _windows[0];
        _pass.Extra("ops_per_second", Median(quiet.Rates));
        foreach (Window window in _windows.Skip(1))
        {
            // Each beside the quiet window of its own round.
            _pass.Extra($"{window.Name}_percent", Median(window.Rates.Select((rate, i) => 100 * rate / quiet.Rates[i])));
            _pass.Extra($"{window.Name}_percent_meanwhile", Median(window.RatesMeanwhile.Select((rate, i) => 100 * rate / quiet.Rates[i])));
            _pass.Extra($"{window.Name}_pauses_ms", Median(window.Pauses));
        }

        Window one = _windows[1];
        _pass.Extra("snapshot_ms", 1_000 * Median(one.Seconds));
        _pass.Extra("snapshot_slowest_ms", 1_000 * one.Seconds.Max());
        _pass.Extra("snapshot_bytes_per_task", (double)_bytes / _pass.N);
        _pass.Extra("snapshots_a_second", _windows[4].Count / (Rounds * _window.TotalSeconds));
    }

    /// <summary>What is done beside the load in one second, and what the load did meanwhile.</summary>
    private sealed class Window(string name, Action<SnapshotLoad, long> look)
    {
        internal string Name => name;

        internal Action<SnapshotLoad, long> Look => look;

        internal long Count { get; set; }

        internal List<double> Rates { get; } = [];

        internal List<double> RatesMeanwhile { get; } = [];

        internal List<double> Seconds { get; } = [];

        internal List<double> Pauses { get; } = [];
    }

    /// <summary>Tasks that do nothing but yield, and count it.</summary>
    private sealed class Busy(int workers)
    {
        private const int Apart = 16; // a cache line and its neighbour

        private readonly long[] _done = new long[workers * Apart];
        private volatile bool _stopped;

        internal long Done
        {
            get
            {
                long done = 0;
                for (int i = 0; i < _done.Length; i += Apart)
                {
                    done += Volatile.Read(ref _done[i]);
                }

                return done;
            }
        }

        internal void Stop() => _stopped = true;

        internal async Future WorkAsync(int worker)
        {
            while (!_stopped)
            {
                await Future.Yield();
                Volatile.Write(ref _done[worker * Apart], _done[worker * Apart] + 1);
            }
        }
    }
}
