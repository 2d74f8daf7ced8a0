using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Lifecycle;

namespace Moirai.Hosting
{
    /// <summary>A pool of the host. Read from <c>Moirai:Pools:{name}</c>, then given to the code that configures it; checked when the host starts.</summary>
    public sealed class TaskPoolOptions
    {
        /// <summary>How many tasks may live in it at once; at least 1. There is no default: only you know what the pool protects.</summary>
        public int MaxTasks { get; set; }
    }
}

namespace Moirai.Hosting.Pools
{
    /// <summary>That a pool was added to the services.</summary>
    internal sealed record PoolRegistration(string Name);

    internal sealed class TaskPoolOptionsSetup(IServiceProvider services) : IConfigureNamedOptions<TaskPoolOptions>
    {
        public void Configure(string? name, TaskPoolOptions options) =>
            services.GetService<IConfiguration>()?.GetSection($"{ConfigurationKeys.Pools}:{name}").Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true);

        public void Configure(TaskPoolOptions options) => Configure(Options.DefaultName, options);
    }

    internal sealed class TaskPoolOptionsCheck : IValidateOptions<TaskPoolOptions>
    {
        public ValidateOptionsResult Validate(string? name, TaskPoolOptions options) => options.MaxTasks >= 1
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(
                $"{ConfigurationKeys.Pools}:{name}:MaxTasks is {options.MaxTasks}, and a pool needs at least one slot. Say how many tasks of '{name}' may live at once, there or in AddTaskPool(\"{name}\", pool => pool.MaxTasks = …).");
    }
}
