using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Moirai.Dashboard.Watching;
using Moirai.Testing;

namespace Moirai.Dashboard.Tests;

/// <summary>A web application with the page, on a free port of the loopback, served by Kestrel. The clock of the looks is the test's unless it asks for the real one.</summary>
internal sealed class Site : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Site(WebApplication app, VirtualTimeProvider time)
    {
        (_app, Time) = (app, time);
        Url = new Uri(app.Urls.First());
        Http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = Url, Timeout = Timeout.InfiniteTimeSpan };
    }

    internal Uri Url { get; }

    internal HttpClient Http { get; }

    internal VirtualTimeProvider Time { get; }

    internal WebApplication App => _app;

    internal Gallery Gallery => _app.Services.GetRequiredService<EndpointDataSource>().Endpoints.Select(static one => one.Metadata.GetMetadata<Gallery>()).OfType<Gallery>().First();

    internal Observer Observer => Gallery.Observers.Values.First();

    internal static Task<Site> OpenAsync(TaskRuntime runtime, Action<MoiraiDashboardOptions>? configure = null, bool realTime = false) => OpenAsync(
        app => app.MapMoirai("/moirai", options =>
        {
            options.Runtimes.Add(runtime);
            configure?.Invoke(options);
        }),
        realTime: realTime);

    internal static async Task<Site> OpenAsync(Action<WebApplication> map, Action<IServiceCollection>? add = null, bool realTime = false)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        var time = new VirtualTimeProvider();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        if (!realTime)
        {
            builder.Services.AddSingleton<TimeProvider>(time);
        }

        add?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        map(app);
        await app.StartAsync();
        return new Site(app, time);
    }

    internal Task<HttpResponseMessage> GetAsync(string path) => Http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);

    internal async Task<HttpResponseMessage> PostAsync(string path, bool withHeader = true)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        if (withHeader)
        {
            request.Headers.Add("X-Moirai-Command", "1");
        }

        return await Http.SendAsync(request);
    }

    internal async Task<JsonElement> JsonAsync(string path)
    {
        string text = await Http.GetStringAsync(new Uri(path, UriKind.Relative));
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Lets the looks that nobody waits for any more come to their end.</summary>
    internal async Task ComeToRestAsync() => await Eventually.IsAsync(
        () =>
        {
            Time.Advance(Observer.Beat);
            return Observer.IsIdle;
        },
        "an observer at rest");

    internal Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Eventually.EndsAsync(_app.StopAsync());
        await Eventually.EndsAsync(_app.DisposeAsync().AsTask());
    }
}
