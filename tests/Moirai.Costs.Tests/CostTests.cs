using System.Globalization;
using System.Text.RegularExpressions;
using Moirai.Costs.Counting;
using Moirai.Ground;

// One at a time: what a process shares, such as the labels of spawn sites, would be taken from each other, and made anew while somebody counts bytes.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Moirai.Costs;

/// <summary>What the operations of the hot path cost, exactly, in bytes, gates and atomic operations: no clock is asked. Issue 6, "Besides" 5.</summary>
/// <remarks>A figure that grows is a regression, and one that shrinks is written in here, so that it stays. The counts are those of one thread on a <see cref="LocalExecutor"/>, or where it says so of a pump's thread.</remarks>
public sealed partial class CostTests
{
    private const int Task = 80;
    private const int Frame = 80 + 16; // the smallest state machine: its state, and its builder
    private const int Token = 48;
    private const int MostLooks = 20;
    private const int PageOfSeats = 56 + 24 + (64 * 8);

    private static readonly Action s_nothing = static () => { };
    private static object? s_kept;
    private static int s_word;
    private static SpinGate s_gate;

    // A frame serves sixteen calls.
    private const int FramesOfSixtyFour = 4 * Frame;

    // What each operation costs, and what comes once in 64 of them: a page of the register, a task that gives way, frames.
    private static readonly Dictionary<string, (Tally Each, Tally InSixtyFour)> s_costs = new()
    {
        // Gates: enter the group, push, pop, end; and two for the spawner that yields. Atomics: the account of the page.
        ["spawn to end"] = (new(Task, 6, 1, 0, 0), new(PageOfSeats + FramesOfSixtyFour, 1, 0, 0, 0)),
        ["spawn with a handle, and join"] = (new(Task + 8, 7, 3, 0, 0), new(PageOfSeats + FramesOfSixtyFour + (4 * 8), 1, 0, 0, 0)),
        ["spawn of a delegate that takes a token"] = (new(Task + Token, 6, 1, 0, 0), new(PageOfSeats + FramesOfSixtyFour, 1, 0, 0, 0)),
        ["spawn into a pool"] = (new(Task + Frame, 8, 1, 0, 0), new(PageOfSeats, 1, 0, 0, 0)),
        ["call of a future"] = (default, new(FramesOfSixtyFour, 0, 0, 0, 0)),
        ["await of an ended task"] = (default, new(0, 3, 2, 0, 0)),
        ["yield"] = (new(0, 2, 0, 0, 0), default),
        ["delay"] = (new(0, 6, 7, 0, 2), default),
        ["timeout that is not reached"] = (new(304, 6, 0, 0, 0), default),
        ["lock and unlock"] = (new(0, 0, 2, 0, 0), new(0, 2, 1, 0, 0)),
        ["lock and unlock, contended"] = (new(0, 7, 6, 0, 0), default),
        ["permit and back"] = (new(0, 2, 0, 0, 0), new(0, 2, 2, 0, 0)),
        ["permit and back, contended"] = (new(0, 8, 2, 0, 0), default),
        ["scope, empty"] = (new(920, 9, 0, 0, 0), new(FramesOfSixtyFour, 0, 0, 0, 0)),
        ["scope with one child"] = (new(1_112, 20, 3, 1, 0), new(2 * FramesOfSixtyFour, 0, 0, 0, 0)),
        ["send and receive"] = (new(0, 2, 0, 0, 0), new(0, 6, 4, 0, 0)),
        ["send and receive, each waits"] = (new(0, 7, 2, 0, 0), default),
        ["atomic waker, the same again"] = (default, default),
        ["atomic waker, taken"] = (new(0, 0, 2, 0, 0), default),
        ["spawn into an open scope"] = (new(Task, 6, 1, 0, 0), new(PageOfSeats + FramesOfSixtyFour, 1, 0, 0, 0)),
        ["wake by a waker"] = (new(0, 4, 5, 0, 2), default),
        ["wake by a notification"] = (new(0, 7, 3, 0, 2), default),
        ["await of a foreign task"] = (new(0, 4, 3, 0, 2), default),
        ["timeout around a foreign task, not reached"] = (new(128, 6, 3, 0, 2), default),
        ["one-shot, sent and received"] = (new(176, 2, 0, 0, 0), new(0, 3, 2, 0, 0)),
        ["one-shot, answered by a task in time"] = (new(352, 12, 3, 0, 0), new(1008, 1, 0, 0, 0)),
        ["collect of one result"] = (new(1_336, 22, 4, 0, 0), new(480, 0, 0, 0, 0)),
        ["spawn to end, on the thread pool"] = (new(Task, 6, 1, 0, 0), new(PageOfSeats + FramesOfSixtyFour, 1, 0, 0, 0)),
        ["yield, on the thread pool"] = (new(0, 2, 0, 0, 0), default),
        ["cancel of a waiting task"] = (new(400, 15, 5, 1, 4), new(PageOfSeats, 1, 0, 0, 0)),
    };

