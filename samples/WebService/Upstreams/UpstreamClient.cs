using Moirai;

namespace WebService.Upstreams;

/// <summary>Asks the upstreams over HTTP, each question under a timeout of its own.</summary>
/// <remarks>The time is Moirai's: <c>WithTimeout</c> ends the future, and <see cref="ManagedTask.CurrentToken"/>, read inside it, ends the HTTP call.
/// The same token ends it when the order is canceled. So <see cref="HttpClient.Timeout"/> is switched off.</remarks>
internal sealed class UpstreamClient(ServiceSettings settings) : IDisposable
{
    private readonly HttpClient _http = new() { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Says where the upstreams are: known only once the host has its port.</summary>
    public void ConnectTo(Uri address) => _http.BaseAddress = address;

    /// <summary>The price of one piece.</summary>
    /// <exception cref="UpstreamException">No price, or not in time.</exception>
    public Future<decimal> AskPriceAsync(string article) => InTimeAsync("price", GetPriceAsync(article), settings.PriceTimeout);

    /// <summary>A receipt that promises the customer's money.</summary>
    /// <exception cref="UpstreamException">No promise, or not in time.</exception>
    public Future<string> AuthorizePaymentAsync(string customer) => InTimeAsync("payment", PostPaymentAsync(customer), settings.PaymentTimeout);

    public void Dispose() => _http.Dispose();

    private async Future<decimal> GetPriceAsync(string article)
    {
        CancellationToken ended = ManagedTask.CurrentToken;
        PriceAnswer? answer = await _http.GetFromJsonAsync<PriceAnswer>($"/upstream/price/{Uri.EscapeDataString(article)}", ended);
        return answer?.Price ?? throw new HttpRequestException("it answered without a price");
    }

    private async Future<string> PostPaymentAsync(string customer)
    {
        CancellationToken ended = ManagedTask.CurrentToken;
        using HttpResponseMessage response = await _http.PostAsJsonAsync("/upstream/payment", new PaymentQuestion(customer), ended);
        response.EnsureSuccessStatusCode();
        PaymentAnswer? answer = await response.Content.ReadFromJsonAsync<PaymentAnswer>(ended);
        return answer?.Receipt ?? throw new HttpRequestException("it answered without a receipt");
    }

    // From the words of the transport to the words of the service.
    private static async Future<T> InTimeAsync<T>(string upstream, Future<T> question, TimeSpan within)
    {
        try
        {
            return await question.WithTimeout(within);
        }
        catch (TaskTimeoutException error)
        {
            throw new UpstreamException($"The {upstream} upstream did not answer within {within.TotalMilliseconds:0} ms.", error, isTimeout: true);
        }
        catch (HttpRequestException error)
        {
            throw new UpstreamException($"The {upstream} upstream failed: {(error.StatusCode is { } status ? $"it answered {(int)status}" : error.Message)}.", error, isTimeout: false);
        }
    }
}

/// <summary>An upstream did not do its part.</summary>
internal sealed class UpstreamException(string message, Exception inner, bool isTimeout) : Exception(message, inner)
{
    /// <summary>Whether it was too slow, rather than wrong.</summary>
    public bool IsTimeout { get; } = isTimeout;
}
