using System.Text.Json;

namespace Moirai.Tests.Telemetry;

/// <summary>The larger answers of a process to tools outside.</summary>
[Trait("Issue", "7")]
public sealed class AnswerTests
{
    [Fact]
    public async Task A_snapshot_of_the_runtime_that_is_named_comes_whole_however_long()
    {
        await using var runtime = new TaskRuntime(new() { Name = "a; long=answer" });
        using var asker = new Asker();
        var gate = new TaskCompletionSource();
        for (int i = 0; i < 1000; i++)
        {
            _ = runtime.SpawnDetached(async _ => await gate.Task, "waits");
        }

        Asker.Question question = asker.Ask(("ask", "snapshot"), ("runtime", Uri.EscapeDataString(runtime.Name)), ("tasks", "1000"));
        RuntimeSnapshot snapshot = Only(question.Next());

        question.Parts.ShouldBeGreaterThan(1);
        snapshot.Runtime.ShouldBe("a; long=answer");
        snapshot.Tasks.Count.ShouldBe(1000);
        gate.SetResult();
    }

    [Fact]
    public void A_runtime_that_nobody_knows_is_refused_with_those_that_are_known()
    {
        using var asker = new Asker();

        asker.Ask(("ask", "snapshot"), ("runtime", "nobody")).Next().ShouldStartWith("refused: No runtime named 'nobody'");
    }

    [Fact]
    public void Who_asks_by_a_later_protocol_is_told_which_one_is_spoken()
    {
        using var asker = new Asker();

        asker.Ask(("ask", "ps"), ("protocol", "99")).Next().ShouldContain($"speaks protocol {TaskRuntime.InquiryProtocol}, and was asked by protocol 99");
    }

    [Fact]
    public async Task Top_tells_only_those_that_waited_longest_and_were_busiest_and_counts_the_others()
    {
        await using var runtime = new TaskRuntime(new() { Name = "top of many" });
        using var asker = new Asker();
        var gate = new TaskCompletionSource();
        for (int i = 0; i < 100; i++)
        {
            _ = runtime.SpawnDetached(async _ => await gate.Task, i % 2 == 0 ? "even" : "odd");
        }

        while (runtime.TakeSnapshot(new() { MaxTasks = 0 }).States.Blocked < 100)
        {
            await Task.Yield();
        }

        RuntimeSnapshot all = Only(asker.Ask(("ask", "top"), ("runtime", "top%20of%20many"), ("tasks", "3")).Next());
        RuntimeSnapshot odd = Only(asker.Ask(("ask", "top"), ("runtime", "top%20of%20many"), ("tasks", "3"), ("filter", "ODD")).Next());

        all.States.Live.ShouldBe(100);
        all.Tasks.Count.ShouldBeInRange(3, 6);
        odd.States.Live.ShouldBe(100);
        odd.Tasks.ShouldAllBe(static task => task.Name == "odd");
        gate.SetResult();
    }

    [Fact]
    public async Task Leaks_are_looked_for_only_where_commands_are_allowed()
    {
        await using var closed = new TaskRuntime(new() { Name = "allows nothing" });
        await using var open = new TaskRuntime(new() { Name = "allows commands", AllowCommands = true });
        using var asker = new Asker();

        asker.Ask(("ask", "leaks"), ("runtime", "allows%20nothing")).Next().ShouldStartWith("refused: Runtime 'allows nothing' allows no commands");
        JsonElement report = JsonElement.Parse(asker.Ask(("ask", "leaks"), ("runtime", "allows%20commands")).Next()).GetProperty("runtimes")[0];

        report.GetProperty("name").GetString().ShouldBe("allows commands");
        report.GetProperty("leaked").GetInt32().ShouldBe(0);
    }

    [Fact]
    public async Task Alarms_are_told_with_whether_anybody_looks()
    {
        await using var blind = new TaskRuntime(new() { Name = "has no alarms" });
        await using var seeing = new TaskRuntime(new() { Name = "has alarms", Alarms = new AlarmLimits() });
        using var asker = new Asker();

        JsonElement[] runtimes = [.. JsonElement.Parse(asker.Ask(("ask", "alarms")).Next()).GetProperty("runtimes").EnumerateArray()];

        runtimes.Single(static one => one.GetProperty("name").GetString() == "has no alarms").GetProperty("watched").GetBoolean().ShouldBeFalse();
        runtimes.Single(static one => one.GetProperty("name").GetString() == "has alarms").GetProperty("watched").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public void A_question_that_is_given_up_for_another_is_not_answered_any_more()
    {
        using var asker = new Asker();
        Asker.Question first = asker.Ask(("ask", "ps"), ("every", "50"));
        first.Next();

        Asker.Question second = asker.Ask(("ask", "alarms"), ("every", "50"), ("instead", $"{first.Request}"));
        second.Next();
        int before = first.Waiting;
        second.Next();
        second.Next();

        first.Waiting.ShouldBe(before);
    }

    private static RuntimeSnapshot Only(string answer) =>
        RuntimeSnapshot.FromJson(JsonElement.Parse(answer).GetProperty("runtimes")[0].GetProperty("snapshot").GetRawText());
}