    public static TheoryData<string> Names => [.. Works.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_hot_path_costs_what_it_is_known_to_cost(string work) => CostOf(work, s_nothing).ShouldBe(Expected(work), work);

    [Theory]
    [MemberData(nameof(Names))]
    public void Twin_one_more_object_is_caught(string work) => IsCaught(work, static () => s_kept = new object());

    [Theory]
    [MemberData(nameof(Names))]
    public void Twin_one_more_atomic_operation_is_caught(string work) => IsCaught(work, static () => Atomics.Add(ref s_word, 1));

    [Theory]
    [MemberData(nameof(Names))]
    public void Twin_one_more_gate_is_caught(string work) => IsCaught(work, static () =>
    {
        s_gate.Enter();
        s_gate.Exit();
    });

    [Fact]
    public void Every_work_has_its_cost() => s_costs.Keys.ShouldBe(Works.All.Keys, ignoreOrder: true);

    [Fact]
    public void The_page_of_costs_says_what_is_asserted()
    {
        string[] page = File.ReadAllLines(Path.Combine(Root(), "docs", "performance.md"));
        s_costs.Keys.Select(Row).Where(row => !Array.Exists(page, line => line.StartsWith(row, StringComparison.Ordinal))).ShouldBeEmpty("rows that docs/performance.md does not have so");
    }

    [Fact]
    public void A_byte_is_compared_and_exchanged_by_gates_alone()
    {
        string[] others =
        [
            .. from path in Directory.EnumerateFiles(Path.Combine(Root(), "src", "Moirai"), "*.cs", SearchOption.AllDirectories)
               where Path.GetFileName(path) is not ("SpinGate.cs" or "IAtomics.cs") && BytesExchanged().IsMatch(File.ReadAllText(path))
               select path,
        ];
        others.ShouldBeEmpty("they would be counted as gates");
    }

    private static void IsCaught(string work, Action plant) =>
        Should.Throw<ShouldAssertException>(() => CostOf(work, plant).ShouldBe(Expected(work), work));

    // On the thread pool a pump may go on on another thread, and others may help: then it is looked again. A cost that has grown is there at each look.
    private static Tally CostOf(string work, Action plant)
    {
        for (int looks = 1; ; looks++)
        {
            var meter = new Meter(plant);
            Works.All[work](new CostWorld(), meter);
            if (!work.EndsWith(Works.OnPool, StringComparison.Ordinal) || looks == MostLooks || (!meter.IsTorn && meter.Cost == Expected(work)))
            {
                return meter.Cost;
            }
        }
    }

    private static Tally Expected(string work)
    {
        (Tally each, Tally inSixtyFour) = s_costs[work];
        return (each * Meter.Times) + (inSixtyFour * (Meter.Times / 64));
    }

    private static string Row(string work)
    {
        (Tally each, Tally inSixtyFour) = s_costs[work];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {work} | {each.Bytes:N0} | {each.Gates} | {each.Atomics} | {each.Fences + each.Monitors} | {(inSixtyFour == default ? "" : $"{inSixtyFour.Bytes:N0} B, {inSixtyFour.Gates}, {inSixtyFour.Atomics}")} |");
    }

    internal static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Moirai.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("The tests do not run inside the repository.");
    }

    [GeneratedRegex(@"Atomics\.CompareExchange\([^;]*\(byte\)")]
    private static partial Regex BytesExchanged();
}
