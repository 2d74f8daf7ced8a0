using System.Runtime.CompilerServices;

namespace Moirai.Tests.Leaks;

/// <summary>Row B7, healing: plain code behind the platform's combinators is found and ended too, so that what it holds comes back.</summary>
public sealed class CombinatorHealingTests
{
    private readonly World _world = new();
    private readonly SemaphoreSlim _permits = new(2);

    [Theory]
    [InlineData("plain")]
    [InlineData("results")]
    [InlineData("any")]
    [InlineData("nested")]
    [InlineData("token")]
    [InlineData("continuation")]
    public async Task B7_permits_of_plain_code_behind_a_combinator_come_back(string way)
    {
        ManagedTask task = Lose(way);
        _permits.CurrentCount.ShouldBeLessThan(2);

        LeakReport report = await _world.Runtime.FindLeaksAsync();

        report.Leaks.ShouldHaveSingleItem().Remedy.ShouldBe(LeakRemedy.Resumed);
        await UntilAsync(() => task.IsEnded && _permits.CurrentCount == 2);
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("run", 1)]
    [InlineData("all", 0)]
    public async Task B7_what_Task_Run_and_WhenAll_stand_for_cannot_be_found_and_the_report_says_so(string way, int permits)
    {
        ManagedTask task = Lose(way);
        await UntilAsync(() => _permits.CurrentCount == permits);
        LeakReport report = LeakReportOfNone;
        for (int i = 0; i < 1_000 && report.IsClean; i++)
        {
            report = await _world.Runtime.FindLeaksAsync(); // the thread that has started it may have it on its stack for a moment
        }

        report.Leaks.ShouldHaveSingleItem().Remedy.ShouldBe(LeakRemedy.ResumedPartly);
        report.Leaks[0].ToString().ShouldContain("Task.Run");
        await UntilAsync(() => task.IsEnded);
        task.Exception.ShouldBeOfType<LeakedTaskException>();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task B7_tasks_that_wait_for_one_lost_promise_are_all_resumed()
    {
        ManagedTask[] tasks = LoseTogether();

        LeakReport report = await _world.Runtime.FindLeaksAsync();

        report.Leaks.Count.ShouldBe(tasks.Length);
        report.Leaks.ShouldAllBe(static leak => leak.Remedy == LeakRemedy.Resumed);
        await UntilAsync(() => Array.TrueForAll(tasks, static task => task.IsEnded));
        tasks.ShouldAllBe(static task => task.Exception is LeakedTaskException);
        _world.ShouldBeEmpty();
    }

    private static LeakReport LeakReportOfNone => new("none", [], 0, 0, TimeSpan.Zero);

    // In methods of their own: what is on the test's stack counts as held.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedTask Lose(string way) => _world.Start(async Future (_) => await Made(way, _permits));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedTask[] LoseTogether()
    {
        Task lost = Lost();
        ManagedTask[] tasks = [.. Enumerable.Range(0, 5).Select(_ => _world.Spawn(async Future (_) => await lost))];
        _world.Run();
        return tasks;
    }

    private static Task Made(string way, SemaphoreSlim permits) => way switch
    {
        "plain" => FetchAsync(permits),
        "results" => Task.WhenAll(FetchOneAsync(permits), FetchOneAsync(permits)),
        "all" => Task.WhenAll(FetchAsync(permits), FetchAsync(permits)),
        "any" => Task.WhenAny(FetchAsync(permits), FetchAsync(permits)),
        "nested" => Task.WhenAny(Task.WhenAny(FetchAsync(permits), Lost()), OuterAsync(permits)),
        "token" => FetchAsync(permits).WaitAsync(ManagedTask.CurrentToken),
        "continuation" => FetchAsync(permits).ContinueWith(static _ => { }, TaskScheduler.Default),
        _ => Task.Run(() => FetchAsync(permits)),
    };

    private static async Task OuterAsync(SemaphoreSlim permits) => await FetchAsync(permits).ConfigureAwait(false);

    private static async Task<int> FetchOneAsync(SemaphoreSlim permits)
    {
        await FetchAsync(permits).ConfigureAwait(false);
        return 1;
    }

    private static async Task FetchAsync(SemaphoreSlim permits)
    {
        await permits.WaitAsync().ConfigureAwait(false);
        try
        {
            await Lost().ConfigureAwait(false);
        }
        finally
        {
            permits.Release();
        }
    }

    private static Task Lost() => new TaskCompletionSource().Task;

    private async Task UntilAsync(Func<bool> condition)
    {
        await Eventually.IsAsync(() =>
        {
            _world.Run();
            return condition();
        });
        _world.Run();
    }
}
