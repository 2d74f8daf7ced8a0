namespace Moirai.Diagnostics;

internal static class SnapshotText
{
    internal static string Of(RuntimeSnapshot snapshot) => string.Join('\n', snapshot.Groups);
}
