using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>The proof of leaks, on the corpus: no false alarm and no miss, and what is healed is gone.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class LeakProofTests
{
    public static TheoryData<LeakProgram> Programs => [.. LeakCorpus.All];

    [Theory]
    [MemberData(nameof(Programs), DisableDiscoveryEnumeration = true)]
    public async Task Leak_TheVerdictIsExact(LeakProgram program)
    {
        World world = Unwatched();
        object? kept = SetUp(program, world);

        LeakReport told = await world.Runtime.FindLeaksAsync(LeakPolicy.Report);

        told.Leaks.Select(static leak => leak.Name).Order().ShouldBe(program.Leaked.Order(), told.ToString());
        world.Census.IsBalanced.ShouldBeTrue();

        // To tell has changed nothing: the same again.
        LeakReport again = await world.Runtime.FindLeaksAsync(LeakPolicy.Report);
        again.Leaks.Select(static leak => leak.Id).ShouldBe(told.Leaks.Select(static leak => leak.Id));
        GC.KeepAlive(kept);
        (kept as LeakCorpus.Holder)?.Dispose();
    }

    [Theory]
    [MemberData(nameof(Programs), DisableDiscoveryEnumeration = true)]
    public async Task Leak_HealingEndsTheLeakedAndNobodyElse(LeakProgram program)
    {
        World world = Unwatched();
        object? kept = SetUp(program, world);
        long live = world.Census.Live;

        List<ManagedTask> tasks = world.Runtime.Engine.Root.CollectTasks();
        LeakReport healed = await world.Runtime.FindLeaksAsync();
        foreach (ManagedTask task in tasks.Where(task => healed.Leaks.Any(leak => leak.Id == task.Id)))
        {
            world.RunUntil(task); // what foreign code resumes may come by way of the thread pool
        }

        tasks.Clear();

        healed.Leaks.Select(static leak => leak.Name).Order().ShouldBe(program.Leaked.Order(), healed.ToString());
        healed.Leaks.ShouldAllBe(static leak => leak.Remedy == LeakRemedy.Resumed || leak.Remedy == LeakRemedy.ResumedPartly || leak.Remedy == LeakRemedy.Awaits);
        (await world.Runtime.FindLeaksAsync()).IsClean.ShouldBeTrue("one healing is enough");
        world.Census.IsBalanced.ShouldBeTrue();
        if (program.Leaked.Length == 0)
        {
            world.Census.Live.ShouldBe(live);
        }
        else if (program.Leaked.Length == live)
        {
            world.Census.IsEmpty.ShouldBeTrue(world.Census.ToString());
        }

        GC.KeepAlive(kept);
        (kept as LeakCorpus.Holder)?.Dispose();
    }

    /// <summary>As often as <c>MOIRAI_CORPUS_RUNS</c> says, one after the other in one process.</summary>
    [Fact]
    public async Task Leak_TheCorpusIsExactRunAfterRun()
    {
        int runs = int.TryParse(Environment.GetEnvironmentVariable("MOIRAI_CORPUS_RUNS"), out int asked) ? asked : 1;
        for (int run = 1; run <= runs; run++)
        {
            foreach (LeakProgram program in LeakCorpus.All)
            {
                try
                {
                    await Leak_TheVerdictIsExact(program);
                    await Leak_HealingEndsTheLeakedAndNobodyElse(program);
                }
                catch (Exception error)
                {
                    throw new InvalidOperationException($"Run {run} of {runs}, '{program.Name}': {error.Message}", error);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static object? SetUp(LeakProgram program, World world)
    {
        object? kept = program.Run(world);
        world.Run();
        return kept;
    }

    // Some of the programs are rings, which would be broken when they close.
    private static World Unwatched() => new(static options => options.Deadlocks = DeadlockPolicy.Off);
}
