using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Moirai.Telemetry.Tests;

/// <summary>Receives OTLP over HTTP, in Protocol Buffers, on a free port of this machine.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Path, Message Body)> _received = new();

    private Collector(WebApplication app) => _app = app;

    /// <summary>Media types that came.</summary>
    public ConcurrentBag<string?> Types { get; } = [];

    /// <summary>Each metric of the last export, by name.</summary>
    public IReadOnlyDictionary<string, Message> Metrics => InScope("/v1/metrics", of: 1, scopes: 2, items: 2)
        .GroupBy(static metric => metric.Text(1), StringComparer.Ordinal).ToDictionary(static group => group.Key, static group => group.Last(), StringComparer.Ordinal);

    /// <summary>All spans, by name.</summary>
    public IReadOnlyDictionary<string, Message> Spans => InScope("/v1/traces", of: 1, scopes: 2, items: 2).ToDictionary(static span => span.Text(5), StringComparer.Ordinal);

    public static async Task<Collector> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        var collector = new Collector(app);
        app.MapPost("/v1/{signal}", collector.TakeAsync);
        await app.StartAsync();
        return collector;
    }

    public Uri Endpoint(string signal) => new($"{_app.Urls.Single()}/v1/{signal}");

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>Attributes, as <c>key=value</c>.</summary>
    public static string[] Attributes(Message of, int number) => [.. of.All(number).Select(static pair => $"{pair.Text(1)}={Value(pair.One(2))}").Order(StringComparer.Ordinal)];

    private static string Value(Message any) => any.Has(1) ? any.Text(1)
        : any.Has(3) ? any.Scalar(3).ToString(System.Globalization.CultureInfo.InvariantCulture)
        : any.Double(4).ToString(System.Globalization.CultureInfo.InvariantCulture);

    private async Task TakeAsync(HttpContext request)
    {
        using var body = new MemoryStream();
        await request.Request.Body.CopyToAsync(body);
        Types.Add(request.Request.ContentType);
        _received.Enqueue((request.Request.Path.Value!, new Message(body.ToArray())));
        request.Response.ContentType = "application/x-protobuf"; // an empty answer is a whole success
    }

    // Resource → scope → items; of the scope Moirai.
    private IEnumerable<Message> InScope(string path, int of, int scopes, int items) => _received.Where(one => one.Path == path)
        .SelectMany(one => one.Body.All(of)).SelectMany(resource => resource.All(scopes)).Where(static scope => scope.One(1).Text(1) == "Moirai").SelectMany(scope => scope.All(items));
}
