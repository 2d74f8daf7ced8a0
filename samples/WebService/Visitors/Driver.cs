using System.Runtime.InteropServices;
using System.Text.Json;
using Moirai;

namespace WebService.Visitors;

/// <summary>The second process: lets visitors loose on a service, and prints what they met as one line of JSON.</summary>
internal static class Driver
{
    /// <summary>Runs visitors for a while.</summary>
    /// <param name="service">Where the service listens.</param>
    /// <param name="visitors">How many at a time.</param>
    /// <param name="duration">For how long.</param>
    public static async Task<int> RunAsync(Uri service, int visitors, TimeSpan duration)
    {
        var log = new VisitLog();
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "visitors" });
        using var handler = new SocketsHttpHandler { Expect100ContinueTimeout = Visitor.LongestPatience };
        using var http = new HttpClient(handler) { BaseAddress = service, Timeout = Timeout.InfiniteTimeSpan };
        using var over = new CancellationTokenSource();
        StopWhenParentEnds(over);

        // Ctrl-C in a terminal reaches both processes. The parent alone decides: it closes our input, and still wants our summary.
        using var deaf = PosixSignalRegistration.Create(PosixSignal.SIGINT, static signal => signal.Cancel = true);

        long began = TimeProvider.System.GetTimestamp();
        await runtime.RunScopeAsync("visitors", async scope =>
        {
            for (int number = 0; number < visitors; number++)
            {
                string name = $"visitor-{number}";
                _ = scope.Spawn(new Visitor(http, service, log, name, seed: number).VisitAsync(over.Token), name);
            }

            // Visitors finish what they have begun: only those who mean to hang up do.
            ManagedTask clock = scope.Spawn(Future.Delay(duration), "closing time").CancelWith(over.Token);
            try
            {
                await clock;
            }
            catch (ManagedTaskCanceledException) when (over.IsCancellationRequested)
            {
                return;
            }

            await over.CancelAsync();
        });

        VisitSummary summary = log.Summarize(visitors, TimeProvider.System.GetElapsedTime(began));
        Console.WriteLine(JsonSerializer.Serialize(summary));
        Census census = runtime.TakeCensus();
        if (census.IsEmpty)
        {
            return 0;
        }

        await Console.Error.WriteLineAsync($"The driver left something behind: {census}");
        return 1;
    }

    // The parent holds our standard input open. When it ends, however it ends, we read the end of it. Reading a console blocks its thread, so it gets one.
    private static void StopWhenParentEnds(CancellationTokenSource over)
    {
        var watcher = new Thread(() =>
        {
            using Stream input = Console.OpenStandardInput();
            while (input.ReadByte() >= 0)
            {
            }

            try
            {
                over.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The visit was over first.
            }
        })
        { IsBackground = true, Name = "parent watcher" };
        watcher.Start();
    }
}
