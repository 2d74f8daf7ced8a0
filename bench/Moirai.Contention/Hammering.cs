using System.Diagnostics;
using System.Globalization;
using Moirai.Costs.Counting;

namespace Moirai.Contention;

/// <summary>What some threads found at one place.</summary>
/// <param name="Nanoseconds">Processor time for each operation.</param>
/// <param name="Taken">The share of the gates that were found taken.</param>
internal readonly record struct Found(double Nanoseconds, double Taken)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Nanoseconds:N0} | {Taken:P2}");
}

/// <summary>Lets threads use a place as fast as they can.</summary>
internal static class Hammering
{
    private const int OperationsBetweenLooks = 64;

    public static Found Run(Place place, int threads, double seconds)
    {
        Action[] workers = [.. place.Make(threads)];
        using var ready = new Barrier(threads + 1);
        bool isOver = false;
        long operations = 0;
        long gates = 0;
        long taken = 0;
        Thread[] crew = Array.ConvertAll(workers, work =>
        {
            var thread = new Thread(() =>
            {
                ready.SignalAndWait(CancellationToken.None);
                Tally before = Tally.Read();
                long takenBefore = Tally.Taken;
                long done = 0;
                while (!Volatile.Read(ref isOver))
                {
                    for (int i = 0; i < OperationsBetweenLooks; i++)
                    {
                        work();
                    }

                    done += OperationsBetweenLooks;
                }

                Interlocked.Add(ref operations, done);
                Interlocked.Add(ref gates, (Tally.Read() - before).Gates);
                Interlocked.Add(ref taken, Tally.Taken - takenBefore);
            })
            { IsBackground = true };
            thread.Start();
            return thread;
        });
        ready.SignalAndWait(CancellationToken.None);
        long began = Stopwatch.GetTimestamp();
        TimeSpan cpuBefore = Cpu();
        Thread.CurrentThread.Join(TimeSpan.FromSeconds(seconds));
        Volatile.Write(ref isOver, true);
        foreach (Thread thread in crew)
        {
            thread.Join();
        }

        double cpu = Math.Max((Cpu() - cpuBefore).TotalSeconds, Stopwatch.GetElapsedTime(began).TotalSeconds / 1_000);
        return new Found(cpu * 1e9 / operations, gates == 0 ? 0 : (double)taken / gates);
    }

    private static TimeSpan Cpu()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime;
    }
}
