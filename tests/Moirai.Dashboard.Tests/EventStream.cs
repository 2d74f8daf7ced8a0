using System.Text.Json;

namespace Moirai.Dashboard.Tests;

/// <summary>One who watches, by server-sent events.</summary>
internal sealed class EventStream : IDisposable
{
    private readonly HttpResponseMessage _answer;
    private readonly StreamReader _reader;

    private EventStream(HttpResponseMessage answer, StreamReader reader) => (_answer, _reader) = (answer, reader);

    internal static async Task<EventStream> OpenAsync(Site site, string query = "")
    {
        HttpResponseMessage answer = await site.GetAsync($"/moirai/events{query}");
        answer.EnsureSuccessStatusCode();
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        return new EventStream(answer, new StreamReader(await answer.Content.ReadAsStreamAsync()));
    }

    /// <summary>The next frame; null when the stream has ended.</summary>
    internal async Task<JsonElement?> NextAsync()
    {
        string kind = "message";
        while (await Eventually.EndsAsync(_reader.ReadLineAsync()) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                kind = line[7..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                kind.ShouldBe("frame");
                return JsonDocument.Parse(line[6..]).RootElement;
            }
        }

        return null;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _answer.Dispose();
    }
}
