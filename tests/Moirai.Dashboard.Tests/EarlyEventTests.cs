using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Moirai.Dashboard.Tests;

/// <summary>Issue 7, part 3: what happens before the server listens is on the page too.</summary>
[Trait("Issue", "7")]
public sealed class EarlyEventTests
{
    [Fact]
    public async Task What_goes_wrong_while_services_start_is_remembered()
    {
        await using Site site = await Site.OpenAsync(static app => app.MapMoirai(), static services =>
        {
            services.AddMoirai(static options => options.Name = "host");
            services.AddHostedService<EarlyBird>();
        });

        JsonElement leak = (await site.JsonAsync("/moirai/frame")).GetProperty("leaks").EnumerateArray().ShouldHaveSingleItem();

        leak.GetProperty("taskName").GetString().ShouldBe("early");
    }

    [Fact]
    public async Task A_runtime_that_cannot_be_made_keeps_the_host_from_starting_and_not_the_page_from_being_mapped() =>
        (await Should.ThrowAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => Site.OpenAsync(
            static app => app.MapMoirai(), static services => services.AddMoirai(static options => options.CancelTimeout = TimeSpan.Zero)))).Message.ShouldContain("Moirai:CancelTimeout");

    /// <summary>Loses a task, and finds that, before the server listens.</summary>
    private sealed class EarlyBird(TaskRuntime runtime) : BackgroundService
    {
        public override async Task StartAsync(CancellationToken cancellationToken)
        {
            ManagedTask lost = Lose();
            await Eventually.IsAsync(() => lost.State == TaskState.Blocked, "a task that waits");
            await runtime.FindLeaksAsync(LeakPolicy.Heal);
            await base.StartAsync(cancellationToken);
        }

        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;

        private ManagedTask Lose()
        {
            var nobody = new TaskCompletionSource();
            return runtime.SpawnDetached(_ => nobody.Task, name: "early");
        }
    }
}
