using Moirai.Testing;

namespace Moirai.Hosting.Tests;

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

    /// <summary>Waits for a stop on a virtual clock. A test that has failed may have left what nobody ends: then the clock is turned until the stop gives up.</summary>
    internal static async Task StopsAsync(Task stop, VirtualTimeProvider time)
    {
        try
        {
            await stop.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
        }
        catch (TimeoutException) when (!stop.IsCompleted)
        {
            while (!stop.IsCompleted)
            {
                time.AdvanceToNextTimer();
                await Task.Yield();
            }

            await stop;
        }
    }

    internal static Task EndsAsync(Task task) => task.WaitAsync(s_failsafe, TimeProvider.System);

    internal static Task<T> EndsAsync<T>(Task<T> task) => task.WaitAsync(s_failsafe, TimeProvider.System);
}
