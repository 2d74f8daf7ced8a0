using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using WebService.Upstreams;

namespace WebService;

/// <summary>What the program was asked to do.</summary>
/// <param name="Settings">How the service is run.</param>
/// <param name="Visitors">How many visitors come; 0 to serve until a signal.</param>
/// <param name="Duration">For how long they come.</param>
/// <param name="Drive">Given to the second process: the service that it visits.</param>
internal sealed record Plan(ServiceSettings Settings, int Visitors, TimeSpan Duration, Uri? Drive);

/// <summary>The options of the command line. What is wrong is said, and the exit code is 2.</summary>
internal static class CommandLine
{
    private const int BadArguments = 2;

    private static readonly Option<int> Port = Number("--port", 5080, 0, 65535, "The loopback port; 0 takes a free one.");
    private static readonly Option<int> Visitors = Number("--visitors", 0, 1, 10_000, "Lets that many visitors loose from a second process, then ends with a summary.");
    private static readonly Option<double> Seconds = Number("--seconds", 10.0, 0.1, 86_400, "How long the visitors stay.");
    private static readonly Option<int> MaxOrders = Number("--max-orders", 128, 1, 1_000_000, "How many orders may be in work at once.");
    private static readonly Option<int> Admission = Number("--admission-ms", 250, 0, 600_000, "How long an order waits for its turn before it is answered 503.");
    private static readonly Option<int> PriceTimeout = Number("--price-timeout-ms", 500, 1, 600_000, "How long the price upstream may take.");
    private static readonly Option<int> PaymentTimeout = Number("--payment-timeout-ms", 1000, 1, 600_000, "How long the payment upstream may take.");
    private static readonly Option<int> PriceLatency = Number("--price-ms", 5, 0, 60_000, "How long the simulated price upstream takes.");
    private static readonly Option<int> PaymentLatency = Number("--payment-ms", 20, 0, 60_000, "How long the simulated payment upstream takes.");
    private static readonly Option<double> FailureRate = Number("--failure-rate", 0.0, 0, 1, "The share of payments that fail (0.01 with --visitors).");
    private static readonly Option<double> StallRate = Number("--stall-rate", 0.0, 0, 1, "The share of payments that are never answered (0.002 with --visitors).");
    private static readonly Option<double> Drain = Number("--drain-seconds", 5.0, 0, 86_400, "How long orders may end by themselves when the service stops.");
    private static readonly Option<bool> Chaos = new("--chaos") { Description = "Plants a deadlock, a leak, a blocked worker and a starved pool, one after the other, to be seen at /moirai, at /health and in 'moirai top'." };
    private static readonly Option<double> ChaosSeconds = Number("--chaos-seconds", 10.0, 0.5, 3_600, "The rest after each trouble that is planted; the trouble lasts half as long, or as long.");
    private static readonly Option<double> AuditSeconds = Number("--audit-seconds", 5.0, 0.1, 86_400, "How often the auditor compares the shelves with the orders.");
    private static readonly Option<Uri?> Drive = new("--drive")
    {
        Hidden = true,
        CustomParser = static result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out Uri? service))
            {
                return service;
            }

            result.AddError("--drive is the address of a service.");
            return null;
        },
    };

    /// <summary>Reads the arguments.</summary>
    /// <returns>The plan; or null with an exit code, after help or complaints were printed.</returns>
    public static (Plan? Plan, int ExitCode) Read(string[] args)
    {
        var root = new RootCommand("An order service built on Moirai: serves until Ctrl-C, or visits itself and tells how that went.");
        foreach (Option option in (Option[])[Port, Visitors, Seconds, MaxOrders, Admission, PriceTimeout, PaymentTimeout, PriceLatency, PaymentLatency, FailureRate, StallRate, Drain, AuditSeconds, Chaos, ChaosSeconds, Drive])
        {
            root.Options.Add(option);
        }

        Plan? plan = null;
        root.SetAction(parsed => plan = PlanOf(parsed));
        ParseResult result = root.Parse(args);
        if (result.Errors.Count > 0)
        {
            foreach (ParseError error in result.Errors)
            {
                Console.Error.WriteLine(error.Message);
            }

            Console.Error.WriteLine("Try --help.");
            return (null, BadArguments);
        }

        int exitCode = result.Invoke();
        return (plan, exitCode);
    }

    private static Plan PlanOf(ParseResult parsed)
    {
        int visitors = parsed.GetValue(Visitors);
        bool trouble = visitors > 0; // visitors are to meet a world that is not perfect
        var settings = new ServiceSettings
        {
            Port = parsed.GetValue(Port),
            MaxOrders = parsed.GetValue(MaxOrders),
            AdmissionTimeout = TimeSpan.FromMilliseconds(parsed.GetValue(Admission)),
            PriceTimeout = TimeSpan.FromMilliseconds(parsed.GetValue(PriceTimeout)),
            PaymentTimeout = TimeSpan.FromMilliseconds(parsed.GetValue(PaymentTimeout)),
            AuditEvery = TimeSpan.FromSeconds(parsed.GetValue(AuditSeconds)),
            Chaos = parsed.GetValue(Chaos),
            ChaosPace = TimeSpan.FromSeconds(parsed.GetValue(ChaosSeconds)),
            DrainTimeout = TimeSpan.FromSeconds(parsed.GetValue(Drain)),
            PriceMood = new UpstreamMood { LatencyMilliseconds = parsed.GetValue(PriceLatency) },
            PaymentMood = new UpstreamMood
            {
                LatencyMilliseconds = parsed.GetValue(PaymentLatency),
                FailureRate = ValueOr(parsed, FailureRate, trouble ? 0.01 : 0),
                StallRate = ValueOr(parsed, StallRate, trouble ? 0.002 : 0),
            },
        };
        return new Plan(settings, visitors, TimeSpan.FromSeconds(parsed.GetValue(Seconds)), parsed.GetValue(Drive));
    }

    private static double ValueOr(ParseResult parsed, Option<double> option, double otherwise) =>
        parsed.GetResult(option) is { Implicit: false } ? parsed.GetValue(option) : otherwise;

    private static Option<T> Number<T>(string name, T byDefault, T least, T most, string description)
        where T : struct, INumber<T>
    {
        return new Option<T>(name)
        {
            Description = description,
            DefaultValueFactory = _ => byDefault,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (T.TryParse(text, CultureInfo.InvariantCulture, out T value) && value >= least && value <= most)
                {
                    return value;
                }

                result.AddError($"{name} is a number between {least} and {most}, not '{text}'.");
                return byDefault;
            },
        };
    }
}
