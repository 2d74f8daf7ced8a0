namespace WebService.Tests;

/// <summary>Waits for a condition, not for time: asks again as soon as it has the answer. The limit only ends a test that would never end.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(60);

    /// <summary>Asks until the answer is good, and gives it back.</summary>
    public static async Task<T> Get<T>(Func<Task<T>> ask, Func<T, bool> good)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            T answer = await ask();
            if (good(answer))
            {
                return answer;
            }

            (TimeProvider.System.GetElapsedTime(began) < Failsafe).ShouldBeTrue($"the last answer was {answer}");
            await Task.Yield();
        }
    }

    /// <summary>Waits for an end that has to come.</summary>
    public static Task<T> Ends<T>(Task<T> task) => task.WaitAsync(Failsafe, TimeProvider.System);
}
