using System.Text.Json;
using Moirai.Tool;

namespace WebService.Tests;

/// <summary>The real program with <c>--chaos</c>, at a quick pace, once for all tests that look at it: each finds all troubles, however long it runs already.</summary>
public sealed class ChaosHouse : IAsyncLifetime
{
    // Upstreams that take their time, so that orders are seen at work and the machine is left alone; and no timeouts, which would be one trouble more.
    private readonly ServiceProcess _process = new(
        "--port", "0", "--chaos", "--chaos-seconds", Picture.IsForDocuments ? "6" : "1.5", "--price-ms", "300", "--payment-ms", "700", "--price-timeout-ms", "600000", "--payment-timeout-ms", "600000", "--max-orders", "12");

    private readonly CancellationTokenSource _closed = new();
    private Task _customers = Task.CompletedTask;

    internal HttpClient Http { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Http = await _process.ConnectAsync();

        // Somebody orders something meanwhile, so that there is more to see than trouble.
        _customers = Task.WhenAll(Enumerable.Range(0, 9).Select(number => CustomerAsync(number % 3 == 0 ? "apple" : "bread")));
        await FrameAsync(static frame => Names(frame, "deadlocks", "ship order") && Names(frame, "leaks", "orphan") && Names(frame, "events", "blocked worker") && Names(frame, "events", "one at a time"));
    }

    /// <summary>Waits for a frame of the page: they come when they come.</summary>
    internal async Task FrameAsync(Func<JsonElement, bool> good)
    {
        using var reader = new StreamReader(await Http.GetStreamAsync(new Uri("/moirai/events", UriKind.Relative)));
        bool isGood = false;
        while (!isGood)
        {
            string line = (await Eventually.Ends(reader.ReadLineAsync())).ShouldNotBeNull("the stream has ended");
            isGood = line.StartsWith("data: ", StringComparison.Ordinal) && good(JsonElement.Parse(line[6..]));
        }
    }

    /// <summary>Runs the command on the process.</summary>
    internal async Task<string> RunToolAsync((int Width, int Height)? screen, string command, params string[] options)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2), TimeProvider.System);
        bool isScreen = screen is not null;
        var terminal = new Terminal { Out = output, Error = errors, IsScreen = isScreen, HasAnsi = isScreen, HasColors = isScreen, Size = () => screen ?? default };
        (await Moirai.Tool.CommandLine.RunAsync([command, "-p", $"{_process.Id}", .. options], terminal, limit.Token)).ShouldBe(0, errors.ToString());
        return output.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        await _customers;
        await _process.TerminateAsync();
        int code = await _process.ExitAsync();
        await _process.DisposeAsync();
        _closed.Dispose();
        code.ShouldBe(0, $"whatever was planted, nothing is left behind\n{_process.Output}");
    }

    private static bool Names(JsonElement frame, string list, string name) => frame.GetProperty(list).GetRawText().Contains(name, StringComparison.Ordinal);

    private async Task CustomerAsync(string article)
    {
        while (!_closed.IsCancellationRequested)
        {
            using HttpResponseMessage answer = await _process.OrderAsync(article);
        }
    }
}
