using Moirai;
using WebService.Upstreams;

namespace WebService;

/// <summary>How the service is run. Read once, at the start; the upstreams can be changed later by <c>PUT /upstream/{name}</c>.</summary>
internal sealed record ServiceSettings
{
    /// <summary>The loopback port; 0 takes a free one.</summary>
    public int Port { get; init; } = 5080;

    /// <summary>How many orders may be in work at once.</summary>
    public int MaxOrders { get; init; } = 128;

    /// <summary>How long an order waits for its turn before the customer is told to come back later.</summary>
    public TimeSpan AdmissionTimeout { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>When "later" is, in the answer's <c>Retry-After</c>.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the price upstream may take.</summary>
    public TimeSpan PriceTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the payment upstream may take.</summary>
    public TimeSpan PaymentTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long orders may end by themselves when the service stops.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long canceled orders may take to clean up after that.</summary>
    public TimeSpan CancelTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long leaked orders may take to clean up after that.</summary>
    public TimeSpan AbandonTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often the books are audited; null for never.</summary>
    public TimeSpan? AuditEvery { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What goes on for too long. Planted trouble is over soon, and is to be noticed before.</summary>
    public AlarmLimits Alarms => Chaos
        ? new() { WorkerHeld = ChaosPace / 10, PoolFull = ChaosPace / 4, Every = ChaosPace / 50 }
        : new() { PoolFull = TimeSpan.FromSeconds(5) };

    /// <summary>The largest request body that is read.</summary>
    public long MaxBodyBytes { get; init; } = 16 * 1024;

    /// <summary>How the price upstream behaves at first.</summary>
    public UpstreamMood PriceMood { get; init; } = new() { LatencyMilliseconds = 5 };

    /// <summary>How the payment upstream behaves at first.</summary>
    public UpstreamMood PaymentMood { get; init; } = new() { LatencyMilliseconds = 20 };

    /// <summary>Whether trouble is planted, to be seen on the page.</summary>
    public bool Chaos { get; init; }

    /// <summary>The rest after each trouble; the trouble itself lasts half as long, or as long.</summary>
    public TimeSpan ChaosPace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The articles and how many of each there are. The wine is scarce, so that it sells out.</summary>
    public IReadOnlyDictionary<string, int> Stock { get; init; } = new Dictionary<string, int>
    {
        ["apple"] = 10_000_000,
        ["bread"] = 10_000_000,
        ["cheese"] = 10_000_000,
        ["wine"] = 100,
    };
}
