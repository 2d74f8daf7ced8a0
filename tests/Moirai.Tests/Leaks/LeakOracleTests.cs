using System.Globalization;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Moirai.Tests.Leaks;

/// <summary>Programs made by chance, of tasks that wait for all kinds of things and keep all kinds of things, are judged by the search and by an oracle that works out who can reach whom. Both have to say the same.</summary>
/// <remarks>As many as <c>MOIRAI_ORACLE_RUNS</c> says, from the seed <c>MOIRAI_ORACLE_SEED</c> on. A failure names the seed and writes the program down.</remarks>
[Collection(nameof(MeasuresMemory))]
public sealed class LeakOracleTests
{
    private const int Things = 12;
    private const int Waits = 14;

    private enum Wait
    {
        Promise,
        PlainPromise,
        AnyOfTwo,
        AllOfTwo,
        Notify,
        Reader,
        Waker,
        Join,
        JoinAsTask,
        ScopeWithChild,
        Timed,
        Sleep,
        Token,
        Mutex,

        // Drawn as Mutex, by who comes second.
        Lock,
    }

    [Fact]
    public async Task Leak_TheSearchSaysOfProgramsMadeByChanceWhatTheOracleSays()
    {
        int runs = Setting("MOIRAI_ORACLE_RUNS", 40);
        int first = Setting("MOIRAI_ORACLE_SEED", 1);
        int leaks = 0;
        int lives = 0;
        for (int seed = first; seed < first + runs; seed++)
        {
            var program = new Plan(seed);
            World world = new(static options => options.Deadlocks = DeadlockPolicy.Off);
            object kept = Begin(world, program);
            string[] expected = [.. program.Leaked().Order(StringComparer.Ordinal)];
            leaks += expected.Length;
            lives += program.Tasks.Count - expected.Length;

            LeakReport told = await world.Runtime.FindLeaksAsync(LeakPolicy.Report);
            string.Join(", ", told.Leaks.Select(static leak => leak.Name).Order(StringComparer.Ordinal)).ShouldBe(string.Join(", ", expected), $"seed {seed}\n{program}");

            await HealAllAsync(world, program, expected, seed);
            GC.KeepAlive(kept);
        }

        leaks.ShouldBeGreaterThan(runs, "chance has made too few leaks to say anything");
        lives.ShouldBeGreaterThan(runs, "chance has made too few that live to say anything");
    }

    [Fact]
    public async Task Leak_twin_AnOracleThatForgetsWhatIsHeldIsCaught()
    {
        Plan program = new(1);
        for (int seed = 2; program.Leaked().Count == program.WithNothingHeld().Leaked().Count; seed++)
        {
            program = new Plan(seed);
        }

        World world = new(static options => options.Deadlocks = DeadlockPolicy.Off);
        object kept = Begin(world, program);
        LeakReport told = await world.Runtime.FindLeaksAsync(LeakPolicy.Report);
        told.Leaks.Count.ShouldNotBe(program.WithNothingHeld().Leaked().Count);
        GC.KeepAlive(kept);
    }

    // One search may hold some back for the end of others, so they are asked for until nothing is left to be healed. Then all of them have ended, and of the others those only who live for another reason than that somebody can end their wait.
    private static async Task HealAllAsync(World world, Plan program, string[] expected, int seed)
    {
        string[] mayEnd = [.. program.WithNoMarksAndTokens().Leaked()];
        LeakReport healed = await world.Runtime.FindLeaksAsync(); // and later of those whom one that has ended had kept
        for (int i = 0; i < 20 && !healed.IsClean; i++)
        {
            healed.Leaks.Select(static leak => leak.Name).ShouldAllBe(name => expected.Contains(name) || mayEnd.Contains(name), $"seed {seed}\n{program}");
            Eventually.Is(HaveEnded, TimeSpan.FromMilliseconds(200));
            healed = await world.Runtime.FindLeaksAsync();
        }

        healed.IsClean.ShouldBeTrue($"seed {seed}: {healed}\n{program}");
        Eventually.Is(HaveEnded, TimeSpan.FromSeconds(20)).ShouldBeTrue($"seed {seed}: {world.Census}\n{program}");
        program.Tasks.Select(static plan => plan.Name).Except(mayEnd).Except(Living()).ShouldBeEmpty($"seed {seed}\n{program}");
        world.Census.IsBalanced.ShouldBeTrue();

        bool HaveEnded()
        {
            world.Run();
            return !Living().Intersect(expected).Any();
        }

        string[] Living() => [.. world.Runtime.Engine.Root.CollectTasks().Select(static task => task.Name)];
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int set) ? set : otherwise;

