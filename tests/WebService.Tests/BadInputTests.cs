using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Mvc;

namespace WebService.Tests;

public sealed class BadInputTests
{
    [Theory]
    [InlineData("""{ "customer": "me", """, 400, "no valid JSON order")]
    [InlineData("", 400, "no valid JSON order")]
    [InlineData("null", 400, "It is null")]
    [InlineData("[]", 400, "no valid JSON order")]
    [InlineData("""{ "article": "bread", "quantity": 1 }""", 400, "'customer' is needed")]
    [InlineData("""{ "customer": " ", "article": "bread", "quantity": 1 }""", 400, "'customer' is needed")]
    [InlineData("""{ "customer": "me", "quantity": 1 }""", 400, "'article' is needed")]
    [InlineData("""{ "customer": "me", "article": "bread" }""", 400, "'quantity' is needed, a whole number above zero")]
    [InlineData("""{ "customer": "me", "article": "bread", "quantity": 0 }""", 400, "'quantity' is a whole number above zero, not 0")]
    [InlineData("""{ "customer": "me", "article": "bread", "quantity": -5 }""", 400, "not -5")]
    [InlineData("""{ "customer": "me", "article": "bread", "quantity": 1.5 }""", 400, "$.quantity")]
    [InlineData("""{ "customer": "me", "article": "bread", "quantity": 99999999999 }""", 400, "$.quantity")]
    [InlineData("""{ "customer": "me", "article": "unicorn", "quantity": 1 }""", 404, "There is no article 'unicorn'")]
    [InlineData("""{ "customer": "me", "article": "a🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞", "quantity": 1 }""", 404, "There is no article 'a🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞🍞…'")]
    [InlineData("""{ "customer": "me", "article": "bread", "quantity": 2147483647 }""", 409, "10 are free")]
    public async Task A_bad_order_is_refused_with_a_reason(string body, int status, string reason)
    {
        await using TestHouse house = await TestHouse.OpenAsync();

        HttpResponseMessage answer = await house.PostAsync(body);

        ProblemDetails problem = await ProblemOf(answer, status);
        problem.Detail.ShouldNotBeNull().ShouldContain(reason);
        (await house.AuditAsync("bread")).Free.ShouldBe(10);
    }

    [Fact]
    public async Task An_order_that_is_no_JSON_is_answered_415()
    {
        await using TestHouse house = await TestHouse.OpenAsync();

        await ProblemOf(await house.PostAsync("bread please", "text/plain"), 415);
    }

    [Fact]
    public async Task A_page_that_is_not_there_is_answered_404_with_a_problem()
    {
        await using TestHouse house = await TestHouse.OpenAsync();

        await ProblemOf(await house.Http.GetAsync(new Uri("/no/such/page", UriKind.Relative)), 404);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Ten_megabytes_are_answered_413_whether_their_length_is_told_or_not(bool tellLength)
    {
        await using TestHouse house = await TestHouse.OpenAsync();
        byte[] huge = Encoding.ASCII.GetBytes(new string(' ', 10 * 1024 * 1024));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/orders") { Content = new ByteArrayContent(huge) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (tellLength)
        {
            request.Headers.ExpectContinue = true;
        }
        else
        {
            // As much as one more byte than the limit says all: the rest would only race with the refusal.
            request.Content = new ByteArrayContent(huge, 0, (int)TestHouse.Calm.MaxBodyBytes + 1);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TransferEncodingChunked = true;
        }

        HttpResponseMessage answer = await house.Http.SendAsync(request);

        (await ProblemOf(answer, 413)).Detail.ShouldNotBeNull().ShouldContain("16384 bytes");
        (await house.OrderAsync()).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(30, true)]
    [InlineData(110, false)]
    [InlineData(110, true)]
    public async Task C13_a_client_that_hangs_up_in_the_middle_of_its_request_is_survived(int bytes, bool reset)
    {
        await using TestHouse house = await TestHouse.OpenAsync();
        const string Start = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n{ \"customer\": \"me\", \"art";

        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(house.Service.Address.Host, house.Service.Address.Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Start).AsMemory(0, bytes));
            socket.Client.LingerState = new LingerOption(reset, 0);
        }

        (await house.OrderAsync()).StatusCode.ShouldBe(HttpStatusCode.OK);
        await house.ComesToRest();
        (await house.AuditAsync("bread")).EverReserved.ShouldBe(2); // by the order that followed, and by nothing else
    }

    [Fact]
    public async Task C13_a_client_that_stops_speaking_in_the_middle_of_its_order_is_survived_and_alarms_nobody()
    {
        const string Half = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n{ \"customer\": \"me\", \"art";
        await using var process = new ServiceProcess("--port", "0");
        Uri address = (await process.ConnectAsync()).BaseAddress!;

        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(address.Host, address.Port);
            using var reader = new StreamReader(socket.GetStream());
            await reader.BaseStream.WriteAsync(Encoding.ASCII.GetBytes(Half));
            socket.Client.Shutdown(SocketShutdown.Send);
            (await Eventually.Ends(reader.ReadToEndAsync())).ShouldBeEmpty("the server takes the end of what it reads for the end of the client");
        }

        await process.TerminateAsync();
        (await process.ExitAsync()).ShouldBe(0, process.Output);
        process.Output.ShouldNotContain("warn:");
    }

    private static async Task<ProblemDetails> ProblemOf(HttpResponseMessage answer, int status)
    {
        ((int)answer.StatusCode).ShouldBe(status);
        answer.Content.Headers.ContentType.ShouldNotBeNull().MediaType.ShouldBe("application/problem+json");
        return (await answer.Content.ReadFromJsonAsync<ProblemDetails>())!;
    }
}
