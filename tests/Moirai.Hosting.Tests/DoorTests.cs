using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Moirai.Hosting.Tests;

/// <summary>Issue 7, part 4: whether the server is open while a host drains.</summary>
[Trait("Issue", "7")]
public sealed class DoorTests
{
    private static Task<Shop> OpenAsync(Held held, bool serves) => Shop.OpenAsync(
        app =>
        {
            app.MapGet("/", held.StayAsync);
            app.MapGet("/open", static () => "open").WithoutTaskPool();
        },
        configure: requests => requests.ServeWhileDraining = serves,
        more: static services => services.AddProblemDetails());

    [Fact]
    public async Task The_server_stays_open_until_the_requests_inside_have_ended_and_tells_others_that_it_stops()
    {
        var held = new Held();
        Shop shop = await OpenAsync(held, serves: true);
        Task<HttpResponseMessage> inside = shop.GetAsync("/");
        await held.ArriveAsync(1);

        Task stop = shop.StopAsync();
        HttpResponseMessage late = await shop.GetAsync("/");

        late.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        late.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(2));
        (await late.Content.ReadAsStringAsync()).ShouldContain("The service is stopping");
        (await shop.Http.GetStringAsync(new Uri("/open", UriKind.Relative))).ShouldBe("open", "by a new connection: the one before was closed by the refusal");
        stop.IsCompleted.ShouldBeFalse();
        held.Gate.SetResult();
        (await inside).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.EndsAsync(stop);
        await Should.ThrowAsync<HttpRequestException>(() => shop.GetAsync("/open"));
        await shop.DisposeAsync();
    }

    [Fact]
    public async Task Twin_where_it_is_not_asked_for_the_door_is_closed_while_a_request_is_inside()
    {
        var held = new Held();
        Shop shop = await OpenAsync(held, serves: false);
        Task<HttpResponseMessage> inside = shop.GetAsync("/");
        await held.ArriveAsync(1);

        Task stop = shop.StopAsync();

        await DoorClosesAsync(shop);
        held.Gate.SetResult();
        (await inside).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.EndsAsync(stop);
        await shop.DisposeAsync();
    }

    [Fact]
    public async Task A_stop_with_nobody_inside_closes_the_door_at_once()
    {
        Shop shop = await OpenAsync(new Held(), serves: true);
        await Eventually.EndsAsync(shop.StopAsync());
        await shop.DisposeAsync();
    }

    [Fact]
    public async Task A_request_that_ignores_the_stop_keeps_the_door_open_for_no_longer_than_the_runtime_waits()
    {
        var held = new Held();
        Shop shop = await OpenAsync(held, serves: true);
        Task<HttpResponseMessage> deaf = shop.GetAsync("/");
        await held.ArriveAsync(1);

        Task stop = shop.StopAsync();
        await PassAsync(shop, House.Drain);
        await PassAsync(shop, TimeSpan.FromSeconds(5)); // to end after it was canceled

        await DoorClosesAsync(shop);
        held.Gate.SetResult();
        await deaf;
        await Eventually.EndsAsync(stop);
        await shop.DisposeAsync();
    }

    [Fact]
    public async Task A_host_in_a_hurry_closes_the_door_at_once()
    {
        var held = new Held();
        Shop shop = await OpenAsync(held, serves: true);
        Task<HttpResponseMessage> inside = shop.GetAsync("/");
        await held.ArriveAsync(1);
        using var hurry = new CancellationTokenSource();

        Task stop = shop.App.StopAsync(hurry.Token);
        (await shop.Http.GetStringAsync(new Uri("/open", UriKind.Relative))).ShouldBe("open");
        await hurry.CancelAsync();

        await DoorClosesAsync(shop);
        await Should.ThrowAsync<HttpRequestException>(() => Eventually.EndsAsync(inside), "the server has broken it off"); // it closes the door first: the request may not end in between
        held.Gate.SetResult();
        await Eventually.IsAsync(() => stop.IsCompleted, "the end of the stop");
        await shop.DisposeAsync();
    }

    private static async Task PassAsync(Shop shop, TimeSpan delay)
    {
        await Eventually.IsAsync(() => shop.Time.NextTimerIn == delay, $"a timer in {delay}");
        shop.Time.Advance(delay);
    }

    // Each time by a new connection.
    private static async Task DoorClosesAsync(Shop shop)
    {
        bool isOpen = true;
        while (isOpen)
        {
            using var http = new HttpClient { BaseAddress = shop.Http.BaseAddress };
            try
            {
                using HttpResponseMessage answer = await Eventually.EndsAsync(http.GetAsync(new Uri("/open", UriKind.Relative)));
            }
            catch (HttpRequestException)
            {
                isOpen = false;
            }
        }
    }
}
