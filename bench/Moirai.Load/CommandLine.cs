using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using Moirai.Load.Benches;
using Moirai.Load.Comparing;
using Moirai.Load.Harness;
using Moirai.Load.Scaling;

namespace Moirai.Load;

/// <summary>What can be asked of the program, and its exit codes: 0 done, 1 a run failed, 2 the question makes no sense.</summary>
internal static class CommandLine
{
    private const int Failed = 1;
    private const int BadUsage = 2;
    private const long MostOperations = 1_000_000_000;
    private const int MostTasks = 100_000_000;
    private const double LongestHold = 3_600;

    private const string Description = """
        Moirai's load bench: each command runs one kind of work and prints one line of JSON.

        Three smaller passes warm the process up; the counted pass follows. A wrong result ends the program with exit code 1.
        """;

    private static readonly string[] Peers = ["moirai", "dotnet"];

    public static async Task<int> RunAsync(string[] args)
    {
        ParseResult parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (ParseError error in parsed.Errors)
            {
                await Console.Error.WriteLineAsync(error.Message);
            }

            await Console.Error.WriteLineAsync($"Known: {string.Join(", ", Catalogue.All.Select(static load => load.Name))}, compare, scale, latency. See --help.");
            return BadUsage;
        }

        return await parsed.InvokeAsync();
    }

    private static RootCommand Root()
    {
        var root = new RootCommand(Description);
        foreach (Workload load in Catalogue.All)
        {
            root.Add(OneLoad(load));
        }

        root.Add(Compare());
        root.Add(Growth());
        root.Add(OpenLoopLatency());
        return root;
    }

    private static Command OneLoad(Workload load)
    {
        string sizes = string.Join("; ", load.Variants.Select(static variant => $"{variant.Name}: {variant.N:N0}"));
        var variant = new Option<string>("--variant") { Description = "Which way.", DefaultValueFactory = _ => load.Variants[0].Name };
        variant.AcceptOnlyFromAmong([.. load.Variants.Select(static variant => variant.Name)]);
        var n = Within(new Option<long?>("--n") { Description = $"How many [default: {sizes}]." }, 1, MostOperations);
        var tasks = Within(new Option<int?>("--tasks") { Description = $"T: {load.TasksAre} [default: {string.Join("; ", load.Variants.Select(static variant => $"{variant.Name}: {variant.Tasks:N0}"))}]." }, 1, MostTasks);
        var peer = new Option<string>("--peer") { Description = "Who does the work: Moirai, or the base library by hand.", DefaultValueFactory = _ => Peers[0] };
        peer.AcceptOnlyFromAmong(Peers);
        var repeat = Within(new Option<int?>("--repeat") { Description = "Counted passes; extra.rss_1, … is the memory resident after each [default: 1]." }, 1, 1_000);
        var hold = Within(new Option<double?>("--hold") { Description = "S: seconds from the start to the end of the sleep [default: 5]." }, 0.001, LongestHold);

        var watched = new Option<string>("--watched") { Description = "Who listens meanwhile: nobody, OpenTelemetry's SDK to all metrics, or also to every span; the runtime's own search for leaks, or its alarms.", DefaultValueFactory = _ => nameof(Watcher.Nobody) };
        watched.AcceptOnlyFromAmong(Enum.GetNames<Watcher>());

        var command = new Command(load.Name, load.Work) { variant, n, peer, repeat, watched };
        if (load.TasksAre is not null)
        {
            command.Add(tasks);
        }

        if (load.Holds)
        {
            command.Add(hold);
        }

        LoadArgs ArgsOf(ParseResult result) => Sized(
            load,
            result.GetValue(peer) == Peers[1] ? Peer.Dotnet : Peer.Moirai,
            result.GetValue(variant)!,
            result.GetValue(n),
            load.TasksAre is null ? null : result.GetValue(tasks),
            load.Holds ? result.GetValue(hold) : null);

        command.SetAction((result, _) => RunAsync(load, ArgsOf(result), result.GetValue(repeat) ?? 1, Enum.Parse<Watcher>(result.GetValue(watched)!)));
        return command;
    }

    private static Command Compare()
    {
        var rounds = Within(new Option<int?>("--rounds") { Description = "How often each runs; medians are shown [default: 3]." }, 1, 1_000);
        var only = new Option<string>("--only") { Description = "Only the work whose name and variant contain this, as in \"million-pool\" or \"yield many\"." };
        var n = Within(new Option<long?>("--n") { Description = "How many, instead of each work's own default." }, 1, MostOperations);
        var command = new Command("compare", "Moirai beside hand-written .NET: every work in turn, each run in a process of its own; medians and ratios.") { rounds, only, n };
        only.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } text && !Comparison.Cases(text).Any())
            {
                result.AddError($"No work is called like '{text}'.");
            }
        });
        command.SetAction((result, ct) => Comparison.RunAsync(result.GetValue(rounds) ?? 3, result.GetValue(only), result.GetValue(n), ct));
        return command;
    }

    private static Command Growth()
    {
        var most = Within(new Option<long?>("--most") { Description = "The largest number of tasks [default: 10000000]." }, 1_000, 100_000_000);
        var rounds = Within(new Option<int?>("--rounds") { Description = "How often each point is measured; the median counts [default: 1]." }, 1, 100);
        var plot = new Option<string>("--plot") { Description = "The file for the plot, an SVG image." };
        var command = new Command("scale", "What a task costs, from 1,000 tasks to 10 million, by Moirai and by hand; a table, and a plot.") { most, rounds, plot };
        plot.Validators.Add(static result =>
        {
            // Before the hours that the works take, not after.
            if (result.GetValueOrDefault<string>() is { } file && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(file))))
            {
                result.AddError($"There is no folder for the plot '{file}'.");
            }
        });
        command.SetAction((result, ct) => Scale.RunAsync(result.GetValue(most) ?? 10_000_000, result.GetValue(rounds) ?? 1, result.GetValue(plot), ct));
        return command;
    }

    private static Command OpenLoopLatency()
    {
        var seconds = Within(new Option<double?>("--seconds") { Description = "How long requests come, for each row [default: 10]." }, 0.01, LongestHold);
        var own = new Option<bool>("--own-capacity") { Description = "Each peer at shares of its own capacity, and not both at shares of the smaller one." };
        var command = new Command("latency", "How long tasks wait for their start and for their turn at 50, 80 and 95 % of capacity, beside Task.Run; requests come in an open loop.") { seconds, own };
        command.SetAction((result, _) => Latency.RunAsync(result.GetValue(seconds) ?? 10, result.GetValue(own)));
        return command;
    }

    private static LoadArgs Sized(Workload load, Peer peer, string variantName, long? n, int? tasks, double? hold)
    {
        Variant variant = load.Variants.First(variant => variant.Name == variantName);
        return new LoadArgs(peer, variant, n ?? variant.N, tasks ?? variant.Tasks, TimeSpan.FromSeconds(hold ?? 5));
    }

    private static Option<T?> Within<T>(Option<T?> option, T least, T most)
        where T : struct, INumber<T>
    {
        option.CustomParser = result =>
        {
            string text = result.Tokens[^1].Value;
            if (T.TryParse(text, CultureInfo.InvariantCulture, out T value) && value >= least && value <= most)
            {
                return value;
            }

            result.AddError($"{option.Name} is a number from {least} to {most}, not '{text}'.");
            return null;
        };
        return option;
    }

    private static async Task<int> RunAsync(Workload load, LoadArgs args, int repeat, Watcher watched)
    {
        if (load.Objection(args) is { } objection)
        {
            await Console.Error.WriteLineAsync(objection);
            return BadUsage;
        }

        try
        {
            using var watch = Watch.Begin(watched);
            Report report = await Runner.RunAsync(load, args, repeat, watched);
            await Console.Out.WriteLineAsync(report.ToJson());
            return 0;
        }
        catch (Exception error)
        {
            await Console.Error.WriteLineAsync($"{load.Name}: {(error is LoadFailedException ? error.Message : error)}");
            return Failed;
        }
    }
}
