using System.Net.Http.Json;
using System.Text;
using WebService.Orders;
using WebService.Upstreams;

namespace WebService.Tests;

/// <summary>A service of the test's own on a free port, with upstreams that the test holds in its hands. Ends with the proof that nothing is left.</summary>
internal sealed class TestHouse : IAsyncDisposable
{
    public static readonly TimeSpan Never = TimeSpan.FromMinutes(10);
    public static readonly UpstreamMood Held = new() { Held = true };
    public static readonly UpstreamMood Fine = new();

    private TestHouse(OrderService service)
    {
        Service = service;
        Http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = Never }) { BaseAddress = service.Address, Timeout = Timeout.InfiniteTimeSpan };
    }

    public OrderService Service { get; }

    public HttpClient Http { get; }

    /// <summary>Whether a fault was planted in the books.</summary>
    public bool ExpectsDisorder { get; set; }

    /// <summary>Upstreams that answer at once, and limits that no slow machine reaches: each test tightens the one that it is about.</summary>
    public static ServiceSettings Calm => new()
    {
        Port = 0,
        PriceMood = Fine,
        PaymentMood = Fine,
        AdmissionTimeout = Never,
        PriceTimeout = Never,
        PaymentTimeout = Never,
        DrainTimeout = TimeSpan.FromMinutes(1),
        CancelTimeout = TimeSpan.FromMinutes(1),
        AuditEvery = null,
        Stock = new Dictionary<string, int> { ["bread"] = 10, ["wine"] = 1 },
    };

    public static async Task<TestHouse> OpenAsync(ServiceSettings? settings = null) => new(await OrderService.StartAsync(settings ?? Calm));

    public Task<HttpResponseMessage> OrderAsync(string article = "bread", int quantity = 2, CancellationToken hangUp = default) =>
        Http.PostAsJsonAsync("/orders", new OrderRequest("Clotho", article, quantity), hangUp);

    public Task<HttpResponseMessage> PostAsync(string body, string type = "application/json") =>
        Http.PostAsync(new Uri("/orders", UriKind.Relative), new StringContent(body, Encoding.UTF8, type));

    public Task<Audit> AuditAsync() => Http.GetFromJsonAsync<Audit>("/audit")!;

    public async Task<ArticleAudit> AuditAsync(string article) => (await AuditAsync()).Articles.Single(entry => entry.Article == article);

    public Task<CensusAnswer> CensusAsync() => Http.GetFromJsonAsync<CensusAnswer>("/census")!;

    /// <summary>Waits until that many calls have arrived at an upstream and are held there.</summary>
    public static Task CallsArriveAt(SimulatedUpstream upstream, int calls) =>
        Eventually.Get(() => Task.FromResult(upstream.Report()), report => report.InProgress == calls);

    /// <summary>Waits until nothing runs.</summary>
    public Task<CensusAnswer> ComesToRest() => Eventually.Get(CensusAsync, census => census.Runtime.IsEmpty && census.Pool.Active == 0);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        ServiceEnd end = await Service.StopAsync();
        (ExpectsDisorder ? end.CensusIsClean && !end.AuditIsClean : end.IsClean).ShouldBeTrue($"{end.Report}\n{end.Census}\n{end.Audit}");
    }
}
