using System.Text.RegularExpressions;
using Moirai.Tool;

namespace WebService.Tests;

/// <summary>What the README tells a newcomer to type is understood.</summary>
[Trait("Issue", "7")]
public sealed partial class ReadmeTests
{
    private static readonly string s_readme = File.ReadAllText(Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../README.md")));

    [Fact]
    public void Each_command_for_the_sample_is_understood()
    {
        string[][] commands = Commands("samples/WebService");

        commands.Length.ShouldBeGreaterThanOrEqualTo(2);
        commands.ShouldAllBe(static arguments => CommandLine.Read(arguments).Plan != null);
        commands.ShouldContain(static arguments => arguments.Contains("--chaos"));
    }

    [Fact]
    public async Task Each_command_for_the_tool_is_understood()
    {
        string[][] commands = Commands("tools/Moirai.Tool");

        commands.Length.ShouldBeGreaterThanOrEqualTo(2);
        foreach (string[] arguments in commands)
        {
            using var output = new StringWriter();
            using var errors = new StringWriter();
            int code = await Moirai.Tool.CommandLine.RunAsync([.. arguments, "--help"], new Terminal { Out = output, Error = errors });
            code.ShouldBe(0, errors.ToString());
        }
    }

    [Fact]
    public void It_shows_the_pictures_that_the_tests_take()
    {
        s_readme.ShouldContain("(docs/images/chaos-page.png)");
        s_readme.ShouldContain("(docs/images/chaos-top.png)");
    }

    // What stands behind a comment sign is for people.
    private static string[][] Commands(string project) =>
    [
        .. Run().Matches(s_readme).Where(match => match.Groups[1].Value == project)
            .Select(static match => match.Groups[2].Value.Split('#')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)),
    ];

    [GeneratedRegex(@"^    dotnet run -c Release --project (\S+) --(.*)$", RegexOptions.Multiline)]
    private static partial Regex Run();
}
