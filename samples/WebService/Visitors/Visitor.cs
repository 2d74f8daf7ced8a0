using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Moirai;
using WebService.Orders;

namespace WebService.Visitors;

/// <summary>One visitor: mostly orders, sometimes nonsense, sometimes hangs up midway, sometimes looks at the books.</summary>
internal sealed class Visitor(HttpClient http, Uri service, VisitLog log, string name, int seed)
{
    /// <summary>How long a visitor who does not mean to hang up waits for an answer.</summary>
    public static readonly TimeSpan LongestPatience = TimeSpan.FromSeconds(60);

    // What a service that is well may answer to an order that is well.
    private static readonly HashSet<int> FairAnswers = [200, 409, 502, 503, 504];
    private static readonly string[] Articles = ["apple", "bread", "cheese", "wine"];

    private readonly Random _random = new(seed);

    /// <summary>Visits until the task is told to stop.</summary>
    public async Future VisitAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            await (_random.Next(100) switch
            {
                < 80 => OrderAsync(),
                < 88 => OrderNonsenseAsync(),
                < 94 => HangUpWhileWaitingAsync(),
                < 96 => HangUpWhileSpeakingAsync(),
                < 97 => LookAsync("/audit"),
                < 98 => LookAsync("/census"),
                _ => LookAsync("/no/such/page"),
            });
        }
    }

    private Future OrderAsync() => AskAsync("order", () => PostOrder(AnyOrder()), FairAnswers.Contains);

    private Future OrderNonsenseAsync()
    {
        (string kind, int status, Func<HttpRequestMessage> request) = _random.Next(6) switch
        {
            0 => ("malformed JSON", 400, () => PostJson("""{ "customer": "me", "article": """)),
            1 => ("unknown article", 404, () => PostOrder(AnyOrder() with { Article = "unicorn" })),
            2 => ("negative quantity", 400, () => PostOrder(AnyOrder() with { Quantity = -_random.Next(10) })),
            3 => ("too many", 409, () => PostOrder(AnyOrder() with { Quantity = int.MaxValue })),
            4 => ("no customer", 400, () => PostOrder(AnyOrder() with { Customer = null })),
            _ => ("10 MB order", 413, (Func<HttpRequestMessage>)PostHugeOrder),
        };

        // Too many is no nonsense by itself: like any order it can meet a full house or a failing upstream before anybody looks for the stock.
        return AskAsync(kind, request, answer => answer == status || (status == 409 && answer != 200 && FairAnswers.Contains(answer)));
    }

    // The books are looked at in a small pool of their own, which may be full.
    private Future LookAsync(string path) =>
        AskAsync(path, () => new HttpRequestMessage(HttpMethod.Get, path), answer => answer == (path == "/no/such/page" ? 404 : 200) || (path == "/audit" && answer == 503));

    // The future's time is over, so its token ends the request: the service sees a customer who is gone.
    private async Future HangUpWhileWaitingAsync()
    {
        try
        {
            int status = await SendAsync(PostOrder(AnyOrder())).WithTimeout(TimeSpan.FromMilliseconds(_random.Next(1, 40)));
            log.Note("hang up", $"{status} came first", took: null, FairAnswers.Contains(status));
        }
        catch (TaskTimeoutException)
        {
            log.Note("hang up", "hung up", took: null, expected: true);
        }
        catch (HttpRequestException)
        {
            log.Note("hang up", "no answer", took: null, expected: true);
        }
    }

    private async Future HangUpWhileSpeakingAsync()
    {
        try
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(service.Host, service.Port, ManagedTask.CurrentToken);
            byte[] half = Encoding.ASCII.GetBytes($$"""
                POST /orders HTTP/1.1
                Host: {{service.Authority}}
                Content-Type: application/json
                Content-Length: 70

                { "customer": "
                """.ReplaceLineEndings("\r\n"));
            await socket.GetStream().WriteAsync(half.AsMemory(0, _random.Next(1, half.Length)), ManagedTask.CurrentToken);
            socket.Client.LingerState = new LingerOption(enable: _random.Next(2) == 0, seconds: 0); // half of them with a reset
            log.Note("half a request", "hung up", took: null, expected: true);
        }
        catch (Exception error) when (error is SocketException or IOException)
        {
            log.Note("half a request", "no answer", took: null, expected: true);
        }
    }

    private async Future AskAsync(string kind, Func<HttpRequestMessage> request, Func<int, bool> isFair)
    {
        long began = TimeProvider.System.GetTimestamp();
        try
        {
            int status = await SendAsync(request()).WithTimeout(LongestPatience);
            log.Note(kind, $"{status}", TimeProvider.System.GetElapsedTime(began), isFair(status));
        }
        catch (HttpRequestException)
        {
            log.Note(kind, "no answer", took: null, expected: false);
        }
        catch (TaskTimeoutException)
        {
            log.Note(kind, "no answer in time", took: null, expected: false);
        }
    }

    private async Future<int> SendAsync(HttpRequestMessage request)
    {
        CancellationToken ended = ManagedTask.CurrentToken;
        using (request)
        {
            using HttpResponseMessage response = await http.SendAsync(request, ended);
            return (int)response.StatusCode;
        }
    }

    // Wine is dear: few ask for it, but it sells out all the same.
    private OrderRequest AnyOrder() => new(name, Articles[_random.Next(100) < 3 ? 3 : _random.Next(3)], _random.Next(1, 5));

    private static HttpRequestMessage PostOrder(OrderRequest order) =>
        new(HttpMethod.Post, "/orders") { Content = JsonContent.Create(order) };

    private static HttpRequestMessage PostJson(string text) =>
        new(HttpMethod.Post, "/orders") { Content = new StringContent(text, Encoding.UTF8, "application/json") };

    private static HttpRequestMessage PostHugeOrder()
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/orders")
        {
            Version = HttpVersion.Version11,
            Content = new ByteArrayContent(HugeBody.Bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        request.Headers.ExpectContinue = true; // asks first, so that the refusal can be read before megabytes are on the way
        return request;
    }

    /// <summary>Ten megabytes of nothing, made when the first visitor wants them.</summary>
    private static class HugeBody
    {
        internal static readonly byte[] Bytes = Encoding.ASCII.GetBytes(new string(' ', 10 * 1024 * 1024));
    }
}
