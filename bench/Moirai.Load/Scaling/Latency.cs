using System.Diagnostics;
using System.Globalization;

namespace Moirai.Load.Scaling;

/// <summary>How long a task waits for its start, and a woken one for its turn, when the machine is half, mostly and all but full: beside plain <c>Task.Run</c>.</summary>
internal static class Latency
{
    private const int UnderWay = 1_000;
    private const int CapacityRuns = 3;
    private const int CapacityRequests = 200_000;

    private static readonly double[] s_loads = [0.5, 0.8, 0.95];

    /// <param name="seconds">How long requests come, at each load and for each peer.</param>
    /// <param name="ownCapacity">Each peer at shares of its own capacity; otherwise both at shares of the smaller one, so that they get the same requests.</param>
    public static async Task<int> RunAsync(double seconds, bool ownCapacity)
    {
        await using var runtime = new TaskRuntime(new() { Name = "latency" });
        double ours = 0;
        double byHand = 0;
        for (int i = 0; i < CapacityRuns; i++) // the first warms up
        {
            ours = Math.Max(i == 0 ? 0 : ours, OnOwnThread(() => new OpenLoop.OfMoirai(runtime, CapacityRequests).RunClosed(UnderWay)));
            byHand = Math.Max(i == 0 ? 0 : byHand, OnOwnThread(() => new OpenLoop.ByHand(CapacityRequests).RunClosed(UnderWay)));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Capacity, requests a second: Moirai {ours:N0}, Task.Run {byHand:N0}; the same requests for both: {!ownCapacity}."));
        Console.WriteLine();
        Console.WriteLine("| load | peer | requests/s | spawn to start, µs: p50 | p99 | p99.9 | wake to run, µs: p50 | p99 | p99.9 |");
        Console.WriteLine("|---:|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach (double load in s_loads)
        {
            double ourRate = load * (ownCapacity ? ours : Math.Min(ours, byHand));
            double handRate = load * (ownCapacity ? byHand : Math.Min(ours, byHand));
            Show(load, "Moirai", ourRate, new OpenLoop.OfMoirai(runtime, Requests(ourRate, seconds)));
            Show(load, "Task.Run", handRate, new OpenLoop.ByHand(Requests(handRate, seconds)));
        }

        return 0;
    }

    private static int Requests(double rate, double seconds) => (int)Math.Clamp(rate * seconds, OpenLoop.Lag + 1, 50_000_000);

    private static void Show(double load, string peer, double rate, OpenLoop loop)
    {
        GC.Collect();
        OnOwnThread(() =>
        {
            loop.RunOpen(rate);
            return 0;
        });
        Array.Sort(loop.StartLate);
        Array.Sort(loop.WakeLate);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {load:P0} | {peer} | {rate:N0} | {At(loop.StartLate, 0.5)} | {At(loop.StartLate, 0.99)} | {At(loop.StartLate, 0.999)} | {At(loop.WakeLate, 0.5)} | {At(loop.WakeLate, 0.99)} | {At(loop.WakeLate, 0.999)} |"));
    }

    private static string At(long[] sorted, double share) =>
        string.Create(CultureInfo.InvariantCulture, $"{sorted[(int)(share * (sorted.Length - 1))] * 1e6 / Stopwatch.Frequency:N1}");

    // Not a thread of the pool: it spins, and would be missing there.
    private static T OnOwnThread<T>(Func<T> run)
    {
        T result = default!;
        var thread = new Thread(() => result = run()) { IsBackground = true, Name = "requests" };
        thread.Start();
        thread.Join();
        return result;
    }
}