    // In a method of its own: what is on the stack counts as held.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static object Begin(World world, Plan program)
    {
        var stage = new Stage(program.Tasks.Count);
        foreach (TaskPlan plan in program.Tasks)
        {
            if (plan.Name.EndsWith("child", StringComparison.Ordinal))
            {
                continue; // its scope spawns it
            }

            ManagedTask task = world.Runtime.SpawnDetached(BodyOf(world, stage, plan), plan.Name);
            stage.Tasks[plan.Index] = task;
            task.IsResident = plan.IsResident;
            if (plan.Token is { } token)
            {
                task.CancelWith(stage.Tokens[token].Token);
            }
        }

        world.Run();
        world.Census.Live.ShouldBe(program.Tasks.Count, $"all of them wait\n{program}");
        List<object> held = [.. program.Held.Select(stage.ThingOf)];
        held.AddRange(stage.Tasks.Where(static task => task is not null)!); // handles are no reason to live
        return held;
    }

    private static async Future BodyOf(World world, Stage stage, TaskPlan plan)
    {
        object[] keeps = [.. plan.Keeps.Select(stage.ThingOf)];
        await Future.Yield(); // until all tasks are there
        Future wait = WaitOf(world, stage, plan);
        stage = null!;
        await wait;
        GC.KeepAlive(keeps);
    }

    private static Future WaitOf(World world, Stage stage, TaskPlan plan) => plan.Wait switch
    {
        Wait.Promise => AwaitAsync(stage.Promises[plan.A].Task),
        Wait.PlainPromise => AwaitAsync(PlainAsync(3, stage.Promises[plan.A].Task)),
        Wait.AnyOfTwo => AwaitAsync(Task.WhenAny(stage.Promises[plan.A].Task, stage.Promises[plan.B].Task)),
        Wait.AllOfTwo => AwaitAsync(Task.WhenAll(stage.Promises[plan.A].Task, stage.Promises[plan.B].Task)),
        Wait.Notify => HearAsync(stage.Notifies[plan.A]),
        Wait.Reader => ReadAsync(stage.Channels[plan.A].Reader),
        Wait.Waker => PollAsync(stage.Wakers[plan.A]),
        Wait.Join => JoinAsync(stage.Tasks[plan.A]!),
        Wait.JoinAsTask => AwaitAsync(stage.Tasks[plan.A]!.AsTask()),
        Wait.ScopeWithChild => ScopeAsync(world, stage.Promises[plan.A].Task, plan.Name + " child"),
        Wait.Timed => AwaitAsync(stage.Promises[plan.A].Task).WithTimeout(TimeSpan.FromHours(1)),
        Wait.Token => AwaitAsync(Platform(stage.Tokens[plan.A].Token)),
        Wait.Mutex => LockForEverAsync(stage.Mutexes[plan.A]),
        Wait.Lock => LockAsync(stage.Mutexes[plan.A]),
        _ => Future.Delay(TimeSpan.FromHours(1)),
    };

    private static async Future AwaitAsync(Task what) => await what;

    private static async Task PlainAsync(int depth, Task what)
    {
        if (depth > 0)
        {
            await PlainAsync(depth - 1, what).ConfigureAwait(false);
        }
        else
        {
            await what.ConfigureAwait(false);
        }
    }

    private static async Future HearAsync(Notify notify) => await notify.WaitAsync();

    private static async Future ReadAsync(ChannelReader<int> reader) => await reader.ReadAsync();

    private static async Future PollAsync(WakerBox box) => await Future.FromPoll(waker =>
    {
        box.Waker.Add(waker);
        return false;
    });

    private static async Future JoinAsync(ManagedTask task) => await task;

    private static async Future ScopeAsync(World world, Task what, string child) =>
        await world.Runtime.RunScopeAsync("scope", async scope => { _ = scope.Spawn(AwaitAsync(what), child); });

