using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Moirai.Testing;

namespace Moirai.Hosting.Tests;

/// <summary>A web application on a free port of the loopback, served by Kestrel, whose requests run in the pool <c>requests</c>. The clock of the runtime is the test's.</summary>
internal sealed class Shop : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Shop(WebApplication app, VirtualTimeProvider time, LogBook log)
    {
        (_app, Time, Log) = (app, time, log);
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.First()), Timeout = Timeout.InfiniteTimeSpan };
    }

    internal VirtualTimeProvider Time { get; }

    internal LogBook Log { get; }

    internal HttpClient Http { get; }

    internal WebApplication App => _app;

    internal TaskRuntime Runtime => _app.Services.GetRequiredService<TaskRuntime>();

    internal TaskPool Pool => _app.Services.GetRequiredKeyedService<TaskPool>("requests");

    internal static async Task<Shop> OpenAsync(Action<WebApplication> map, int slots = 10, Action<PooledRequestsOptions>? configure = null, Action<IServiceCollection>? more = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        var (time, log) = (new VirtualTimeProvider(), new LogBook());
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(log);
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = House.Shutdown);
        builder.Services.AddHttpContextAccessor();
        more?.Invoke(builder.Services); // first, so that what it adds hears of a stop last
        builder.Services.AddMoirai()
            .ConfigureRuntime((_, runtime) => runtime.TimeProvider = time)
            .AddTaskPool("requests", pool => pool.MaxTasks = slots)
            .AddPooledRequests(requests =>
            {
                (requests.Pool, requests.AdmissionTimeout, requests.RetryAfter) = ("requests", TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1.5));
                configure?.Invoke(requests);
            });
        WebApplication app = builder.Build();
        app.UsePooledRequests();
        map(app);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return new Shop(app, time, log);
    }

    internal Task<HttpResponseMessage> GetAsync(string path, CancellationToken hangUp = default) => Http.GetAsync(new Uri(path, UriKind.Relative), hangUp);

    internal Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Eventually.StopsAsync(_app.StopAsync(), Time);
        await Eventually.EndsAsync(_app.DisposeAsync().AsTask());
    }
}

/// <summary>A request that stays until it is let go.</summary>
internal sealed class Held
{
    private int _entered;
    private int _left;

    internal TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal int Entered => Volatile.Read(ref _entered);

    internal int Left => Volatile.Read(ref _left);

    internal async Task<string> StayAsync()
    {
        Interlocked.Increment(ref _entered);
        try
        {
            await Gate.Task;
            return "done";
        }
        finally
        {
            Interlocked.Increment(ref _left);
        }
    }

    internal Task ArriveAsync(int count) => Eventually.IsAsync(() => Entered == count, $"{count} requests");
}
