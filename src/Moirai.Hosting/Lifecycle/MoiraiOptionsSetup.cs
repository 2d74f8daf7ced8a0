using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Pools;
using Moirai.Hosting.Supervision;

namespace Moirai.Hosting.Lifecycle;

/// <summary>Where the settings of a host stand in its configuration.</summary>
internal static class ConfigurationKeys
{
    internal const string Root = "Moirai";
    internal const string Health = Root + ":Health";
    internal const string Requests = Root + ":Requests";
    internal const string Pools = Root + ":Pools";
    internal const string Supervisors = Root + ":Supervisors";

    /// <summary>A name that can stand in a key.</summary>
    /// <exception cref="ArgumentException">It is empty, or would break the key.</exception>
    internal static void ThrowIfBadName(string name, string parameter)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name, parameter);
        if (name.Contains(':', StringComparison.Ordinal) || name.Contains('/', StringComparison.Ordinal))
        {
            throw new ArgumentException($"'{name}' cannot be a name here: it becomes part of configuration keys and task names, which ':' and '/' divide.", parameter);
        }
    }
}

/// <summary>Reads the section <c>Moirai</c>. A host without a configuration has the defaults.</summary>
internal sealed class MoiraiOptionsSetup(IServiceProvider services) : IConfigureOptions<MoiraiOptions>
{
    public void Configure(MoiraiOptions options) => services.GetService<IConfiguration>()?.GetSection(ConfigurationKeys.Root).Bind(options);
}

/// <summary>Checks the section <c>Moirai</c>: the budgets against the host's, and that whatever is configured exists.</summary>
internal sealed class MoiraiOptionsCheck(IServiceProvider services, IOptions<HostOptions> host) : IValidateOptions<MoiraiOptions>
{
    private static readonly string[] s_keys =
    [
        nameof(MoiraiOptions.Name), nameof(MoiraiOptions.CancelTimeout), nameof(MoiraiOptions.AbandonTimeout), nameof(MoiraiOptions.LeaksAtStop), nameof(MoiraiOptions.LeakWatch),
        nameof(MoiraiOptions.LeakWatchPause), nameof(MoiraiOptions.ReportUnseenResults), "Pools", "Supervisors", "Requests", "Health",
    ];

    public ValidateOptionsResult Validate(string? name, MoiraiOptions options)
    {
        var found = new ValidateOptionsResultBuilder();
        Positive(found, options.CancelTimeout, nameof(options.CancelTimeout));
        NotNegative(found, options.AbandonTimeout, nameof(options.AbandonTimeout));
        NotNegative(found, options.LeakWatchPause, nameof(options.LeakWatchPause));
        if (options.Name is { } called && string.IsNullOrWhiteSpace(called))
        {
            found.AddError("Moirai:Name is empty. Give the runtime a name, or remove the key for the name of the application.");
        }

        if (options.LeaksAtStop is { } atStop && !Enum.IsDefined(atStop))
        {
            found.AddError($"Moirai:LeaksAtStop is {atStop}, which is no policy. Take Heal or Report, or null to look for none.");
        }

        if (options.LeakWatch is { } watch && !Enum.IsDefined(watch))
        {
            found.AddError($"Moirai:LeakWatch is {watch}, which is no policy. Take Heal or Report, or remove the key to look for none.");
        }

        TimeSpan shutdown = host.Value.ShutdownTimeout;
        if (shutdown != Timeout.InfiniteTimeSpan && options.CancelTimeout > TimeSpan.Zero && options.AbandonTimeout >= TimeSpan.Zero && options.CancelTimeout + options.AbandonTimeout >= shutdown)
        {
            found.AddError(
                $"Moirai:CancelTimeout ({options.CancelTimeout}) and Moirai:AbandonTimeout ({options.AbandonTimeout}) leave nothing of the host's shutdown timeout ({shutdown}) for tasks to end by themselves. "
                + "Shorten them, or lengthen HostOptions.ShutdownTimeout.");
        }

        UnknownKeys(found, services.GetService<IConfiguration>()?.GetSection(ConfigurationKeys.Root), s_keys);
        Strangers(found, ConfigurationKeys.Pools, "pool", "AddTaskPool", services.GetServices<PoolRegistration>().Select(static pool => pool.Name));
        Strangers(found, ConfigurationKeys.Supervisors, "supervisor", "AddSupervisor", services.GetServices<SupervisorRegistration>().Select(static supervisor => supervisor.Name));
        return found.Build();
    }

    internal static void Positive(ValidateOptionsResultBuilder found, TimeSpan value, string key)
    {
        if (value <= TimeSpan.Zero)
        {
            found.AddError($"Moirai:{key} is {value}. It has to be longer than zero.");
        }
    }

    internal static void NotNegative(ValidateOptionsResultBuilder found, TimeSpan value, string key)
    {
        if (value < TimeSpan.Zero)
        {
            found.AddError($"Moirai:{key} is {value}. It must not be negative.");
        }
    }

    /// <summary>A typing error in a key would otherwise leave the setting at its default, and nobody would know. Sections that hold others cannot leave that to the binder.</summary>
    internal static void UnknownKeys(ValidateOptionsResultBuilder found, IConfigurationSection? section, string[] known)
    {
        foreach (IConfigurationSection child in section?.GetChildren() ?? [])
        {
            if (!known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
            {
                found.AddError($"{child.Path} is no setting. There are: {string.Join(", ", known)}.");
            }
        }
    }

    // A typing error in a name would otherwise leave the real one with its defaults, and nobody would know.
    private void Strangers(ValidateOptionsResultBuilder found, string section, string kind, string adder, IEnumerable<string> names)
    {
        string[] known = [.. names];
        foreach (IConfigurationSection child in services.GetService<IConfiguration>()?.GetSection(section).GetChildren() ?? [])
        {
            if (!known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
            {
                found.AddError($"{child.Path} configures a {kind} that the host does not have ({(known.Length == 0 ? "it has none" : $"it has {string.Join(", ", known)}")}). Correct the name, or call {adder}(\"{child.Key}\", …).");
            }
        }
    }
}
