using System.Net;
using System.Net.Http.Json;
using Moirai;
using WebService.Orders;

namespace WebService.Tests;

/// <summary>Issue 7, part 5: the service is made of Moirai.Hosting.</summary>
[Trait("Issue", "7")]
public sealed class HealthTests
{
    [Fact]
    public async Task A_service_that_is_well_says_so_check_by_check()
    {
        await using TestHouse house = await TestHouse.OpenAsync();

        HttpResponseMessage answer = await house.Http.GetAsync(new Uri("/health", UriKind.Relative));

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        HealthAnswer health = (await answer.Content.ReadFromJsonAsync<HealthAnswer>())!;
        health.Status.ShouldBe("Healthy");
        health.Checks.Keys.ShouldBe(["moirai-pools", "moirai-leaks", "moirai-deadlocks", "moirai-alarms", "moirai-starvation", "moirai-supervisors"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_full_pool_is_told_with_its_name_and_its_line()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { MaxOrders = 1, PriceMood = TestHouse.Held });
        Task<HttpResponseMessage> first = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);
        Task<HttpResponseMessage> second = house.OrderAsync();
        await Eventually.Get(house.CensusAsync, census => census.Pool.Waiting == 1);

        HealthAnswer health = (await house.Http.GetFromJsonAsync<HealthAnswer>("/health"))!;

        (health.Status, health.Checks["moirai-pools"]).ShouldBe(("Degraded", new CheckAnswer("Degraded", "pool 'orders' is full (1 of 1 active, 1 waiting)")));
        house.Service.Price.Change(TestHouse.Fine);
        (await first).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await second).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task What_is_no_order_is_refused_also_when_every_place_is_taken()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { MaxOrders = 1, PriceMood = TestHouse.Held });
        Task<HttpResponseMessage> order = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);

        (await house.PostAsync("nonsense")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);

        house.Service.Price.Change(TestHouse.Fine);
        (await order).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await house.CensusAsync()).Pool.Counts.Created.ShouldBe(1);
    }

    [Fact]
    public async Task The_auditor_is_supervised_and_finds_the_books_in_order()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { AuditEvery = TimeSpan.FromMilliseconds(10) });
        (await house.OrderAsync()).StatusCode.ShouldBe(HttpStatusCode.OK);

        RuntimeSnapshot snapshot = await Eventually.Get(() => Task.FromResult(house.Service.Runtime.TakeSnapshot()), static taken => taken.Tasks.Any(static task => task.Name == "housekeeping/auditor"));

        snapshot.Scopes.ShouldContain(static scope => scope.Name.Contains("housekeeping", StringComparison.Ordinal));
        (await house.Http.GetFromJsonAsync<HealthAnswer>("/health"))!.Checks["moirai-supervisors"].Status.ShouldBe("Healthy");
    }

    [Fact]
    public async Task Books_that_do_not_balance_are_unhealthy_and_the_service_goes_on()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { AuditEvery = TimeSpan.FromMilliseconds(10) });
        Article bread = house.Service.Warehouse.Get("bread");
        await house.Service.Runtime.SpawnDetached(bread.SellAsync(new Order("thief", bread, 2))); // planted: sold without having been reserved

        HealthAnswer health = await Eventually.Get(() => HealthAsync(house), static health => health.Checks["moirai-supervisors"].Status == "Unhealthy");

        health.Checks["moirai-supervisors"].Story.ShouldNotBeNull().ShouldContain("The books do not balance");
        (await house.OrderAsync("wine", 1)).StatusCode.ShouldBe(HttpStatusCode.OK);
        house.ExpectsDisorder = true;
    }

    [Theory]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("127.0.0.1:5080", HttpStatusCode.OK)]
    [InlineData("elsewhere.example", HttpStatusCode.NotFound)]
    public async Task The_page_answers_to_the_names_of_this_machine_only(string host, HttpStatusCode status)
    {
        await using TestHouse house = await TestHouse.OpenAsync();
        foreach (string path in new[] { "/moirai/", "/moirai/snapshot", "/moirai/frame" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Host = host;

            using HttpResponseMessage answer = await house.Http.SendAsync(request);

            answer.StatusCode.ShouldBe(status, path);
        }
    }

    // Unhealthy is answered with 503, and the same story.
    private static async Task<HealthAnswer> HealthAsync(TestHouse house)
    {
        using HttpResponseMessage answer = await house.Http.GetAsync(new Uri("/health", UriKind.Relative));
        return (await answer.Content.ReadFromJsonAsync<HealthAnswer>())!;
    }
}
