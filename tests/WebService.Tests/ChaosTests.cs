namespace WebService.Tests;

/// <summary>Issue 7, part 5: trouble that is planted is found and named on the page.</summary>
public sealed class ChaosTests
{
    [Fact]
    public async Task The_page_names_the_tasks_of_a_planted_deadlock()
    {
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with { Chaos = true, DrainTimeout = TimeSpan.Zero, CancelTimeout = TimeSpan.FromMilliseconds(1) });
        string frame = await Eventually.Get(
            () => house.Http.GetStringAsync(new Uri("/moirai/frame", UriKind.Relative)),
            static text => text.Contains("\"deadlocks\":[{", StringComparison.Ordinal));
        frame.ShouldContain("ship order");
        frame.ShouldContain("book payment");
    }

    [Fact]
    public async Task The_page_of_a_calm_service_names_none()
    {
        await using TestHouse house = await TestHouse.OpenAsync();
        (await house.Http.GetStringAsync(new Uri("/moirai/frame", UriKind.Relative))).ShouldContain("\"deadlocks\":[],");
        (await house.Http.GetStringAsync(new Uri("/moirai/", UriKind.Relative))).ShouldContain("<title>Moirai</title>");
    }
}
