using System.Net;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Moirai;
using Moirai.Hosting;
using WebService.Background;
using WebService.Orders;
using WebService.Upstreams;

namespace WebService;

/// <summary>The service as a whole: what it is made of, how it starts, and how it ends.</summary>
/// <remarks>
/// Moirai is in three places: in the services (<see cref="AddMoirai"/>: the runtime, its pools, what runs in the background), in the pipeline (<c>UsePooledRequests</c>: a request is a task of a pool), and in
/// <see cref="OrderDesk"/>, which does an order's work in a scope.
/// <code>
///   POST /orders ─► OrderReading ─► slot of the pool 'orders' ─► task: OrderDesk.FillAsync ─► answer
///                   (refuses what   (else 503, Retry-After)      (canceled when the customer
///                    is no order)                                 hangs up, or the time is over)
/// </code>
/// </remarks>
internal sealed class OrderService : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Lock _stopGate = new();
    private Task<ServiceEnd>? _stopping; // under _stopGate

    private OrderService(WebApplication app)
    {
        _app = app;
        Runtime = app.Services.GetRequiredService<TaskRuntime>();
        Pool = app.Services.GetRequiredKeyedService<TaskPool>(Pools.Orders);
        Warehouse = app.Services.GetRequiredService<Warehouse>();
        Price = app.Services.GetRequiredKeyedService<SimulatedUpstream>(UpstreamEndpoints.Price);
        Payment = app.Services.GetRequiredKeyedService<SimulatedUpstream>(UpstreamEndpoints.Payment);
        Address = new Uri(app.Urls.First());
    }

    public TaskRuntime Runtime { get; }

    public TaskPool Pool { get; }

    public Warehouse Warehouse { get; }

    public SimulatedUpstream Price { get; }

    public SimulatedUpstream Payment { get; }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>Starts a service, and returns when it takes orders.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<OrderService> StartAsync(ServiceSettings settings)
    {
        WebApplication app = Build(settings);
        try
        {
            await app.StartAsync(CancellationToken.None);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var service = new OrderService(app);
        app.Services.GetRequiredService<UpstreamClient>().ConnectTo(service.Address);
        return service;
    }

    /// <summary>Stops intake, lets orders end, cancels those that do not, closes the door, and says what came of it. Stopping again gives the same answer.</summary>
    public Task<ServiceEnd> StopAsync()
    {
        lock (_stopGate)
        {
            return _stopping ??= StopCoreAsync();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    // The host does it all, within its shutdown timeout: see AddMoirai.
    private async Task<ServiceEnd> StopCoreAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        StopReport report = await Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero); // it is stopped: this is the report of then

        // Awaited outside any task, the audit runs in the default runtime: ours takes no work any more.
        return new ServiceEnd(report, Runtime.TakeCensus(), await Warehouse.AuditAsync());
    }

    private static WebApplication Build(ServiceSettings settings)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        ConfigureServer(builder, settings);
        AddMoirai(builder.Services, settings);
        builder.Services.AddOrders(settings).AddUpstreams(settings);

        WebApplication app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseMiddleware<OrderReading>(); // what is no order is refused before it takes a slot
        app.UsePooledRequests();
        app.MapOrders();
        app.MapUpstreams();
        app.MapCensus();
        app.MapHealthChecks("/health", new HealthCheckOptions { ResponseWriter = HealthAnswer.WriteAsync });

        // Nobody has to log in: the service listens on the loopback only, and the page answers to no name that a page from elsewhere could have made to point here.
        app.MapMoirai("/moirai", static page => page.AllowCommands = true).RequireHost("localhost", "127.0.0.1");
        return app;
    }

    private static void AddMoirai(IServiceCollection services, ServiceSettings settings)
    {
        MoiraiBuilder moirai = services
            .AddMoirai(options =>
            {
                options.Name = "order service";
                options.CancelTimeout = settings.CancelTimeout;
                options.AbandonTimeout = settings.AbandonTimeout;
            })
            .ConfigureRuntime((_, runtime) =>
            {
                runtime.Alarms = settings.Alarms;
                runtime.AllowCommands = true; // 'moirai leaks'
            })
            .AddTaskPool(Pools.Orders, pool => pool.MaxTasks = settings.MaxOrders)
            .AddTaskPool(Pools.Reports, static pool => pool.MaxTasks = 4)
            .AddPooledRequests(requests =>
            {
                requests.AdmissionTimeout = settings.AdmissionTimeout;
                requests.RetryAfter = settings.RetryAfter;
                requests.ServeWhileDraining = true; // orders in work still need the upstreams, which live behind the same door
            });
        if (settings.AuditEvery is not null)
        {
            // When the books do not balance, nor after looking again, the service is unhealthy and goes on.
            moirai.AddSupervisor("housekeeping", static housekeeping => housekeeping
                .Configure(static options => (options.MaxRestarts, options.Escalation) = (3, Escalation.GiveUp))
                .AddChild<Auditor>("auditor"));
        }

        if (settings.Chaos)
        {
            moirai.AddTaskPool(Pools.Starved, static pool => pool.MaxTasks = 1)
                .AddSupervisor("trouble", static trouble => trouble.AddChild<Chaos>("chaos"));
        }

        services.AddHealthChecks().AddMoirai();

        // Draining, canceling and abandoning have to fit into it, in this order.
        TimeSpan drain = settings.DrainTimeout > TimeSpan.Zero ? settings.DrainTimeout : TimeSpan.FromMilliseconds(1);
        services.Configure<HostOptions>(host => host.ShutdownTimeout = drain + settings.CancelTimeout + settings.AbandonTimeout);
    }

    private static void ConfigureServer(WebApplicationBuilder builder, ServiceSettings settings)
    {
        builder.Logging.ClearProviders().AddSimpleConsole(static console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.MaxBodyBytes;
            kestrel.Listen(IPAddress.Loopback, settings.Port);
        });
        builder.Services.AddProblemDetails();
        builder.Services.AddSingleton<IConfigureOptions<LoggerFilterOptions>, DoorLog>();
        builder.Services.AddSingleton<IHostLifetime, SignalsAreOurs>();
    }

    /// <summary>What is logged of connections. When the door closes, whoever still hangs in half a request is cut off on purpose, and the server's complaints of that would only alarm the operator.</summary>
    private sealed class DoorLog(IServiceProvider services) : IConfigureOptions<LoggerFilterOptions>
    {
        private IHostApplicationLifetime? _lifetime;

        public void Configure(LoggerFilterOptions options) =>
            options.AddFilter("Microsoft.AspNetCore.Server.Kestrel", level => level >= LogLevel.Warning && !IsClosing);

        // Asked late: the lifetime has a logger itself.
        private bool IsClosing => (_lifetime ??= services.GetRequiredService<IHostApplicationLifetime>()).ApplicationStopping.IsCancellationRequested;
    }

    /// <summary>Signals are heard by <see cref="Signals"/>, also before the host runs and after it has ended.</summary>
    private sealed class SignalsAreOurs : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>The pools of the service: each is a keyed service, <c>[FromKeyedServices(Pools.Orders)] TaskPool</c>.</summary>
internal static class Pools
{
    /// <summary>At most so many orders are in work at once.</summary>
    public const string Orders = "orders";

    /// <summary>Who looks at the books does not take places of orders.</summary>
    public const string Reports = "reports";

    /// <summary>One slot, which chaos keeps.</summary>
    public const string Starved = "one at a time";
}

/// <summary>How it ended.</summary>
/// <param name="Report">What the runtime had to say.</param>
/// <param name="Census">The account of all tasks.</param>
/// <param name="Audit">The account of all stock.</param>
internal sealed record ServiceEnd(StopReport Report, Census Census, Audit Audit)
{
    /// <summary>Whether no task, slot, timer or scope is left.</summary>
    public bool CensusIsClean => Report.IsComplete && Census.IsEmpty && Census.OpenScopes == 0;

    /// <summary>Whether every piece is on the shelf or sold.</summary>
    public bool AuditIsClean => Audit.Consistent && Audit.IsAtRest;

    /// <summary>Whether nothing was left behind.</summary>
    public bool IsClean => CensusIsClean && AuditIsClean;
}
