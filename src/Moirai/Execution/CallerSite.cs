using System.Globalization;

namespace Moirai.Execution;

/// <summary>A place in the source that the compiler wrote down where something was called.</summary>
internal static class CallerSite
{
    /// <summary>In words, as <c>file:line</c>; null when no place was written down.</summary>
    internal static string? Of(string file, int line) => file.Length == 0
        ? null
        : string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(file)}:{line}");
}
