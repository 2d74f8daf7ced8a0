using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace WebService.Visitors;

/// <summary>Starts this program a second time, as a driver, and takes its summary: visitors share neither threads nor memory with the service.</summary>
internal static class DriverProcess
{
    /// <summary>Runs a driver to its end.</summary>
    /// <param name="service">Where the service listens.</param>
    /// <param name="visitors">How many at a time.</param>
    /// <param name="duration">For how long.</param>
    /// <param name="interrupted">Ends the driver early.</param>
    /// <exception cref="InvalidOperationException">The driver failed.</exception>
    public static async Task<VisitSummary> RunAsync(Uri service, int visitors, TimeSpan duration, CancellationToken interrupted)
    {
        using Process driver = Process.Start(StartOf(
            "--drive", service.ToString(),
            "--visitors", visitors.ToString(CultureInfo.InvariantCulture),
            "--seconds", duration.TotalSeconds.ToString(CultureInfo.InvariantCulture)))!;
        await using CancellationTokenRegistration link = interrupted.Register(driver.StandardInput.Close);

        string output = await driver.StandardOutput.ReadToEndAsync(CancellationToken.None);
        await driver.WaitForExitAsync(CancellationToken.None);
        if (driver.ExitCode != 0 || output.Length == 0)
        {
            throw new InvalidOperationException($"The visitors' process ended with exit code {driver.ExitCode}, and no summary.");
        }

        return JsonSerializer.Deserialize<VisitSummary>(output)!;
    }

    private static ProcessStartInfo StartOf(params string[] arguments)
    {
        string self = Environment.ProcessPath!;
        var start = new ProcessStartInfo(self) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(self) == "dotnet")
        {
            start.ArgumentList.Add(typeof(DriverProcess).Assembly.Location); // started as 'dotnet WebService.dll'
        }

        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }
}
