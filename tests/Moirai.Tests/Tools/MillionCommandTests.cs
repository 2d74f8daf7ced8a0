using System.Text.Json;

namespace Moirai.Tests.Tools;

public sealed class MillionCommandTests
{
    private static readonly BuiltProgram Tool = new("Moirai.Tool");

    [Fact]
    public async Task As_json_it_prints_one_line_with_the_account_and_the_guides_figures()
    {
        JsonElement run = (await Tool.RunAsync("million", "--tasks", "2000", "--limit", "100", "--json")).OnlyLineOfJson();

        run.GetProperty("tasks").GetInt64().ShouldBe(2000);
        run.GetProperty("limit").GetInt64().ShouldBe(100);
        run.GetProperty("created").GetInt64().ShouldBe(2000);
        run.GetProperty("ended").GetInt64().ShouldBe(2000);
        run.GetProperty("completed").GetInt64().ShouldBe(2000);
        run.GetProperty("census_balanced").GetBoolean().ShouldBeTrue();
        run.GetProperty("census_empty").GetBoolean().ShouldBeTrue();
        run.GetProperty("vm_hwm_kb").GetInt64().ShouldBePositive();
        run.GetProperty("create_seconds").GetDouble().ShouldBeLessThanOrEqualTo(run.GetProperty("seconds").GetDouble());
        run.GetProperty("guide").GetProperty("create_seconds").GetDouble().ShouldBe(0.45);
    }

    [Fact]
    public async Task Redirected_it_prints_a_plain_table_beside_the_guides_figures()
    {
        ProgramEnd end = await Tool.RunAsync("million", "--tasks", "500");

        end.Code.ShouldBe(0, end.Errors);
        end.Errors.ShouldBeEmpty();
        end.Output.ShouldNotContain("\u001b");
        foreach (string row in new[] { "created", "ended", "seconds to create", "seconds in all", "peak resident memory", "census:", "0.450 s", "2,300 MB" })
        {
            end.Output.ShouldContain(row);
        }

        end.Output.ShouldContain("The census balances; nothing is left.");
    }

    [Theory]
    [InlineData("million --tasks 0", "--tasks is a whole number from 1 to 1,000,000,000, not '0'")]
    [InlineData("million --tasks -5", "not '-5'")]
    [InlineData("million --tasks 99999999999999999999", "not '99999999999999999999'")]
    [InlineData("million --limit 0", "--limit is a whole number from 1 to 2,147,483,647, not '0'")]
    [InlineData("million --limit many", "not 'many'")]
    [InlineData("billion", "'billion'")]
    public async Task A_question_that_makes_no_sense_is_refused_with_what_would(string args, string saying) =>
        (await Tool.RunAsync(args.Split(' '))).ShouldBeRefused(saying);

    [Fact]
    public async Task Help_tells_what_is_measured_and_what_the_exit_code_means()
    {
        ProgramEnd end = await Tool.RunAsync("million", "--help");

        end.Code.ShouldBe(0, end.Errors);
        end.Output.ShouldContain("--tasks");
        end.Output.ShouldContain("Exit code 1 when the census does not balance");
    }
}
