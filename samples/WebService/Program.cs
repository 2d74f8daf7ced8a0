using WebService;
using WebService.Visitors;

(Plan? plan, int exitCode) = CommandLine.Read(args);
if (plan is null)
{
    return exitCode;
}

if (plan.Drive is { } target)
{
    return await Driver.RunAsync(target, plan.Visitors, plan.Duration);
}

using var signals = new Signals();
OrderService service;
try
{
    service = await OrderService.StartAsync(plan.Settings);
}
catch (IOException error)
{
    await Console.Error.WriteLineAsync($"Cannot listen on port {plan.Settings.Port}: {error.Message} Try another --port, or 0 for a free one.");
    return 1;
}

return plan.Visitors > 0
    ? await VisitedRun.RunAsync(service, plan, signals.Asked)
    : await ServingRun.RunAsync(service, signals.Asked);
