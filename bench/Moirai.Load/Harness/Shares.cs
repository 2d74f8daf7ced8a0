namespace Moirai.Load.Harness;

/// <summary>How N operations are dealt out to T tasks, to the last one.</summary>
internal static class Shares
{
    public static long Of(Pass pass, int task) => (pass.N / pass.Tasks) + (task < pass.N % pass.Tasks ? 1 : 0);
}
