namespace Moirai.Architecture.Tests;

internal static class Verdict
{
    /// <summary>Fails with one complaint per line, so that the list can be worked through.</summary>
    public static void IsClean(IReadOnlyCollection<string> complaints)
    {
        if (complaints.Count > 0)
        {
            Assert.Fail($"{complaints.Count} to mend:{Environment.NewLine}{string.Join(Environment.NewLine, complaints.Select(line => "  " + line))}");
        }
    }
}
