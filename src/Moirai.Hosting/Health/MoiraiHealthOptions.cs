using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Lifecycle;

namespace Moirai.Hosting
{
    /// <summary>When the health checks of Moirai speak up. Read from <c>Moirai:Health</c>, then given to the code that configures it; checked when the host starts.</summary>
    public sealed class MoiraiHealthOptions
    {
        /// <summary>How long what has happened counts: a leak, a starved thread pool. More than zero; 10 minutes by default.</summary>
        public TimeSpan RememberFor { get; set; } = TimeSpan.FromMinutes(10);

        /// <summary>A pool that is full, with tasks waiting, counts as stuck when none was admitted for so long. More than zero; 30 seconds by default.</summary>
        public TimeSpan StuckAfter { get; set; } = TimeSpan.FromSeconds(30);

        /// <summary>The thread pool counts as starved when it takes longer than this to begin a piece of work. More than zero; 2 seconds by default.</summary>
        public TimeSpan StarvedAfter { get; set; } = TimeSpan.FromSeconds(2);
    }
}

namespace Moirai.Hosting.Health
{
    internal sealed class MoiraiHealthOptionsSetup(IServiceProvider services) : IConfigureOptions<MoiraiHealthOptions>
    {
        public void Configure(MoiraiHealthOptions options) =>
            services.GetService<IConfiguration>()?.GetSection(ConfigurationKeys.Health).Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true);
    }

    internal sealed class MoiraiHealthOptionsCheck : IValidateOptions<MoiraiHealthOptions>
    {
        public ValidateOptionsResult Validate(string? name, MoiraiHealthOptions options)
        {
            var found = new ValidateOptionsResultBuilder();
            MoiraiOptionsCheck.Positive(found, options.RememberFor, "Health:RememberFor");
            MoiraiOptionsCheck.Positive(found, options.StuckAfter, "Health:StuckAfter");
            MoiraiOptionsCheck.Positive(found, options.StarvedAfter, "Health:StarvedAfter");
            return found.Build();
        }
    }
}
