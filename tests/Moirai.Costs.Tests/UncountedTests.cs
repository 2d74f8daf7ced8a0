using System.Text.RegularExpressions;

namespace Moirai.Costs;

/// <summary>What the counts do not see: atomic operations and locks beside the seam. None is on the way of each task; another one, wherever, has to be written in here, with why it need not be counted.</summary>
public sealed partial class UncountedTests
{
    private static readonly Dictionary<string, (int Count, string Why)> s_known = new()
    {
        ["Alarms/AlarmBook.cs"] = (1, "an alarm is raised"),
        ["Alarms/Watchdog.cs"] = (8, "the watchdog's own thread, and who sets limits"),
        ["Diagnostics/RuntimeRoster.cs"] = (2, "a runtime begins or ends"),
        ["Execution/CallbackNode.cs"] = (1, "a timer of plain code fires"),
        ["Execution/Cancellation.cs"] = (1, "a cancellation tells tokens"),
        ["Execution/Engine.cs"] = (2, "the default runtime is made, a deadlock is found"),
        ["Execution/Executor.cs"] = (1, "an executor is attached"),
        ["Execution/GivenUpTasks.cs"] = (3, "a task is given up"),
        ["Execution/PassedOn.cs"] = (1, "an exception passes from task to task"),
        ["Execution/Pump.cs"] = (1, "a pump's time is over: fifteen milliseconds"),
        ["Execution/PumpMonitor.cs"] = (3, "pumps are watched"),
        ["Execution/StepContext.cs"] = (1, "a block of ids, once in 32 spawns of a thread"),
        ["Execution/TaskGroup.Cancel.cs"] = (1, "a cancellation tells tokens"),
        ["Execution/ThreadPoolExecutor.cs"] = (3, "a pump is sent for, a spare one goes"),
        ["Execution/TokenDeliveries.cs"] = (3, "a cancellation tells tokens"),
        ["Execution/Unseen.cs"] = (8, "an outcome that nobody looked at"),
        ["Leaks/LeakScan.cs"] = (5, "a search for leaks"),
        ["Leaks/LeakWatch.cs"] = (2, "a search for leaks"),
        ["Results/TimeoutFrame.cs"] = (1, "a timeout under a clock that is not the system's is the earliest"),
        ["Scopes/CleanUp.cs"] = (1, "clean-up of a resource goes to the thread pool"),
        ["Shutdown/LostRuntime.cs"] = (1, "a runtime was lost"),
        ["Sites/PlainWalker.cs"] = (1, "the first snapshot"),
        ["Stories/ForeignNames.cs"] = (3, "names of the platform's types, in stories"),
        ["Sync/ChannelCore.cs"] = (1, "a channel was closed with elements left"),
        ["Sync/LossNotice.cs"] = (1, "an end was lost"),
        ["Sync/LostEnds.cs"] = (1, "an end was lost"),
        ["TaskRuntime.cs"] = (2, "a runtime stops"),
        ["Telemetry/EventSubscribers.cs"] = (2, "somebody begins to listen, or stops"),
        ["Telemetry/MeterReading.cs"] = (1, "instruments are collected"),
        ["Telemetry/MoiraiEventSource.cs"] = (2, "the first runtime, and questions that came before it"),
        ["Telemetry/NameBook.cs"] = (2, "a name is new to the meter"),
        ["Telemetry/RecentEvents.cs"] = (2, "an event is told"),
        ["Telemetry/Vocabulary.cs"] = (1, "a word for the meter"),
    };

    // The seams themselves.
    private static readonly string[] s_seams = ["Ground/IAtomics.cs", "Ground/SystemBed.cs"];

    [Fact]
    public void Every_atomic_operation_and_lock_that_is_not_counted_is_known()
    {
        string core = Path.Combine(CostTests.Root(), "src", "Moirai");
        Dictionary<string, int> found = Directory.EnumerateFiles(core, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Name: Path.GetRelativePath(core, path).Replace('\\', '/'), Count: Uncounted(File.ReadAllText(path))))
            .Where(static file => file.Count > 0 && !s_seams.Contains(file.Name))
            .ToDictionary(static file => file.Name, static file => file.Count);
        found.OrderBy(static file => file.Key, StringComparer.Ordinal).Select(static file => $"{file.Key}: {file.Value}")
            .ShouldBe(s_known.OrderBy(static file => file.Key, StringComparer.Ordinal).Select(static file => $"{file.Key}: {file.Value.Count}"));
    }

    [Theory]
    [InlineData("Interlocked.Increment(ref _count);")]
    [InlineData("lock (_gate)")]
    [InlineData("Monitor.Enter(_gate);")]
    [InlineData("using (_lock.EnterScope())")]
    [InlineData("Thread.MemoryBarrier();")]
    [InlineData("private readonly ConcurrentQueue<int> _all = new();")]
    [InlineData("ThreadPool.UnsafeQueueUserWorkItem(pump, preferLocal: false);")]
    [InlineData("await _turn.WaitAsync(); // private readonly SemaphoreSlim _turn", 0)]
    [InlineData("private readonly SemaphoreSlim _turn = new(1);")]
    [InlineData("// Interlocked.Increment is not needed", 0)]
    [InlineData("Atomics.Add(ref _count, 1);", 0)]
    [InlineData("Interlocked.Read(ref _count);", 0)]
    public void Twin_one_more_is_seen(string planted, int count = 1) => Uncounted(planted).ShouldBe(count);

    private static int Uncounted(string source) => Beside().Count(Comment().Replace(source, string.Empty));

    [GeneratedRegex(@"\bInterlocked\.(?!Read\b)\w+|\block \(|\bMonitor\.\w*Enter|\bEnterScope\b|\bSpinLock\b|\bThread\.MemoryBarrier\b|\bConcurrent(Dictionary|Queue|Bag|Stack)<|\bThreadPool\.\w*Queue\w*|\b(SemaphoreSlim|ManualResetEventSlim|ReaderWriterLockSlim)\b")]
    private static partial Regex Beside();

    [GeneratedRegex(@"//.*")]
    private static partial Regex Comment();
}
