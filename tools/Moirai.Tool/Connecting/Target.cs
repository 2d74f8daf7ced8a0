using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Diagnostics.NETCore.Client;

namespace Moirai.Tool.Connecting;

/// <summary>A process that is to be asked.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">Its name; null when there is no such process.</param>
internal sealed record Target(int Id, string? Name)
{
    /// <summary>The process, for messages.</summary>
    public string Title => Name is null ? $"Process {Id}" : $"Process {Id} ('{Name}')";

    /// <summary>The process of a number, which need not exist.</summary>
    public static Target Of(int id) => new(id, NameOf(id));

    /// <summary>All processes in which .NET is ready to be asked, but this one.</summary>
    public static List<Target> All() =>
    [
        .. PublishedIds().Where(static id => id != Environment.ProcessId).Distinct().Order().Select(Of).Where(static target => target.Name is not null),
    ];

    /// <summary>The one that the user means.</summary>
    /// <param name="id">Its number, if that was said.</param>
    /// <param name="name">Its name, if that was said.</param>
    /// <exception cref="CannotAskException">That is not clear.</exception>
    public static Target Find(int? id, string? name)
    {
        if (id is null == name is null)
        {
            throw new CannotAskException(
                $"Say which process{(id is null ? string.Empty : " in one way")}: --process-id (-p) or --name (-n). 'moirai ps' lists those that use Moirai.") { IsUsage = true };
        }

        if (id is { } number)
        {
            return number > 0 ? Of(number) : throw new CannotAskException($"{number} is no number of a process.") { IsUsage = true };
        }

        List<Target> named = [.. All().Where(target => string.Equals(target.Name, name, StringComparison.OrdinalIgnoreCase))];
        return named.Count switch
        {
            1 => named[0],
            0 => throw new CannotAskException($"There is no .NET process named '{name}'. 'moirai ps --all' lists those that there are."),
            _ => throw new CannotAskException(
                $"{named.Count} processes are named '{name}': {string.Join(", ", named.Select(static target => target.Id))}. Say which with --process-id.") { IsUsage = true },
        };
    }

    /// <exception cref="CannotAskException">There is no such process.</exception>
    public void ThrowIfGone()
    {
        if (NameOf(Id) is null)
        {
            throw new CannotAskException(Name is null ? $"There is no process {Id}." : $"{Title} has ended.");
        }
    }

    /// <summary>Says in the user's words why no session could be opened.</summary>
    public CannotAskException Explain(Exception error) => Explain(error, isThere: NameOf(Id) is not null, owner: OwnerOf(Id), user: OwnerOf(Environment.ProcessId));

    /// <summary>As the other, from what is known.</summary>
    /// <param name="error">What the platform said.</param>
    /// <param name="isThere">Whether the process exists.</param>
    /// <param name="owner">Whose it is; null when that cannot be told.</param>
    /// <param name="user">Who asks.</param>
    public CannotAskException Explain(Exception error, bool isThere, string? owner, string? user)
    {
        bool isForeign = owner is not null && user is not null && owner != user && user != "0";
        return new CannotAskException(
            error switch
            {
                _ when !isThere => $"{Title} has ended.",
                UnauthorizedAccessException or SocketException { SocketErrorCode: SocketError.AccessDenied } => NoPermission(owner),
                _ when isForeign => NoPermission(owner),
                _ when HasNoDoor(error) => $"{Title} is no .NET process, or its diagnostics are off (DOTNET_EnableDiagnostics=0), or it has another TMPDIR than this tool, or it lives in a container of its own.",
                EndOfStreamException => $"{Title} broke the session off. It may be about to end.",
                ServerErrorException => $"{Title} refused the session: {error.Message.TrimEnd('.')}.",
                _ => $"{Title} could not be asked: {error.Message.TrimEnd('.')}.",
            },
            error);
    }

    // The client library looks into the environment of a process for the place of its socket, and threads of the kernel have none.
    private static bool HasNoDoor(Exception error) =>
        error is ServerNotAvailableException || (error is IOException && error.Message.Contains("/environ", StringComparison.Ordinal));

    private string NoPermission(string? owner) =>
        $"{Title} is another user's{(owner is null ? string.Empty : $" (user {owner})")}, and you may not look into it. Run moirai as that user.";

    // Not the client library's list: it looks at every process of the machine, and fails where it finds a thread of the kernel among them.
    private static IEnumerable<int> PublishedIds()
    {
        string prefix = "dotnet-diagnostic-";
        string folder = OperatingSystem.IsWindows() ? @"\\.\pipe\" : Path.GetTempPath();
        foreach (string path in Directory.EnumerateFiles(folder, $"{prefix}*"))
        {
            string name = Path.GetFileName(path);
            if (name.StartsWith(prefix, StringComparison.Ordinal)
                && int.TryParse(name[prefix.Length..].Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            {
                yield return id;
            }
        }
    }

    // The program that it runs, where the process itself is the host 'dotnet'.
    private static string? NameOf(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            string name = process.ProcessName;
            return name is "dotnet" ? ProgramOf(id) ?? name : name;
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? ProgramOf(int id)
    {
        string path = $"/proc/{id}/cmdline";
        try
        {
            string? program = !OperatingSystem.IsLinux() ? null
                : File.ReadAllText(path).Split('\0').Skip(1).FirstOrDefault(static word => word.EndsWith(".dll", StringComparison.OrdinalIgnoreCase));
            return Path.GetFileNameWithoutExtension(program);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The number of the user, where the system tells.
    private static string? OwnerOf(int id)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            string? line = File.ReadLines($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/status").FirstOrDefault(static line => line.StartsWith("Uid:", StringComparison.Ordinal));
            return line?.Split('\t', ' ').Where(static word => word.Length > 0).ElementAtOrDefault(2); // real, effective
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
