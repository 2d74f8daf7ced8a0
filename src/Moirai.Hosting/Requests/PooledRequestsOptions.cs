using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Lifecycle;
using Moirai.Hosting.Pools;

namespace Moirai.Hosting
{
    /// <summary>How requests run in pools. Read from <c>Moirai:Requests</c>, then given to the code that configures it; checked when the host starts.</summary>
    public sealed class PooledRequestsOptions
    {
        /// <summary>The pool of requests whose endpoint names none. Null, the default: those run as without Moirai.</summary>
        public string? Pool { get; set; }

        /// <summary>How long a request may wait for its slot before it is refused with 503. Not negative; zero refuses at once; 1 second by default.</summary>
        public TimeSpan AdmissionTimeout { get; set; } = TimeSpan.FromSeconds(1);

        /// <summary>What a refused client is told to wait (<c>Retry-After</c>, in whole seconds, rounded up). More than zero; 1 second by default.</summary>
        public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

        /// <summary>Whether a host that stops keeps its server open until the pooled requests inside have ended, or the time for that is over. Whoever comes meanwhile is told 503 and <see cref="RetryAfter"/> instead of finding the port closed, and endpoints outside pools
        /// (health, the page, what the requests inside call) go on being served. False, the default: the server closes its door when the stop begins, and lets those inside end behind it.</summary>
        public bool ServeWhileDraining { get; set; }

        /// <summary>Whether a client that hangs up cancels its request's task. Only tests plant the fault.</summary>
        internal bool HeedsHangUps { get; set; } = true;
    }
}

namespace Moirai.Hosting.Requests
{
    internal sealed class PooledRequestsOptionsSetup(IServiceProvider services) : IConfigureOptions<PooledRequestsOptions>
    {
        public void Configure(PooledRequestsOptions options) =>
            services.GetService<IConfiguration>()?.GetSection(ConfigurationKeys.Requests).Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true);
    }

    internal sealed class PooledRequestsOptionsCheck(IServiceProvider services) : IValidateOptions<PooledRequestsOptions>
    {
        public ValidateOptionsResult Validate(string? name, PooledRequestsOptions options)
        {
            var found = new ValidateOptionsResultBuilder();
            MoiraiOptionsCheck.NotNegative(found, options.AdmissionTimeout, "Requests:AdmissionTimeout");
            MoiraiOptionsCheck.Positive(found, options.RetryAfter, "Requests:RetryAfter");
            if (options.Pool is { } pool && PoolNames.Missing(services, pool) is { } complaint)
            {
                found.AddError($"Moirai:Requests:Pool is '{pool}', {complaint}");
            }

            return found.Build();
        }
    }

    /// <summary>Which pools there are.</summary>
    internal static class PoolNames
    {
        /// <summary>What is wrong with the name of a pool; null when there is such a pool.</summary>
        internal static string? Missing(IServiceProvider services, string name)
        {
            string[] known = [.. services.GetServices<PoolRegistration>().Select(static pool => pool.Name)];
            return known.Contains(name)
                ? null
                : $"and there is no such pool ({(known.Length == 0 ? "there is none at all" : $"there are: {string.Join(", ", known)}")}). Correct the name, or add the pool: services.AddMoirai().AddTaskPool(\"{name}\", …).";
        }
    }
}
