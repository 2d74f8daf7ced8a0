using System.Text;
using Moirai.Lifecycle;

namespace Moirai.Tests.Lifecycle;

/// <summary>The law of a task's life, and its printing.</summary>
public sealed class LifecycleTableTests
{
    private const string Page = "docs/lifecycle.md";

    public static TheoryData<TaskState, int> AllPairs()
    {
        var pairs = new TheoryData<TaskState, int>();
        foreach (TaskState from in Enum.GetValues<TaskState>())
        {
            foreach (TaskEvent on in Enum.GetValues<TaskEvent>())
            {
                pairs.Add(from, (int)on);
            }
        }

        return pairs;
    }

    [Fact]
    public void C4_the_page_shows_exactly_the_rows_of_the_table()
    {
        string printed = Print();
        string path = Path.Combine(RepositoryRoot(), Page);
        if (Environment.GetEnvironmentVariable("APPROVE_LIFECYCLE") == "1")
        {
            File.WriteAllText(path, printed);
        }

        File.ReadAllText(path).ReplaceLineEndings("\n").ShouldBe(
            printed, $"{Page} is printed from LifecycleTable.Rows. Print it anew with: APPROVE_LIFECYCLE=1 dotnet test --project tests/Moirai.Tests");
    }

    [Theory]
    [MemberData(nameof(AllPairs))]
    public void C4_a_pair_moves_by_its_row_or_throws_and_names_the_pair(TaskState from, int on)
    {
        LifecycleRow[] rows = [.. LifecycleTable.Rows.Where(row => row.From == from && row.On == (TaskEvent)on)];
        if (rows.Length == 1)
        {
            LifecycleTable.Next(from, (TaskEvent)on).ShouldBe(rows[0].To);
            return;
        }

        rows.ShouldBeEmpty("two rows for one pair");
        string message = Should.Throw<InvalidOperationException>(() => LifecycleTable.Next(from, (TaskEvent)on)).Message;
        message.ShouldContain(from.ToString());
        message.ShouldContain(((TaskEvent)on).ToString());
    }

    [Fact]
    public void C4_nothing_leads_out_of_an_end_and_every_state_is_reached() => EndsAreFinal(LifecycleTable.Rows);

    [Fact]
    public void C4_twin_a_row_that_leads_out_of_an_end_or_an_end_that_is_never_reached_is_caught()
    {
        Twin.IsCaught(
            static () => EndsAreFinal([.. LifecycleTable.Rows, new LifecycleRow(TaskState.Canceled, TaskEvent.Wake, TaskState.Ready, "planted")]), "out of an end");
        Twin.IsCaught(static () => EndsAreFinal([.. LifecycleTable.Rows.Where(static row => row.To != TaskState.Failed)]), "never reached"); // the guide's
    }

    [Fact]
    public void C4_an_illegal_move_leaves_the_word_as_it_was()
    {
        var word = default(LifecycleWord);
        Should.Throw<InvalidOperationException>(() => word.Move(TaskEvent.Complete));
        word.State.ShouldBe(TaskState.Created);
        word.Move(TaskEvent.Enqueue);
        word.Move(TaskEvent.Start);
        word.Move(TaskEvent.Complete);
        Should.Throw<InvalidOperationException>(() => word.Move(TaskEvent.Start));
        word.State.ShouldBe(TaskState.Completed);
    }

    [Fact]
    public void C4_one_wait_has_one_winner_and_an_old_ticket_wakes_nothing()
    {
        var word = default(LifecycleWord);
        word.Move(TaskEvent.Enqueue);
        word.Move(TaskEvent.Start);
        int first = word.Park(interruptible: true);
        word.TryWake(first).ShouldBeTrue();
        word.TryWake(first).ShouldBeFalse();
        word.Move(TaskEvent.Start);
        int second = word.Park(interruptible: false);
        second.ShouldNotBe(first);
        word.TryWake(first).ShouldBeFalse();
        word.TryInterrupt().ShouldBeFalse("foreign code is not interrupted");
        word.TryWakeForeign(word.Peek()).ShouldBeTrue();
        word.Starts.ShouldBe(2);
    }

    private static void EndsAreFinal(LifecycleRow[] rows)
    {
        rows.ShouldAllBe(static row => !LifecycleTable.IsEnded(row.From), "a row leads out of an end");
        rows.Select(static row => row.To).Distinct().Order()
            .ShouldBe(Enum.GetValues<TaskState>().Where(static state => state != TaskState.Created), "a state is never reached");
    }

    private static string Print()
    {
        var text = new StringBuilder();
        text.Append("""
            # The life of a task

            Printed from the rows of `src/Moirai/Lifecycle/LifecycleTable.cs` by `LifecycleTableTests`; do not edit. A pair of state and
            event without a row is a bug in the runtime and throws. Every end is final.

            ```mermaid
            stateDiagram-v2
                [*] --> Created

            """.ReplaceLineEndings("\n"));
        foreach (LifecycleRow row in LifecycleTable.Rows)
        {
            text.Append($"    {row.From} --> {row.To} : {row.On}\n");
        }

        foreach (TaskState end in Enum.GetValues<TaskState>().Where(LifecycleTable.IsEnded))
        {
            text.Append($"    {end} --> [*]\n");
        }

        text.Append("```\n\n| in | on | becomes | when |\n|---|---|---|---|\n");
        foreach (LifecycleRow row in LifecycleTable.Rows)
        {
            text.Append($"| {row.From} | {row.On} | {row.To} | {row.Meaning} |\n");
        }

        return text.ToString();
    }

    private static string RepositoryRoot()
    {
        DirectoryInfo? here = new(AppContext.BaseDirectory);
        while (here is not null && !File.Exists(Path.Combine(here.FullName, "Moirai.slnx")))
        {
            here = here.Parent;
        }

        return here?.FullName ?? throw new InvalidOperationException("Moirai.slnx was not found above the tests' own folder.");
    }
}
