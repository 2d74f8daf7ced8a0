using Microsoft.Extensions.Options;
using System.Net;
using Moirai;
using WebService.Orders;
using WebService.Upstreams;

namespace WebService;

/// <summary>The service as a whole: puts the parts together, starts them, and stops them in the right order.</summary>
internal sealed class OrderService : IAsyncDisposable
{
    private readonly ServiceSettings _settings;
    private readonly WebApplication _app;
    private readonly OrderDesk _desk;
    private readonly UpstreamClient _upstream;
    private readonly Lock _stopGate = new();
    private Task<ServiceEnd>? _stopping; // under _stopGate

    private OrderService(ServiceSettings settings)
    {
        _settings = settings;
        _app = BuildHost(settings);
        ILogger logger = _app.Logger;
        Runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "order service", OnEvent = what => Log(logger, what), Alarms = new AlarmLimits { PoolFull = TimeSpan.FromSeconds(5) } });
        Pool = Runtime.CreatePool("orders", settings.MaxOrders);
        Warehouse = new Warehouse(settings.Stock);
        Price = new SimulatedUpstream("price", settings.PriceMood);
        Payment = new SimulatedUpstream("payment", settings.PaymentMood);
        _upstream = new UpstreamClient(settings);
        _desk = new OrderDesk(Runtime, Pool, _upstream, settings);

        _app.UseExceptionHandler(new ExceptionHandlerOptions { SuppressDiagnosticsCallback = static what => what.Exception is OperationCanceledException });
        _app.UseStatusCodePages();
        _app.MapOrders(Runtime, Warehouse, _desk, settings);
        _app.MapUpstreams(Price, Payment);
        _app.MapMoirai("/moirai", page =>
        {
            page.Runtimes.Add(Runtime);
            page.AllowCommands = true; // it listens on the loopback only
        });
        _app.MapGet("/census", () => new CensusAnswer(Runtime.TakeCensus(), new PoolAnswer(Pool.Name, Pool.MaxTasks, Pool.ActiveCount, Pool.WaitingCount, Pool.Counts)));
    }

    public TaskRuntime Runtime { get; }

    public TaskPool Pool { get; }

    public Warehouse Warehouse { get; }

    public SimulatedUpstream Price { get; }

    public SimulatedUpstream Payment { get; }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Starts a service, and returns when it takes orders.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<OrderService> StartAsync(ServiceSettings settings)
    {
        var service = new OrderService(settings);
        try
        {
            await service._app.StartAsync(CancellationToken.None);
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }

        service.Address = new Uri(service._app.Urls.First());
        service._upstream.ConnectTo(service.Address);
        if (settings.Chaos)
        {
            Chaos.Begin(service.Runtime);
        }

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

    private async Task<ServiceEnd> StopCoreAsync()
    {
        // The door stays open while orders end: customers who wait get their answer, new ones a clear 503.
        _desk.StopIntake();
        StopReport report = await Runtime.StopAsync(_settings.DrainTimeout, _settings.CancelTimeout);
        _app.Services.GetRequiredService<DoorLog>().IsClosing = true;
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _upstream.Dispose();

        if (report.IsComplete)
        {
            await Pool.DisposeAsync();
        }

        // Awaited outside any task, the audit runs in the default runtime: ours takes no work any more.
        return new ServiceEnd(report, Runtime.TakeCensus(), await Warehouse.AuditAsync());
    }

    private static WebApplication BuildHost(ServiceSettings settings)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(static console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.MaxBodyBytes;
            kestrel.Listen(IPAddress.Loopback, settings.Port);
        });
        builder.Services.AddProblemDetails();
        builder.Services.AddSingleton<DoorLog>();
        builder.Services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(static services => services.GetRequiredService<DoorLog>());
        builder.Services.AddSingleton<IHostLifetime, SignalsAreOurs>();
        return builder.Build();
    }

    private static void Log(ILogger logger, RuntimeEvent what)
    {
        // Timeouts are daily bread here, and answered; the rest is for the operator.
        if (what.Kind != RuntimeEventKind.TimedOut)
        {
            logger.LogWarning(what.Error, "{Kind}: {Message}", what.Kind, what.Message);
        }
    }

    /// <summary>What is logged of connections. When the door closes, whoever still hangs in half a request is cut off on purpose, and the server's complaints of that would only alarm the operator.</summary>
    private sealed class DoorLog : IConfigureOptions<LoggerFilterOptions>
    {
        private volatile bool _isClosing;

        public bool IsClosing
        {
            set => _isClosing = value;
        }

        public void Configure(LoggerFilterOptions options) =>
            options.AddFilter("Microsoft.AspNetCore.Server.Kestrel", level => level >= LogLevel.Warning && !_isClosing);
    }

    /// <summary>The host would stop at a signal by itself, and close the door before the orders have ended.</summary>
    private sealed class SignalsAreOurs : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>What <c>GET /census</c> answers.</summary>
internal sealed record CensusAnswer(Census Runtime, PoolAnswer Pool);

/// <summary>The pool's numbers.</summary>
internal sealed record PoolAnswer(string Name, int MaxTasks, long Active, int Waiting, PoolCounts Counts);

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
