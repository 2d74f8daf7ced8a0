using System.Text.Json;
using Moirai.Telemetry;

namespace Moirai.Tests.Telemetry;

/// <summary>Questions from outside: what is answered, by whom, and for how long.</summary>
[Trait("Issue", "7")]
public sealed class InquiryTests
{
    [Fact]
    public async Task A_process_says_which_runtimes_it_has()
    {
        await using var runtime = new TaskRuntime(new() { Name = "asked for by name" });
        using var asker = new Asker();

        var answer = JsonSerializer.Deserialize<JsonElement>(asker.Ask(("ask", "ps")).Next());

        answer.GetProperty("protocol").GetInt32().ShouldBe(TaskRuntime.InquiryProtocol);
        answer.GetProperty("process").GetInt32().ShouldBe(Environment.ProcessId);
        answer.GetProperty("runtimes").EnumerateArray().Select(static one => one.GetProperty("name").GetString()).ShouldContain("asked for by name");
    }

    [Fact]
    public async Task A_runtime_that_was_stopped_is_not_among_them()
    {
        await using (new TaskRuntime(new() { Name = "stopped before the question" }))
        {
        }

        using var asker = new Asker();

        asker.Ask(("ask", "ps")).Next().ShouldNotContain("stopped before the question");
    }

    [Fact]
    public void A_question_that_nobody_knows_is_refused_with_what_is_known()
    {
        using var asker = new Asker();

        string answer = asker.Ask(("ask", "meaning")).Next();

        answer.ShouldStartWith("refused: ");
        answer.ShouldContain("'meaning'");
        answer.ShouldContain("It knows: ps");
    }

    [Fact]
    public void A_question_that_is_asked_again_and_again_is_answered_again_and_again_until_nobody_listens()
    {
        var asker = new Asker();
        Asker.Question question = asker.Ask(("ask", "ps"), ("every", "50"));

        for (int i = 0; i < 3; i++)
        {
            question.Next().ShouldStartWith("{");
        }

        asker.Dispose();
    }

    [Fact]
    public void A_session_that_brings_the_same_question_again_is_not_answered_twice()
    {
        using var asker = new Asker();
        Asker.Question question = asker.Ask(("ask", "ps"));
        question.Next();

        asker.Session(question, ("ask", "ps"));
        asker.Ask(("ask", "ps")).Next(); // asked later, answered: the first has been looked at

        question.Waiting.ShouldBe(0);
    }

    [Fact]
    public void After_an_answer_beats_follow_that_carry_it_to_its_reader()
    {
        using var asker = new Asker();
        asker.Ask(("ask", "ps")).Next();

        asker.AwaitBeat();
        asker.AwaitBeat();
    }

    [Theory]
    [InlineData(null, "1", false)]
    [InlineData("", "1", false)]
    [InlineData("ps", null, false)]
    [InlineData("ps", "seventeen", false)]
    [InlineData("ps", "17", true)]
    public void What_is_no_question_is_left_alone(string? ask, string? request, bool isQuestion)
    {
        var arguments = new Dictionary<string, string?>();
        if (ask is not null)
        {
            arguments["ask"] = ask;
        }

        if (request is not null)
        {
            arguments["request"] = request;
        }

        (Inquiry.Read(arguments) is not null).ShouldBe(isQuestion);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-5", 0)]
    [InlineData("1", Inquiry.ShortestPause)]
    [InlineData("100", 100)]
    [InlineData("99999999999", Inquiry.LongestPause)]
    [InlineData("often", 0)]
    public void Nobody_is_answered_more_often_than_is_good_for_the_process(string every, int expected) =>
        Inquiry.Read(new Dictionary<string, string?> { ["ask"] = "ps", ["request"] = "1", ["every"] = every })!.Every.ShouldBe(expected);
}
