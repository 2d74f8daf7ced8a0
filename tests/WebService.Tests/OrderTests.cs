using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Mvc;
using WebService.Orders;
using WebService.Upstreams;

namespace WebService.Tests;

public sealed class OrderTests
{
    [Fact]
    public async Task A_good_order_is_confirmed_and_its_stock_is_sold()
    {
        await using TestHouse house = await TestHouse.OpenAsync();

        HttpResponseMessage answer = await house.OrderAsync("bread", 3);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        Confirmation confirmation = (await answer.Content.ReadFromJsonAsync<Confirmation>())!;
        confirmation.Customer.ShouldBe("Clotho");
        confirmation.Total.ShouldBe(3 * 2.25m);
        confirmation.PaymentReceipt.ShouldStartWith("paid-by-Clotho-");
        ArticleAudit bread = await house.AuditAsync("bread");
        (bread.Free, bread.Reserved, bread.Sold, bread.Consistent).ShouldBe((7L, 0L, 3L, true));
    }

    [Fact]
    public async Task While_an_order_waits_for_its_payment_its_stock_is_reserved()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { PaymentMood = TestHouse.Held });
        Task<HttpResponseMessage> order = house.OrderAsync("bread", 4);
        await TestHouse.CallsArriveAt(house.Service.Payment, 1);

        ArticleAudit bread = await Eventually.Get(() => house.AuditAsync("bread"), audit => audit.LiveOrders == 1);

        (bread.Free, bread.Reserved, bread.Sold, bread.Consistent).ShouldBe((6L, 4L, 0L, true));
        house.Service.Payment.Change(TestHouse.Fine);
        (await order).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task C13_a_full_pool_answers_503_with_Retry_After_and_goes_on_afterwards()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with
        {
            MaxOrders = 1,
            AdmissionTimeout = TimeSpan.FromMilliseconds(20),
            RetryAfter = TimeSpan.FromSeconds(3),
            PriceMood = TestHouse.Held,
        });
        Task<HttpResponseMessage> first = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);

        HttpResponseMessage second = await house.OrderAsync();

        second.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        second.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(3));
        await ShouldBeProblem(second, 503, "The service is busy");
        CensusAnswer census = await house.CensusAsync();
        (census.Pool.Active, census.Pool.Waiting, census.Pool.Counts.Created).ShouldBe((1L, 0, 1L));
        house.Service.Price.Change(TestHouse.Fine);
        (await first).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await house.OrderAsync()).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task C13_an_order_that_finds_the_pool_full_gets_the_next_place_in_time()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { MaxOrders = 1, PriceMood = TestHouse.Held });
        Task<HttpResponseMessage> first = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);
        Task<HttpResponseMessage> second = house.OrderAsync();
        await Eventually.Get(house.CensusAsync, census => census.Pool.Waiting == 1);

        house.Service.Price.Change(TestHouse.Fine);

        (await first).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await second).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task C13_a_disconnected_client_cancels_its_whole_tree_and_gives_the_stock_back()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { PriceMood = TestHouse.Held, PaymentMood = TestHouse.Held });
        using var hangUp = new CancellationTokenSource();
        Task<HttpResponseMessage> order = house.OrderAsync("wine", 1, hangUp.Token);
        await TestHouse.CallsArriveAt(house.Service.Price, 1);
        await TestHouse.CallsArriveAt(house.Service.Payment, 1);
        await Eventually.Get(() => house.AuditAsync("wine"), audit => audit.Reserved == 1);

        await hangUp.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(order);
        CensusAnswer census = await house.ComesToRest();
        census.Pool.Counts.Canceled.ShouldBeGreaterThan(0);
        ArticleAudit wine = await house.AuditAsync("wine");
        (wine.Free, wine.GivenBack, wine.Consistent).ShouldBe((1L, 1L, true));
        await TestHouse.CallsArriveAt(house.Service.Price, 0); // both calls were ended on the wire, not only forgotten
        await TestHouse.CallsArriveAt(house.Service.Payment, 0);
        (house.Service.Price.Report().Abandoned, house.Service.Payment.Report().Abandoned).ShouldBe((1L, 1L));
    }

    [Fact]
    public async Task C13_a_client_that_hangs_up_while_it_waits_for_a_place_leaves_the_queue()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { MaxOrders = 1, PriceMood = TestHouse.Held });
        Task<HttpResponseMessage> first = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);
        using var hangUp = new CancellationTokenSource();
        Task<HttpResponseMessage> second = house.OrderAsync(hangUp: hangUp.Token);
        await Eventually.Get(house.CensusAsync, census => census.Pool.Waiting == 1);

        await hangUp.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(second);
        await Eventually.Get(house.CensusAsync, census => census.Pool.Waiting == 0);
        house.Service.Price.Change(TestHouse.Fine);
        (await first).StatusCode.ShouldBe(HttpStatusCode.OK);
        await house.ComesToRest();
        (await house.AuditAsync("bread")).EverReserved.ShouldBe(2); // the second order was never begun
    }

    [Theory]
    [InlineData("price")]
    [InlineData("payment")]
    public async Task C13_an_upstream_that_is_too_slow_is_answered_504_and_gives_the_stock_back(string which)
    {
        TimeSpan soon = TimeSpan.FromMilliseconds(30);
        await using TestHouse house = await TestHouse.OpenAsync(which == "price"
            ? TestHouse.Calm with { PriceMood = TestHouse.Held, PriceTimeout = soon }
            : TestHouse.Calm with { PaymentMood = TestHouse.Held, PaymentTimeout = soon });

        HttpResponseMessage answer = await house.OrderAsync("wine", 1);

        await ShouldBeProblem(answer, 504, "An upstream is too slow");
        CensusAnswer census = await house.ComesToRest();
        census.Runtime.TimerEntries.ShouldBe(0);
        (await house.AuditAsync("wine")).Free.ShouldBe(1);
        await TestHouse.CallsArriveAt(which == "price" ? house.Service.Price : house.Service.Payment, 0);
    }

    [Theory]
    [InlineData("price")]
    [InlineData("payment")]
    public async Task C13_an_upstream_that_fails_is_answered_502_and_gives_the_stock_back(string which)
    {
        var failing = new UpstreamMood { FailureRate = 1 };
        await using TestHouse house = await TestHouse.OpenAsync(which == "price"
            ? TestHouse.Calm with { PriceMood = failing, PaymentMood = TestHouse.Held }
            : TestHouse.Calm with { PaymentMood = failing, PriceMood = TestHouse.Held });

        HttpResponseMessage answer = await house.OrderAsync("wine", 1);

        await ShouldBeProblem(answer, 502, "An upstream failed");
        await house.ComesToRest();
        (await house.AuditAsync("wine")).Free.ShouldBe(1);
    }

    [Fact]
    public async Task An_order_for_more_than_there_is_ends_the_calls_that_it_has_begun()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { PriceMood = TestHouse.Held, PaymentMood = TestHouse.Held });

        HttpResponseMessage answer = await house.OrderAsync("wine", 2);

        await ShouldBeProblem(answer, 409, "Out of stock");
        await house.ComesToRest();
        await TestHouse.CallsArriveAt(house.Service.Price, 0);
        await TestHouse.CallsArriveAt(house.Service.Payment, 0);
    }

    [Fact]
    public async Task An_upstream_can_be_changed_at_runtime()
    {
        await using TestHouse house = await TestHouse.OpenAsync();

        (await house.Http.PutAsJsonAsync("/upstream/payment", new UpstreamMood { FailureRate = 1 })).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await house.OrderAsync()).StatusCode.ShouldBe(HttpStatusCode.BadGateway);
        (await house.Http.PutAsJsonAsync("/upstream/payment", TestHouse.Fine)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await house.OrderAsync()).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await house.Http.PutAsJsonAsync("/upstream/payment", new UpstreamMood { FailureRate = 2 })).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await house.Http.PutAsJsonAsync("/upstream/weather", TestHouse.Fine)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private static async Task ShouldBeProblem(HttpResponseMessage answer, int status, string title)
    {
        ((int)answer.StatusCode).ShouldBe(status);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        ProblemDetails problem = (await answer.Content.ReadFromJsonAsync<ProblemDetails>())!;
        (problem.Status, problem.Title).ShouldBe((status, title));
        problem.Detail.ShouldNotBeNullOrWhiteSpace();
    }
}
