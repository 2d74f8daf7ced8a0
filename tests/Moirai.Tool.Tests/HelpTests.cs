namespace Moirai.Tool.Tests;

/// <summary>The help calls the command what its user calls it, whatever its file is called.</summary>
[Trait("Issue", "7")]
public sealed class HelpTests
{
    [Fact]
    public async Task The_help_lists_every_command_and_is_headed_by_its_name()
    {
        ToolEnd end = (await Tool.RunProgramAsync("--help")).ShouldBeGood();

        end.Output.ShouldContain("moirai [command]");
        foreach (string command in new[] { "ps", "top", "tree", "dump", "leaks", "watch", "million" })
        {
            end.Lines.ShouldContain(line => line.TrimStart().StartsWith($"{command} ", StringComparison.Ordinal), command);
        }
    }

    [Fact]
    public async Task The_help_of_a_command_is_headed_by_its_name() => (await Tool.RunProgramAsync("top", "--help")).ShouldBeGood().Output.ShouldContain("moirai top [options]");

    [Fact]
    public async Task The_version_is_that_of_the_package() => (await Tool.RunProgramAsync("--version")).ShouldBeGood().Lines.ShouldHaveSingleItem().ShouldStartWith($"{typeof(CommandLine).Assembly.GetName().Version!.ToString(3)}");

    [Fact]
    public async Task Without_a_command_it_is_said_that_one_is_needed()
    {
        ToolEnd end = await Tool.RunProgramAsync();

        end.Code.ShouldBe(2);
        end.Errors.ShouldContain("command");
    }
}
