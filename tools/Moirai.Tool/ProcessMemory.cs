using System.Diagnostics;

namespace Moirai.Tool;

/// <summary>What the system says of this process's memory, in kB.</summary>
internal static class ProcessMemory
{
    /// <summary>The most that was ever resident: <c>VmHWM</c> on Linux, the peak working set elsewhere.</summary>
    public static long PeakKb => StatusKb("VmHWM:") ?? Ask(static process => process.PeakWorkingSet64);

    /// <summary>What is resident now: <c>VmRSS</c> on Linux, the working set elsewhere.</summary>
    public static long ResidentKb => StatusKb("VmRSS:") ?? Ask(static process => process.WorkingSet64);

    private static long Ask(Func<Process, long> what)
    {
        using var process = Process.GetCurrentProcess();
        return what(process) / 1024;
    }

    private static long? StatusKb(string field)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        foreach (string line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith(field, StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(field.Length).Trim().TrimEnd("kB").Trim());
            }
        }

        return null;
    }
}
