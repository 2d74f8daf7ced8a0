using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Mvc;
using Moirai;
using WebService.Orders;
using WebService.Upstreams;

namespace WebService.Tests;

public sealed class StopTests
{
    [Fact]
    public async Task C13_a_stopping_service_refuses_new_orders_and_fills_those_in_work()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { PriceMood = TestHouse.Held });
        Task<HttpResponseMessage> inWork = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);

        Task<ServiceEnd> stop = house.Service.StopAsync();
        HttpResponseMessage refused = await house.OrderAsync();
        house.Service.Price.Change(TestHouse.Fine);

        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        refused.Headers.RetryAfter.ShouldNotBeNull();
        (await refused.Content.ReadFromJsonAsync<ProblemDetails>())!.Title.ShouldBe("The service is stopping");
        (await inWork).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Eventually.Ends(stop)).IsClean.ShouldBeTrue();
    }

    [Fact]
    public async Task C13_orders_that_do_not_end_by_the_deadline_are_canceled_and_give_their_stock_back()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with
        {
            MaxOrders = 1,
            PriceMood = TestHouse.Held,
            DrainTimeout = TimeSpan.FromMilliseconds(50),
        });
        Task<HttpResponseMessage> stuck = house.OrderAsync();
        await TestHouse.CallsArriveAt(house.Service.Price, 1);
        Task<HttpResponseMessage> waiting = house.OrderAsync();
        await Eventually.Get(house.CensusAsync, census => census.Pool.Waiting == 1);

        ServiceEnd end = await Eventually.Ends(house.Service.StopAsync());

        (await stuck).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await waiting).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        end.IsClean.ShouldBeTrue($"{end}");
        end.Audit.Articles.Sum(article => article.Sold).ShouldBe(0);
    }

    [Fact]
    public async Task C13_a_task_that_does_not_end_is_named_in_the_report_and_the_end_is_not_clean()
    {
        OrderService service = await OrderService.StartAsync(TestHouse.Calm with { DrainTimeout = TimeSpan.Zero, CancelTimeout = TimeSpan.FromMilliseconds(20) });
        var gate = new TaskCompletionSource();
        ManagedTask stubborn = service.Runtime.SpawnDetached(async _ => await gate.Task, "stubborn"); // planted: heeds nobody
        await Eventually.Get(() => Task.FromResult(stubborn.State), state => state == TaskState.Blocked);

        ServiceEnd end = await Eventually.Ends(service.StopAsync());

        end.IsClean.ShouldBeFalse();
        end.Report.Left.ShouldHaveSingleItem().Name.ShouldBe("stubborn");
        gate.SetResult();
        await stubborn;
    }

    [Fact]
    public async Task C13_a_signal_that_comes_twice_is_one_request_to_stop()
    {
        await using var process = new ServiceProcess("--port", "0", "--drain-seconds", "60", "--price-timeout-ms", "600000", "--payment-timeout-ms", "600000");
        HttpClient http = await process.ConnectAsync();
        (await http.PutAsJsonAsync("/upstream/price", TestHouse.Held)).EnsureSuccessStatusCode();
        Task<HttpResponseMessage> order = process.OrderAsync("bread");
        await Eventually.Get(
            () => http.GetFromJsonAsync<UpstreamReport[]>("/upstream")!,
            reports => reports!.Single(report => report.Name == "price").InProgress == 1);

        await process.TerminateAsync();
        await process.TerminateAsync(); // as supervisors do: once to the process, once to its group
        await Eventually.Get(
            () => process.OrderAsync("nothing"),
            _ => process.Output.Contains("Stopping", StringComparison.Ordinal));
        (await http.PutAsJsonAsync("/upstream/price", TestHouse.Fine)).EnsureSuccessStatusCode();

        (await order).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await process.ExitAsync()).ShouldBe(0, process.Output);
    }

    [Fact]
    public async Task C13_clients_that_hang_in_half_a_request_are_cut_off_without_a_word()
    {
        await using var process = new ServiceProcess("--port", "0");
        HttpClient http = await process.ConnectAsync();
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, http.BaseAddress!.Port);
        await client.GetStream().WriteAsync("POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n"u8.ToArray());
        var answer = new byte[12];
        await client.GetStream().ReadExactlyAsync(answer); // "HTTP/1.1 100": somebody reads the body now
        await client.GetStream().WriteAsync("{\"cust"u8.ToArray());

        await process.TerminateAsync();

        (await process.ExitAsync()).ShouldBe(0, process.Output);
        process.Output.ShouldNotContain("fail:");
        process.Output.ShouldNotContain("Exception");
    }

    [Fact]
    public async Task C13_SIGTERM_drains_prints_the_report_and_exits_0()
    {
        await using var process = new ServiceProcess("--port", "0", "--drain-seconds", "60", "--price-timeout-ms", "600000", "--payment-timeout-ms", "600000");
        HttpClient http = await process.ConnectAsync();
        (await http.PutAsJsonAsync("/upstream/price", TestHouse.Held)).EnsureSuccessStatusCode();
        Task<HttpResponseMessage> order = process.OrderAsync("bread");
        await Eventually.Get(
            () => http.GetFromJsonAsync<UpstreamReport[]>("/upstream")!,
            reports => reports!.Single(report => report.Name == "price").InProgress == 1);

        await process.TerminateAsync();
        await Eventually.Get(
            () => process.OrderAsync("nothing"),
            _ => process.Output.Contains("Stopping", StringComparison.Ordinal));
        (await http.PutAsJsonAsync("/upstream/price", TestHouse.Fine)).EnsureSuccessStatusCode();

        (await order).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await process.ExitAsync()).ShouldBe(0, process.Output);
        process.Output.ShouldContain("Runtime 'order service' stopped:");
        process.Output.ShouldContain(", 0 left ");
        process.Output.ShouldContain("audit:  balanced");
        process.Output.ShouldContain("census: balanced: created ");
    }

    [Fact]
    public async Task C13_SIGTERM_under_load_leaves_nothing_behind()
    {
        await using var process = new ServiceProcess("--port", "0", "--max-orders", "4");
        HttpClient http = await process.ConnectAsync();
        Task[] customers = [.. Enumerable.Range(0, 10).Select(_ => OrderUntilItIsOver(process))];
        await Eventually.Get(() => http.GetFromJsonAsync<CensusAnswer>("/census")!, census => census!.Pool.Counts.Completed > 0);

        await process.TerminateAsync();

        (await process.ExitAsync()).ShouldBe(0, process.Output);
        process.Output.ShouldContain(", 0 left ");
        await Task.WhenAll(customers);

        static async Task OrderUntilItIsOver(ServiceProcess process)
        {
            try
            {
                while (true)
                {
                    HttpResponseMessage answer = await process.OrderAsync("bread");
                    ((int)answer.StatusCode).ShouldBeOneOf(200, 503, 504);
                }
            }
            catch (HttpRequestException)
            {
                // The door is closed.
            }
        }
    }

    [Fact]
    public async Task C13_visitors_from_a_second_process_end_with_a_summary_and_exit_code_0()
    {
        await using var process = new ServiceProcess("--visitors", "5", "--seconds", "1", "--port", "0");

        (await process.ExitAsync()).ShouldBe(0, process.Output);

        process.Output.ShouldContain("5 visitors, ");
        process.Output.ShouldContain("latency p50 ");
        process.Output.ShouldContain("audit:  balanced");
        process.Output.ShouldContain("census: balanced");
    }

    [Theory]
    [InlineData("--visitors", "none")]
    [InlineData("--visitors", "0")]
    [InlineData("--port", "70000")]
    [InlineData("--seconds", "-1")]
    [InlineData("--seconds", "NaN")]
    [InlineData("--colour", "blue")]
    public async Task Bad_arguments_are_named_and_exit_with_2(string option, string value)
    {
        await using var process = new ServiceProcess(option, value);

        (await process.ExitAsync()).ShouldBe(2, process.Output);

        process.Output.ShouldContain(option);
        process.Output.ShouldContain("--help");
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_and_exits_with_1()
    {
        await using TestHouse house = await TestHouse.OpenAsync();
        await using var process = new ServiceProcess("--port", $"{house.Service.Address.Port}");

        (await process.ExitAsync()).ShouldBe(1, process.Output);

        process.Output.ShouldContain($"Cannot listen on port {house.Service.Address.Port}");
    }
}
