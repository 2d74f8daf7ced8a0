using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Lifecycle;

namespace Moirai.Hosting.Supervision;

/// <summary>Reads the section of a supervisor.</summary>
internal sealed class SupervisorOptionsSetup(IServiceProvider services) : IConfigureNamedOptions<SupervisorOptions>
{
    public void Configure(string? name, SupervisorOptions options) => services.GetService<IConfiguration>()?.GetSection($"{ConfigurationKeys.Supervisors}:{name}").Bind(options);

    public void Configure(SupervisorOptions options) => Configure(Options.DefaultName, options);
}

/// <summary>Checks the section of a supervisor.</summary>
internal sealed class SupervisorOptionsCheck(IServiceProvider services) : IValidateOptions<SupervisorOptions>
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);

    private static readonly string[] s_keys =
    [
        nameof(SupervisorOptions.Strategy), nameof(SupervisorOptions.MaxRestarts), nameof(SupervisorOptions.Window), nameof(SupervisorOptions.FirstDelay), nameof(SupervisorOptions.MaxDelay),
        nameof(SupervisorOptions.UseJitter), nameof(SupervisorOptions.Escalation), nameof(SupervisorOptions.ExitCode), "Children",
    ];

    public ValidateOptionsResult Validate(string? name, SupervisorOptions options)
    {
        var found = new ValidateOptionsResultBuilder();
        string key = $"{ConfigurationKeys.Supervisors}:{name}";
        if (!Enum.IsDefined(options.Strategy))
        {
            found.AddError($"{key}:Strategy is {options.Strategy}, which is none. Take OneForOne, OneForAll or RestForOne.");
        }

        if (!Enum.IsDefined(options.Escalation))
        {
            found.AddError($"{key}:Escalation is {options.Escalation}, which is none. Take StopHost or GiveUp.");
        }

        if (options.MaxRestarts < 0)
        {
            found.AddError($"{key}:MaxRestarts is {options.MaxRestarts}. It must not be negative; 0 escalates at the first failure.");
        }

        if (options.Window <= TimeSpan.Zero)
        {
            found.AddError($"{key}:Window is {options.Window}. It has to be longer than zero.");
        }

        if (options.FirstDelay < TimeSpan.Zero || options.FirstDelay > s_longest)
        {
            found.AddError($"{key}:FirstDelay is {options.FirstDelay}. It has to be between zero and a day.");
        }
        else if (options.MaxDelay < options.FirstDelay || options.MaxDelay > s_longest)
        {
            found.AddError($"{key}:MaxDelay is {options.MaxDelay}. It has to be between FirstDelay ({options.FirstDelay}) and a day.");
        }
        else if (options.MaxRestarts is > 0 and < int.MaxValue && ShortestRun(options) is { } run && run > options.Window)
        {
            found.AddError(
                $"{key}:Window is {options.Window}, but {options.MaxRestarts} restarts take {run} at least, since each waits longer than the one before: the supervisor would never escalate. "
                + $"Lengthen Window, lower MaxRestarts or the delays, or set MaxRestarts to {int.MaxValue} if restarting for ever is what you want.");
        }

        if (options.ExitCode is < 1 or > 255)
        {
            found.AddError($"{key}:ExitCode is {options.ExitCode}. It has to be between 1 and 255: 0 would say that all is well.");
        }

        MoiraiOptionsCheck.UnknownKeys(found, services.GetService<IConfiguration>()?.GetSection(key), s_keys);
        CheckChildren(found, key, services.GetServices<SupervisorRegistration>().Single(registration => registration.Name == name));
        return found.Build();
    }

    /// <summary>How long it takes until a child that fails at once has been restarted as often as it may.</summary>
    private static TimeSpan? ShortestRun(SupervisorOptions options)
    {
        TimeSpan sum = TimeSpan.Zero;
        TimeSpan delay = options.FirstDelay;
        for (int i = 0; i < options.MaxRestarts && sum <= options.Window && delay > TimeSpan.Zero; i++)
        {
            sum += delay;
            delay = delay + delay < options.MaxDelay ? delay + delay : options.MaxDelay;
        }

        return sum;
    }

    private void CheckChildren(ValidateOptionsResultBuilder found, string key, SupervisorRegistration supervisor)
    {
        if (supervisor.Children.Count == 0)
        {
            found.AddError($"Supervisor '{supervisor.Name}' has no children. Give it some in AddSupervisor(\"{supervisor.Name}\", supervisor => supervisor.AddChild(…)), or leave it out.");
        }

        foreach (IConfigurationSection child in services.GetService<IConfiguration>()?.GetSection($"{key}:Children").GetChildren() ?? [])
        {
            if (!supervisor.Children.Any(known => string.Equals(known.Name, child.Key, StringComparison.OrdinalIgnoreCase)))
            {
                found.AddError($"{child.Path} configures a child that supervisor '{supervisor.Name}' does not have (it has {string.Join(", ", supervisor.Children.Select(static known => known.Name))}). Correct the name, or add the child.");
            }
        }
    }
}

/// <summary>Reads the section of a child. The name of its options is <c>supervisor/child</c>.</summary>
internal sealed class SupervisedChildOptionsSetup(IServiceProvider services) : IConfigureNamedOptions<SupervisedChildOptions>
{
    public void Configure(string? name, SupervisedChildOptions options) =>
        services.GetService<IConfiguration>()?.GetSection(KeyOf(name)).Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true);

    public void Configure(SupervisedChildOptions options) => Configure(Options.DefaultName, options);

    internal static string KeyOf(string? name) => $"{ConfigurationKeys.Supervisors}:{name?.Replace("/", ":Children:", StringComparison.Ordinal)}";
}

/// <summary>Checks the section of a child.</summary>
internal sealed class SupervisedChildOptionsCheck : IValidateOptions<SupervisedChildOptions>
{
    public ValidateOptionsResult Validate(string? name, SupervisedChildOptions options)
    {
        var found = new ValidateOptionsResultBuilder();
        string key = SupervisedChildOptionsSetup.KeyOf(name);
        if (!Enum.IsDefined(options.Restart))
        {
            found.AddError($"{key}:Restart is {options.Restart}, which is no policy. Take Permanent, Transient or Temporary.");
        }

        if (options.StopBudget <= TimeSpan.Zero && options.StopBudget != Timeout.InfiniteTimeSpan)
        {
            found.AddError($"{key}:StopBudget is {options.StopBudget}. It has to be longer than zero, or -00:00:00.001 for as long as the host waits.");
        }

        return found.Build();
    }
}
