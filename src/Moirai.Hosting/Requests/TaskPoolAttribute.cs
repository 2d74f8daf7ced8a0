namespace Moirai.Hosting;

/// <summary>Says in which pool the requests of an endpoint run. For controllers and actions; endpoints have <c>.WithTaskPool(…)</c>. The innermost one counts.</summary>
/// <param name="pool">The name of the pool.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class TaskPoolAttribute(string? pool) : Attribute
{
    /// <summary>The name of the pool; null runs the requests in none.</summary>
    public string? Pool { get; } = pool;

    /// <summary>How many requests may live at once of the endpoints that this was put on, taken together; those above wait. Zero, the default, for as many as the pool takes.</summary>
    public int MaxRequests { get; init; }
}
