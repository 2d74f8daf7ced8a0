using WebService.Visitors;

namespace WebService;

/// <summary>Serves visitors from a second process, then stops and tells how it went.</summary>
internal static class VisitedRun
{
    public static async Task<int> RunAsync(OrderService service, Plan plan, CancellationToken asked)
    {
        Console.WriteLine($"The order service listens on {service.Address}. {plan.Visitors} visitors come for {plan.Duration.TotalSeconds:0.#} s.");
        VisitSummary? summary = null;
        try
        {
            summary = await DriverProcess.RunAsync(service.Address, plan.Visitors, plan.Duration, asked);
        }
        catch (InvalidOperationException error)
        {
            await Console.Error.WriteLineAsync(error.Message);
        }

        ServiceEnd end = await service.StopAsync();
        SummaryTable.Print(summary, end);
        return end.IsClean && summary is { Unexpected: 0 } ? 0 : 1;
    }
}
