using WebService.Visitors;

namespace WebService;

/// <summary>Serves until a signal comes.</summary>
internal static class ServingRun
{
    public static async Task<int> RunAsync(OrderService service, CancellationToken asked)
    {
        Console.WriteLine($"""
            The order service listens on {service.Address}. Try, from another terminal:

              curl {service.Address}orders --json '{"{"} "customer": "Clotho", "article": "bread", "quantity": 2 {"}"}'
              curl {service.Address}audit
              curl {service.Address}census
              curl {service.Address}health
              curl {service.Address}upstream
              curl -X PUT {service.Address}upstream/payment -H 'Content-Type: application/json' -d '{"{"} "latencyMilliseconds": 2000 {"}"}'

              and in a browser: {service.Address}moirai
              or in a terminal: dotnet run -c Release --project tools/Moirai.Tool -- top -p {Environment.ProcessId}

            The last curl makes payments too slow: orders are answered 504, and their stock comes back. Ctrl-C stops.
            """);

        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (asked.Register(stop.SetResult))
        {
            await stop.Task;
        }

        Console.WriteLine("Stopping: no new orders; those in work may end.");
        ServiceEnd end = await service.StopAsync();
        SummaryTable.Print(end);
        return end.IsClean ? 0 : 1;
    }
}
