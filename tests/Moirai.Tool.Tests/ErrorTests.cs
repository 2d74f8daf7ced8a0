using System.Net.Sockets;
using Microsoft.Diagnostics.NETCore.Client;
using Moirai.Tool.Connecting;

namespace Moirai.Tool.Tests;

/// <summary>Who cannot be asked, and that the user is told why.</summary>
[Trait("Issue", "7")]
public sealed class ErrorTests
{
    public static TheoryData<string> Commands => ["dump", "top", "tree", "leaks", "watch"];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_process_that_does_not_exist_is_said_not_to(string command) =>
        (await Tool.RunAsync(command, "-p", $"{int.MaxValue}")).ShouldComplain(1, $"There is no process {int.MaxValue}.");

    [Fact]
    public async Task A_process_that_is_not_dotnets_is_said_not_to_be()
    {
        await using Probe cat = Probe.StartForeign();

        (await Tool.RunAsync("dump", "-p", cat.Pid)).ShouldComplain(1, $"Process {cat.Id} ('cat') is no .NET process");
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_dotnet_process_without_Moirai_is_told_from_one_that_is_slow(string command)
    {
        await using Probe plain = await Probe.StartPlainAsync();

        (await Tool.RunAsync(command, "-p", plain.Pid)).ShouldComplain(1, $"Process {plain.Id}", "does not use Moirai");
    }

    // A session that is there before the process has an event source brings its question while that is being made.
    [Fact]
    public async Task A_question_that_comes_before_the_first_runtime_is_answered_when_there_is_one()
    {
        await using Probe unborn = Probe.StartUnborn();
        while (!Target.All().Exists(target => target.Id == unborn.Id))
        {
            await Task.Yield(); // its door is there before its first line
        }

        await using Conversation conversation = await Patience.Of(Conversation.OpenAsync(Target.Of(unborn.Id), new Question("ps"), CancellationToken.None));
        await unborn.ResumeAsync();

        using var limit = new CancellationTokenSource(Patience.Limit, TimeProvider.System);
        Message message;
        do
        {
            message = await conversation.Messages.ReadAsync(limit.Token);
        }
        while (message is Message.Beat or Message.Happened);

        Answer.Read(message.ShouldBeOfType<Message.Answered>().Text).Runtimes.ShouldNotBeNull();
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Who_is_meant_must_be_said_and_in_one_way(string command)
    {
        (await Tool.RunAsync(command)).ShouldComplain(2, "Say which process", "moirai ps");
        (await Tool.RunAsync(command, "-p", "1", "-n", "orders")).ShouldComplain(2, "in one way");
        (await Tool.RunAsync(command, "-p", "-5")).ShouldComplain(2, "-5");
        (await Tool.RunAsync(command, "-p", "five")).ShouldComplain(2, "five");
        (await Tool.RunAsync(command, "--proces", "5")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task An_order_that_there_is_not_is_refused_in_the_users_words()
    {
        ToolEnd end = await Tool.RunAsync("top", "-p", "1", "--sort", "foo");

        end.ShouldComplain(2, "--sort is both, busy, waited or name, not 'foo'.");
        end.Errors.ShouldNotContain("TopOrder");
    }

    [Fact]
    public async Task A_disk_that_is_full_is_told_in_a_sentence()
    {
        await using Probe orders = await Probe.StartAsync();
        using var errors = new StringWriter();
        using var full = new FullDisk();

        int code = await CommandLine.RunAsync(["dump", "-p", orders.Pid], new Terminal { Out = full, Error = errors });

        code.ShouldBe(1);
        errors.ToString().Trim().ShouldBe("The output could not be written: No space left on device.");
    }

    [Fact]
    public async Task Ps_tells_of_a_process_that_says_nothing_since_it_may_be_the_one_that_is_looked_for()
    {
        await using Probe orders = await Probe.StartAsync();
        using (var stop = System.Diagnostics.Process.Start("kill", ["-STOP", orders.Pid]))
        {
            await Patience.Of(stop.WaitForExitAsync());
        }

        ToolEnd end = await Tool.RunAsync("ps");

        end.Code.ShouldBe(0);
        end.Output.ShouldNotContain(orders.Pid);
        end.Errors.ShouldContain($"Process {orders.Pid} ('Moirai.ToolProbe') does not answer within 10 s.");
    }

    [Fact]
    public async Task A_name_that_nobody_has_is_told() =>
        (await Tool.RunAsync("dump", "-n", "no such name")).ShouldComplain(1, "There is no .NET process named 'no such name'", "moirai ps --all");

    [Fact]
    public async Task A_name_that_two_have_is_not_guessed_at()
    {
        await using Probe first = await Probe.StartPlainAsync();
        await using Probe second = await Probe.StartPlainAsync();

        (await Tool.RunAsync("dump", "-n", "Moirai.ToolProbe")).ShouldComplain(2, "processes are named 'Moirai.ToolProbe'", first.Pid, second.Pid, "--process-id");
    }

    [Fact]
    public async Task A_runtime_that_does_not_exist_is_told_with_those_that_do()
    {
        await using Probe orders = await Probe.StartAsync();

        (await Tool.RunAsync("dump", "-p", orders.Pid, "-r", "a; strange=name")).ShouldComplain(1, "No runtime named 'a; strange=name'", "It has: 'orders'");
    }

    [Fact]
    public async Task A_process_that_ends_while_it_is_watched_is_said_to_have_ended()
    {
        Probe orders = await Probe.StartAsync("fill");
        int id = orders.Id;
        using System.Diagnostics.Process watch = Tool.StartProgram("watch", "-p", orders.Pid);
        (await Patience.Of(watch.StandardOutput.ReadLineAsync()))!.ShouldContain("tiny");

        await orders.DisposeAsync();

        ToolEnd end = await Tool.EndAsync(watch);
        end.Code.ShouldBe(1);
        end.Errors.ShouldContain($"Process {id} ('Moirai.ToolProbe') has ended.");
    }

    [Theory]
    [InlineData("1000", "1001", "another user's")]
    [InlineData("0", "1001", "another user's")]
    [InlineData("1000", "1000", "no .NET process")]
    [InlineData("1000", "0", "no .NET process")]
    [InlineData(null, "1000", "no .NET process")]
    public void A_process_of_somebody_else_is_told_from_one_that_is_not_dotnets(string? owner, string user, string saying) =>
        new Target(17, "orders").Explain(new ServerNotAvailableException("no socket"), isThere: true, owner, user).Message.ShouldContain(saying);

    [Fact]
    public void What_the_system_forbids_is_a_matter_of_permission()
    {
        var target = new Target(17, "orders");

        target.Explain(new UnauthorizedAccessException(), isThere: true, "1000", "1000").Message.ShouldContain("you may not look into it");
        target.Explain(new SocketException((int)SocketError.AccessDenied), isThere: true, "1000", "0").Message.ShouldContain("you may not look into it");
        target.Explain(new IOException("No such process : '/proc/17/environ'"), isThere: true, "0", "0").Message.ShouldContain("no .NET process"); // a thread of the kernel
        target.Explain(new ServerNotAvailableException("no socket"), isThere: false, "1000", "1001").Message.ShouldBe("Process 17 ('orders') has ended.");
    }

    [Theory]
    [InlineData(0, "the process is too old for the tool")]
    [InlineData(2, "the tool is too old for the process")]
    public void An_answer_of_another_protocol_is_not_guessed_at(int protocol, string saying) =>
        Should.Throw<CannotAskException>(() => Answer.Read($$"""{"protocol":{{protocol}},"version":"9.8.7","something":"else"}"""))
            .Message.ShouldSatisfyAllConditions(message => message.ShouldContain("Moirai 9.8.7"), message => message.ShouldContain(saying));

    [Theory]
    [InlineData("{}")]
    [InlineData("{")]
    [InlineData("no base64")]
    [InlineData("bm8gZGVmbGF0ZQ==")]
    public void An_answer_that_is_none_is_said_to_be_none(string text) =>
        Should.Throw<CannotAskException>(() => Answer.Read(text)).Message.ShouldContain("does not understand");

    private sealed class FullDisk : StringWriter
    {
        public override void Write(char value) => throw new IOException("No space left on device");

        public override void Write(string? value) => throw new IOException("No space left on device");

        public override void WriteLine(string? value) => throw new IOException("No space left on device");
    }
}
