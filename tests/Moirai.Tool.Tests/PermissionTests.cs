using System.Diagnostics;
using System.Runtime.Versioning;

namespace Moirai.Tool.Tests;

/// <summary>Processes of somebody else, really tried: where the tests run as the administrator, by another user; else by taking one's own right to connect away.</summary>
[Trait("Issue", "7")]
[SupportedOSPlatform("linux")]
public sealed class PermissionTests
{
    private const string Nobody = "65534";

    [Theory]
    [InlineData("dump")]
    [InlineData("top")]
    [InlineData("tree")]
    [InlineData("leaks")]
    [InlineData("watch")]
    public async Task A_process_of_another_user_is_not_looked_into_and_it_is_said_why(string command)
    {
        await using Probe orders = await Probe.StartObedientAsync("leak 1");

        ToolEnd end = await AsAnotherAsync(orders, command, "-p", orders.Pid);

        end.ShouldComplain(1, $"Process {orders.Id}", "you may not look into it", "Run moirai as that user.");
    }

    [Fact]
    public async Task Ps_of_another_user_does_not_list_it_and_says_why_where_all_are_asked_for()
    {
        await using Probe orders = await Probe.StartAsync();

        (await AsAnotherAsync(orders, "ps")).ShouldBeGood().Output.ShouldNotContain($"{orders.Pid} ");
        (await AsAnotherAsync(orders, "ps", "--all")).Output.ReplaceLineEndings(" ").ShouldContain("you may not look into it");
    }

    [Fact]
    public async Task Twin_the_same_user_may()
    {
        await using Probe orders = await Probe.StartAsync();

        (await Tool.RunProgramAsync("dump", "-p", orders.Pid)).ShouldBeGood();
    }

    private static async Task<ToolEnd> AsAnotherAsync(Probe probe, params string[] args)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            string socket = Directory.GetFiles(Path.GetTempPath(), $"dotnet-diagnostic-{probe.Pid}-*-socket").ShouldHaveSingleItem();
            File.SetUnixFileMode(socket, UnixFileMode.None);
            return await Tool.RunProgramAsync(args);
        }

        var start = new ProcessStartInfo("setpriv", ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", "dotnet", Built.Path("Moirai.Tool"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        using Process tool = Process.Start(start)!;
        return await Tool.EndAsync(tool);
    }
}
