using Moirai;
using Moirai.Hosting;
using WebService.Orders;

namespace WebService.Background;

/// <summary>Compares the shelves with the orders, again and again. When they disagree it fails: its supervisor has it look again, and gives up when that does not help, which <c>/health</c> tells.</summary>
internal sealed class Auditor(Warehouse warehouse, ServiceSettings settings) : ISupervisedTask
{
    public async Future RunAsync(CancellationToken cancellationToken)
    {
        var ticks = new Interval(settings.AuditEvery!.Value);
        while (true)
        {
            await ticks.NextAsync();
            Audit audit = await warehouse.AuditAsync();
            if (audit.Articles.FirstOrDefault(static article => !article.Consistent) is { } wrong)
            {
                throw new InvalidOperationException($"The books do not balance: {wrong}.");
            }
        }
    }
}
