using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WebService;

/// <summary>What <c>GET /health</c> answers: the status of all, and what each check has to say.</summary>
internal sealed record HealthAnswer(string Status, IReadOnlyDictionary<string, CheckAnswer> Checks)
{
    public static Task WriteAsync(HttpContext context, HealthReport report) => context.Response.WriteAsJsonAsync(
        new HealthAnswer($"{report.Status}", report.Entries.ToDictionary(static entry => entry.Key, static entry => new CheckAnswer($"{entry.Value.Status}", entry.Value.Description))),
        context.RequestAborted);
}

/// <summary>One check.</summary>
internal sealed record CheckAnswer(string Status, string? Story);
