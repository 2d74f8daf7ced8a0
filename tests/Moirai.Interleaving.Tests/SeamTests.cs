using System.Text.RegularExpressions;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving;

/// <summary>That the models are about the whole of what goes through the seam, and the seam about the whole of what is lock-free.</summary>
public sealed class SeamTests
{
    private static readonly string s_root = FindRoot();

    // What uses the platform's atomics directly, and why that needs no model.
    private static readonly Dictionary<string, string> s_outside = new()
    {
        ["TokenDeliveries.cs"] = "a count of deliveries on their way; whoever takes it to zero tells the stop",
        ["PlainShield.cs"] = "a flag that is set once; who reads it late is under the shield a moment longer, as who asked a moment before",
        ["PlainWalker.cs"] = "a self-test that may run twice, with the same answer",
        ["RosterPage.cs"] = "a look at a seat, by who looks on; what it finds is verified by the task's word",
        ["ManagedTask.Account.cs"] = "a cell takes the place of the label once; who reads the label still has the same",
        ["ManagedTask.Probe.cs"] = "a label with a birth takes the place of the label before the task runs; who reads it still has the same",
        ["NameBook.cs"] = "counts how many names are known; one too many or too few harms nobody",
        ["InquiryDesk.cs"] = "a look for tests at the thread; all else is under the bed",
        ["MoiraiEventSource.cs"] = "the desk is set once, under a lock, under which early questions are kept for it; who reads no desk looks again there",
        ["Watchdog.cs"] = "a flag of a watch that is over, and a subscription that ends once; all else is under the lock",
        ["EventSubscribers.cs"] = "a list that is replaced as a whole, under the lock; who reads it late tells those of a moment ago",
        ["AlarmBook.cs"] = "a counter that gives out numbers, and nothing else",
        ["TaskGroup.cs"] = "a limit for alarms, one word: who reads it late raises an alarm by the old one",
        ["LeakWatch.cs"] = "settings of a background watch, and whether it was stopped: it looks again",
        ["TaskIdentity.cs"] = "emptied once, at the end; who reads it late sees the task that has just ended",
        ["TaskRuntime.cs"] = "the first stop wins; the others wait for its source",
        ["Unseen.cs"] = "counters, and who sends for a thread that tells; what is told is decided by a concurrent dictionary",
        ["IAtomics.cs"] = "the seam itself",
        ["LeakScan.cs"] = "set once by a finalizer; the scan reads it after it has waited for the finalizers",
        ["Engine.cs"] = "a count of rings found; the default engine is made once, under a lock; the flag of a stopped engine is set once and only refuses new work",
        ["LeaseTable.cs"] = "where a lease was asked for, for messages: by who has it; one that is not seen yet is told as not known",
        ["Executor.cs"] = "an executor is attached once; the loser is told",
        ["TaskLabel.cs"] = "a cache of immutable labels: who overwrites another's entry loses nothing",
        ["StepContext.cs"] = "a counter that gives out blocks of ids, and nothing else",
        ["ThreadPoolExecutor.cs"] = "a throttle for spare pumps and a gauge; a spare too many or too few is right all the same",
        ["Pump.cs"] = "gauges: how many steps, and how long they take",
        ["LostEnds.cs"] = "counts ends that finalizers have found lost; a search looks at it after all finalizers have run",
        ["LocalExecutor.cs"] = "a gauge: how many steps",
        ["TaskSlotManager.cs"] = "a gauge: how many slots are in use; it is written under the gate",
        ["TimerQueue.Gauges.cs"] = "gauges: how many have fired, and how late",
        ["TimerWheel.cs"] = "a gauge: how many are linked; it is written under the gate",
        ["TimerDriver.cs"] = "gauges for tests, written under the lock",
        ["EndQueue.cs"] = "refuses a wrong order of calls by one caller; it is written under the gate",
        ["TaskGroup.Cancel.cs"] = "the cause is written once, under the gate",
        ["TaskScope.cs"] = "whether somebody has joined: it decides who is told of failures, not who waits",
    };

    [Fact]
    public void Every_use_of_the_seam_is_met_by_a_model()
    {
        var met = new HashSet<(string File, int Line)>();
        foreach (Type type in Models())
        {
            Exploration exploration = Explorer.Explore(() => (Model)Activator.CreateInstance(type)!, new Bounds(1));
            exploration.Broken.ShouldBeNull(type.Name);
            met.UnionWith(exploration.Sites.Select(static at => (Path.GetFileName(at.File), at.Line)));
        }

        string[] missed =
        [
            .. UsesOf(@"\bAtomics\.(Read|Write|WriteOwn|Exchange|CompareExchange|Add|Fence|SpinOnce)\b")
                .Where(use => !met.Contains((use.File, use.Line)))
                .Select(static use => $"{use.File}:{use.Line}: {use.Text}"),
        ];
        missed.ShouldBeEmpty();
    }

    [Fact]
    public void What_is_lock_free_goes_through_the_seam_or_has_its_reason()
    {
        string[] outside = [.. UsesOf(@"^(?!\s*//).*(\b(Interlocked|Volatile)\.|\bvolatile\b)").Select(static use => use.File).Distinct().Order(StringComparer.Ordinal)];
        outside.ShouldBe(s_outside.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_model_has_its_proof_and_its_mutant()
    {
        string tests = string.Concat(Directory.EnumerateFiles(Path.Combine(s_root, "tests", "Moirai.Interleaving.Tests", "Models"), "*.cs").Select(File.ReadAllText));
        foreach (Type type in Models())
        {
            tests.ShouldContain($"Proof.Holds<{type.Name}>", customMessage: $"{type.Name} is never explored");
            tests.ShouldContain($"Proof.Catches<{type.Name}>", customMessage: $"{type.Name} has no mutant");
        }
    }

    private static List<Type> Models()
    {
        List<Type> models =
        [
            .. typeof(SeamTests).Assembly.GetTypes()
                .Where(static type => type.IsSubclassOf(typeof(Model)) && !type.IsAbstract && type.Namespace == "Moirai.Interleaving.Models"),
        ];
        models.Count.ShouldBeGreaterThan(50);
        return models;
    }

    private static IEnumerable<(string File, int Line, string Text)> UsesOf(string pattern) =>
        from path in Directory.EnumerateFiles(Path.Combine(s_root, "src", "Moirai"), "*.cs", SearchOption.AllDirectories)
        from line in File.ReadAllLines(path).Select(static (text, index) => (text, Number: index + 1))
        where Regex.IsMatch(line.text, pattern)
        select (Path.GetFileName(path), line.Number, line.text.Trim());

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Moirai.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("The tests do not run inside the repository.");
    }
}