    private static async Future LockForEverAsync(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
            await new TaskCompletionSource().Task;
        }
    }

    private static async Future LockAsync(AsyncMutex mutex)
    {
        using (await mutex.LockAsync())
        {
            // Having had it is enough.
        }
    }

#pragma warning disable RS0030 // nobody waits for it to elapse
    private static Task Platform(CancellationToken token) => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
#pragma warning restore RS0030

    private sealed class WakerBox
    {
        public List<Waker> Waker { get; } = [];
    }

    /// <summary>What tasks wait for and keep.</summary>
    private sealed class Stage(int tasks)
    {
        public TaskCompletionSource[] Promises { get; } = [.. Enumerable.Range(0, Things).Select(static _ => new TaskCompletionSource())];

        public Notify[] Notifies { get; } = [.. Enumerable.Range(0, Things).Select(static _ => new Notify())];

        public Channel<int>[] Channels { get; } = [.. Enumerable.Range(0, Things).Select(static _ => Channel.CreateUnbounded<int>())];

        public WakerBox[] Wakers { get; } = [.. Enumerable.Range(0, Things).Select(static _ => new WakerBox())];

        public CancellationTokenSource[] Tokens { get; } = [.. Enumerable.Range(0, Things).Select(static _ => new CancellationTokenSource())];

        public AsyncMutex[] Mutexes { get; } = [.. Enumerable.Range(0, Things).Select(static i => new AsyncMutex($"m{i}"))];

        public ManagedTask?[] Tasks { get; } = new ManagedTask?[tasks];

        public object ThingOf(Thing thing) => thing.Kind switch
        {
            Kind.Promise => Promises[thing.Index],
            Kind.Notify => Notifies[thing.Index],
            Kind.Channel => Channels[thing.Index].Writer,
            Kind.Waker => Wakers[thing.Index],
            Kind.Mutex => Mutexes[thing.Index],
            _ => Tokens[thing.Index],
        };
    }

    private enum Kind
    {
        Promise,
        Notify,
        Channel,
        Waker,
        Token,
        Mutex,
    }

    private readonly record struct Thing(Kind Kind, int Index);

    private sealed record TaskPlan(int Index, string Name, Wait Wait, int A, int B, bool IsResident, int? Token)
    {
        public List<Thing> Keeps { get; } = [];

        /// <summary>Whoever has one of these can wake it.</summary>
        public IEnumerable<Thing> WokenBy => Wait switch
        {
            Wait.Promise or Wait.PlainPromise or Wait.Timed => [new(Kind.Promise, A)],
            Wait.AnyOfTwo or Wait.AllOfTwo => [new(Kind.Promise, A), new(Kind.Promise, B)],
            Wait.Notify => [new(Kind.Notify, A)],
            Wait.Reader => [new(Kind.Channel, A)],
            Wait.Waker => [new(Kind.Waker, A)],
            Wait.Token => [new(Kind.Token, A)],
            Wait.Lock => [new(Kind.Mutex, A)],
            _ => [],
        };

        /// <summary>What it keeps alive as long as it lives itself: what is in its locals, and what it waits for. Who waits for the same lives too.</summary>
        public IEnumerable<Thing> Reaches => Wait switch
        {
            Wait.AllOfTwo => Keeps, // which only counts
            Wait.ScopeWithChild => [.. Keeps, new(Kind.Promise, A)], // which it gave to the child
            Wait.Mutex => [.. Keeps, new(Kind.Mutex, A)],
            _ => [.. Keeps, .. WokenBy],
        };
    }

    /// <summary>A program, and the oracle.</summary>
    private sealed class Plan
    {
        private readonly int _seed;
        private readonly Random _random;

        public Plan(int seed)
        {
            _seed = seed;
#pragma warning disable CA5394 // a program, not a secret
            _random = new Random(seed);
            int count = _random.Next(4, 16);
            int things = _random.Next(2, Things);
            HashSet<int> locked = [];
            for (int i = 0; i < count; i++)
            {
                var wait = (Wait)_random.Next(Waits);
                int a = _random.Next(things);
                if (wait is Wait.Join or Wait.JoinAsTask)
                {
                    a = (i + 1 + _random.Next(count - 1)) % count;
                }

                if (wait == Wait.Mutex && !locked.Add(a))
                {
                    wait = Wait.Lock; // the first has it, and keeps it for ever
                }

                var plan = new TaskPlan(Tasks.Count, $"t{Tasks.Count}", wait, a, _random.Next(things), _random.Next(10) == 0, _random.Next(6) == 0 ? _random.Next(things) : null);
                for (int k = _random.Next(4); k > 0; k--)
                {
                    plan.Keeps.Add(AThing(things));
                }

                Tasks.Add(plan);
            }

            // Those who are joined have to be there under their first numbers.
            foreach (TaskPlan plan in Tasks.ToArray())
            {
                if (plan.Wait == Wait.ScopeWithChild)
                {
                    Tasks.Add(new TaskPlan(Tasks.Count, plan.Name + " child", Wait.Promise, plan.A, 0, IsResident: false, Token: null));
                }
            }

            for (int k = _random.Next(4); k > 0; k--)
            {
                Held.Add(AThing(things));
            }
#pragma warning restore CA5394
        }

        public List<TaskPlan> Tasks { get; private init; } = [];

        public List<Thing> Held { get; private init; } = [];

        /// <summary>The same program, of which nobody keeps anything.</summary>
        public Plan WithNothingHeld() => new(_seed) { Held = [] };

        /// <summary>The same program, of which nobody is marked, can be canceled, or gets a lock that a leaked holder gives back.</summary>
        public Plan WithNoMarksAndTokens() => new(_seed) { Held = Held, Tasks = Tasks.ConvertAll(static plan => plan with { IsResident = false, Token = null, Wait = plan.Wait == Wait.Lock ? Wait.Mutex : plan.Wait }) };

        /// <summary>Who can be reached by nobody who could wake it.</summary>
        public List<string> Leaked()
        {
            HashSet<Thing> reachable = [.. Held];
            HashSet<int> alive = [];
            int before;
            do
            {
                before = alive.Count;
                foreach (TaskPlan plan in Tasks)
                {
                    if (!alive.Contains(plan.Index) && IsAlive(plan, reachable, alive))
                    {
                        alive.Add(plan.Index);
                        reachable.UnionWith(plan.Reaches);
                        if (plan.Token is { } token)
                        {
                            reachable.Add(new Thing(Kind.Token, token)); // a link to a token keeps it
                        }
                    }
                }
            }
            while (alive.Count > before);
            return [.. Tasks.Where(plan => !alive.Contains(plan.Index)).Select(static plan => plan.Name)];
        }

        public override string ToString() => string.Join('\n', Tasks.Select(static plan =>
            $"{plan.Name}: {plan.Wait} {plan.A} {plan.B}{(plan.IsResident ? ", resident" : string.Empty)}{(plan.Token is { } token ? $", tied to token {token}" : string.Empty)}, keeps {string.Join(", ", plan.Keeps)}"))
            + $"\nheld: {string.Join(", ", Held)}";

        private bool IsAlive(TaskPlan plan, HashSet<Thing> reachable, HashSet<int> alive) =>
            plan.IsResident
            || plan.Wait is Wait.Sleep or Wait.Timed
            || (plan.Token is { } token && reachable.Contains(new Thing(Kind.Token, token)))
            || IsCanceledWithItsParent(plan, alive)
            || (plan.Wait switch
            {
                Wait.Join or Wait.JoinAsTask => alive.Contains(plan.A) || SitsBesideOneWhoLives(plan, alive),
                Wait.ScopeWithChild => alive.Contains(Tasks.FindIndex(child => child.Name == plan.Name + " child")),
                _ => plan.WokenBy.Any(reachable.Contains),
            });

        // Those who wait for the end of one task are linked with each other. So one whose frame lives all the same, since it is marked or tied to a token, keeps the others, until that task is healed and all of them go on.
        private bool SitsBesideOneWhoLives(TaskPlan plan, HashSet<int> alive) =>
            Tasks.Exists(other => other.Wait == Wait.Join && other.A == plan.A && alive.Contains(other.Index));

        // A parent that lives and follows a token: whoever cancels that cancels the child.
        private bool IsCanceledWithItsParent(TaskPlan plan, HashSet<int> alive) =>
            Tasks.Find(parent => plan.Name == parent.Name + " child") is { Token: not null } parent && alive.Contains(parent.Index);

#pragma warning disable CA5394 // a program, not a secret
        private Thing AThing(int things) => new((Kind)_random.Next(6), _random.Next(things));
#pragma warning restore CA5394
    }
}
