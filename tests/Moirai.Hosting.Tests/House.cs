using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Moirai.Hosting.Health;
using Moirai.Testing;

namespace Moirai.Hosting.Tests;

/// <summary>A host with nothing in it but Moirai, on a clock that the test turns.</summary>
internal sealed class House : IAsyncDisposable
{
    /// <summary>How long a host may take to stop. Its clock is not ours, so it is far away.</summary>
    internal static readonly TimeSpan Shutdown = TimeSpan.FromMinutes(2);

    /// <summary>How long tasks may end by themselves: less 5 s to cancel and 2 s to abandon.</summary>
    internal static readonly TimeSpan Drain = Shutdown - TimeSpan.FromSeconds(7);

    private readonly IHost _host;
    private readonly Lazy<TaskRuntime> _runtime;

    private bool _started;

    private House(IHost host, VirtualTimeProvider time, LogBook log)
    {
        _host = host;
        _runtime = new Lazy<TaskRuntime>(() => _host.Services.GetRequiredService<TaskRuntime>());
        Time = time;
        Log = log;
    }

    internal VirtualTimeProvider Time { get; }

    internal LogBook Log { get; }

    internal IHost Host => _host;

    internal IServiceProvider Services => _host.Services;

    internal TaskRuntime Runtime => _runtime.Value;

    internal TaskPool Pool(string name) => Services.GetRequiredKeyedService<TaskPool>(name);

    internal Supervisor Supervisor(string name) => Services.GetRequiredKeyedService<Supervisor>(name);

    internal static House Build(Action<IServiceCollection> add, params (string Key, string? Value)[] settings)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true, ApplicationName = "house" });
        var (time, log) = (new VirtualTimeProvider(), new LogBook());
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, setting.Value)));
        builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log);
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = Shutdown);
        add(builder.Services);

        // The real probe would measure the real thread pool by a clock that jumps.
        foreach (ServiceDescriptor probe in builder.Services.Where(IsProbe).ToList())
        {
            builder.Services.Remove(probe);
        }

        return new House(builder.Build(), time, log);
    }

    internal static bool IsProbe(ServiceDescriptor service) => service.ServiceType == typeof(IHostedService) && service.ImplementationFactory?.Method.ReturnType == typeof(StarvationProbe);

    internal static async Task<House> OpenAsync(Action<IServiceCollection> add, params (string Key, string? Value)[] settings)
    {
        House house = Build(add, settings);
        await house._host.StartAsync();
        house._started = true;
        _ = house.Runtime; // it can be asked after the host is gone
        return house;
    }

    /// <summary>Builds a host and starts it, and gives what kept it from starting.</summary>
    internal static async Task<string> RefusesToStartAsync(Action<IServiceCollection> add, params (string Key, string? Value)[] settings)
    {
        await using House house = Build(add, settings);
        Exception error = (await Should.ThrowAsync<Exception>(() => house._host.StartAsync()))!;
        return error.ToString();
    }

    internal Task StopAsync(CancellationToken hurry = default) => _host.StopAsync(hurry);

    /// <summary>Waits until the next timer is the one expected, and turns the clock to it.</summary>
    internal async Task PassAsync(TimeSpan delay)
    {
        await Eventually.IsAsync(() => Time.NextTimerIn == delay, $"a timer in {delay}, but the next is in {Time.NextTimerIn}");
        Time.Advance(delay);
    }

    public async ValueTask DisposeAsync()
    {
        if (_started)
        {
            await Eventually.StopsAsync(StopAsync(), Time);
        }

        await Eventually.EndsAsync(((IAsyncDisposable)_host).DisposeAsync().AsTask());
    }
}
