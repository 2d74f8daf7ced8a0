using System.Diagnostics;

namespace Moirai.Tool.Tests;

/// <summary>The command as it is delivered: packed, installed from the package, run.</summary>
[Trait("Issue", "7")]
public sealed class PackTests
{
    [Fact]
    public async Task The_package_installs_a_command_that_answers_to_moirai()
    {
        string folder = Directory.CreateTempSubdirectory("moirai-pack").FullName;
        try
        {
            await DotnetAsync(folder, "pack", Path.Combine(Built.Root, "tools", "Moirai.Tool"), "-c", Built.Configuration, "--no-build", "-o", folder, "--nologo");
            await DotnetAsync(folder, "tool", "install", "Moirai.Tool", "--tool-path", Path.Combine(folder, "bin"), "--source", folder);
            await using Probe orders = await Probe.StartAsync();

            using var command = Process.Start(new ProcessStartInfo(Path.Combine(folder, "bin", "moirai"), ["dump", "-p", orders.Pid]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

            (await Tool.EndAsync(command)).ShouldBeGood().Output.ShouldContain("runtime 'orders'");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task DotnetAsync(string folder, params string[] args)
    {
        using var dotnet = Process.Start(new ProcessStartInfo("dotnet", args) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        ToolEnd end = await Tool.EndAsync(dotnet);
        end.Code.ShouldBe(0, end.Output + end.Errors);
    }
}
