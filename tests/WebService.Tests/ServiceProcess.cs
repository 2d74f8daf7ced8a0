using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.RegularExpressions;
using WebService.Orders;

namespace WebService.Tests;

/// <summary>The real program in a process of its own.</summary>
internal sealed partial class ServiceProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private HttpClient? _http;

    public ServiceProcess(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(typeof(OrderService).Assembly.Location);
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.Start().ShouldBeTrue();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>A client of it, once it has said where it listens.</summary>
    public async Task<HttpClient> ConnectAsync()
    {
        _http ??= new HttpClient { BaseAddress = await Eventually.Ends(_address.Task), Timeout = Timeout.InfiniteTimeSpan };
        return _http;
    }

    public int Id => _process.Id;

    public Task<HttpResponseMessage> OrderAsync(string article) => _http!.PostAsJsonAsync("/orders", new OrderRequest("Clotho", article, 1));

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Asks it to stop, as an orchestrator does.</summary>
    public async Task TerminateAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Its exit code, once it has ended and all that it printed has arrived.</summary>
    public async Task<int> ExitAsync()
    {
        await Eventually.Ends(WaitAsync());
        return _process.ExitCode;

        async Task<bool> WaitAsync()
        {
            await _process.WaitForExitAsync();
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _http?.Dispose();
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (Listening().Match(line) is { Success: true } match)
        {
            _address.TrySetResult(new Uri(match.Groups[1].Value));
        }
    }

    [GeneratedRegex(@"listens on (http://\S+/)")]
    private static partial Regex Listening();
}
