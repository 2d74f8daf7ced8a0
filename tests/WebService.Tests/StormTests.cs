using WebService.Orders;
using WebService.Upstreams;

namespace WebService.Tests;

public sealed class StormTests
{
    [Fact]
    public async Task C13_after_a_mixed_storm_every_piece_is_free_or_sold_and_no_task_is_left()
    {
        const int Seed = 20;
        await using TestHouse house = await TestHouse.OpenAsync(TestHouse.Calm with
        {
            MaxOrders = 8,
            AdmissionTimeout = TimeSpan.FromMilliseconds(50),
            PriceTimeout = TimeSpan.FromSeconds(1),
            PaymentTimeout = TimeSpan.FromMilliseconds(100),
            PaymentMood = new UpstreamMood { LatencyMilliseconds = 2, FailureRate = 0.1, StallRate = 0.05 },
            Stock = new Dictionary<string, int> { ["bread"] = 100_000, ["wine"] = 20 },
        });

        await Task.WhenAll(Enumerable.Range(0, 20).Select(number => CustomerAsync(house, new Random(Seed + number))));

        CensusAnswer census = await house.ComesToRest();
        census.Runtime.IsBalanced.ShouldBeTrue();
        census.Pool.Counts.Created.ShouldBe(census.Pool.Counts.Completed + census.Pool.Counts.Failed + census.Pool.Counts.Canceled);
        Audit audit = await house.AuditAsync();
        audit.Consistent.ShouldBeTrue($"{audit}");
        audit.IsAtRest.ShouldBeTrue($"{audit}");
        audit.Articles.Sum(article => article.SoldOrders).ShouldBeGreaterThan(0);
        audit.Articles.ShouldAllBe(article => article.EverReserved == article.Sold + article.GivenBack);
    }

    [Fact]
    public async Task C13_every_audit_in_the_middle_of_a_storm_is_consistent()
    {
        await using TestHouse house = await TestHouse.OpenAsync();
        Task storm = Task.WhenAll(Enumerable.Range(0, 10).Select(number => CustomerAsync(house, new Random(number))));

        do
        {
            (await house.AuditAsync()).Consistent.ShouldBeTrue();
            (await house.CensusAsync()).Runtime.IsBalanced.ShouldBeTrue();
        }
        while (!storm.IsCompleted);

        await storm;
    }

    private static async Task CustomerAsync(TestHouse house, Random random)
    {
        for (int order = 0; order < 20; order++)
        {
            using var hangUp = new CancellationTokenSource();
            if (random.Next(4) == 0)
            {
                hangUp.CancelAfter(TimeSpan.FromMilliseconds(random.Next(1, 20)));
            }

            try
            {
                HttpResponseMessage answer = await house.OrderAsync(random.Next(3) == 0 ? "wine" : "bread", random.Next(1, 4), hangUp.Token);
                ((int)answer.StatusCode).ShouldBeOneOf(200, 409, 502, 503, 504);
            }
            catch (OperationCanceledException) when (hangUp.IsCancellationRequested)
            {
                // Hung up, as meant.
            }
        }
    }
}
