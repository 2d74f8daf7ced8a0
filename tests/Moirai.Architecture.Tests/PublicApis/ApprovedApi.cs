namespace Moirai.Architecture.Tests.PublicApis;

/// <summary>Compares a listing with the one that was approved.</summary>
internal static class ApprovedApi
{
    public const string HowToApprove = "APPROVE_PUBLIC_API=1 dotnet test --project tests/Moirai.Architecture.Tests";

    /// <summary>Checks one library; writes what it found into <paramref name="outputFolder"/> if it differs.</summary>
    /// <returns>What to mend, or nothing.</returns>
    public static IReadOnlyList<string> Check(string name, string received, string approvedFile, string outputFolder, bool approve)
    {
        var approved = File.Exists(approvedFile) ? File.ReadAllText(approvedFile).ReplaceLineEndings("\n") : "";
        if (received == approved)
        {
            return [];
        }

        if (approve)
        {
            File.WriteAllText(approvedFile, received);
            return [];
        }

        var receivedFile = Path.Combine(outputFolder, $"{name}.PublicApi.received.txt");
        File.WriteAllText(receivedFile, received);
        return
        [
            $"The public API of {name} differs from {Path.GetFileName(approvedFile)}:",
            .. Difference(approved, received),
            $"Received: {receivedFile}",
            $"If this is what you want, approve it: {HowToApprove}",
        ];
    }

    private static IEnumerable<string> Difference(string approved, string received)
    {
        var before = Flatten(approved);
        var after = Flatten(received);
        return
        [
            .. before.Except(after, StringComparer.Ordinal).Select(line => "- " + line),
            .. after.Except(before, StringComparer.Ordinal).Select(line => "+ " + line),
        ];
    }

    /// <summary>Each member with the type it belongs to, so that a line of the difference can be understood alone.</summary>
    private static List<string> Flatten(string listing)
    {
        var flat = new List<string>();
        var head = "";
        foreach (var line in listing.Split('\n').Where(line => line.Length > 0))
        {
            if (line[0] != ' ')
            {
                head = line;
                flat.Add(line);
            }
            else
            {
                flat.Add($"{head} {{ {line.Trim()} }}");
            }
        }

        return flat;
    }
}
