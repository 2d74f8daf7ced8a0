namespace Moirai.Dashboard.Tests;

/// <summary>Waits for a condition, not for time. The limit only ends a test that would never end.</summary>
internal static class Eventually
{
    private static readonly TimeSpan s_failsafe = TimeSpan.FromSeconds(60);

    internal static async Task IsAsync(Func<bool> condition, string what)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            (TimeProvider.System.GetElapsedTime(began) < s_failsafe).ShouldBeTrue($"it never came: {what}");
            await Task.Yield();
        }
    }

    internal static Task EndsAsync(Task task) => task.WaitAsync(s_failsafe, TimeProvider.System);

    internal static Task<T> EndsAsync<T>(Task<T> task) => task.WaitAsync(s_failsafe, TimeProvider.System);
}
