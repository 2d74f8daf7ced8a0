using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Lifecycle;
using Moirai.Hosting.Pools;
using Moirai.Hosting.Requests;
using Moirai.Hosting.Supervision;

namespace Moirai.Hosting;

/// <summary>What <c>services.AddMoirai()</c> returns, to add pools, supervisors and pooled requests. Not safe for several threads, like the services themselves.</summary>
public sealed class MoiraiBuilder
{
    internal MoiraiBuilder(IServiceCollection services) => Services = services;

    /// <summary>The services of the host.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Adds a pool, as a keyed service: <c>[FromKeyedServices("requests")] TaskPool pool</c>. It is made when the host starts.</summary>
    /// <param name="name">The key, the name of the pool in messages and dumps, and its key in the configuration: <c>Moirai:Pools:{name}</c>.</param>
    /// <param name="configure">Runs after the configuration was read, and so has the last word.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">There is a pool of that name, or the name is empty or holds a ':' or '/'.</exception>
    public MoiraiBuilder AddTaskPool(string name, Action<TaskPoolOptions>? configure = null)
    {
        ConfigurationKeys.ThrowIfBadName(name, nameof(name));
        if (Registered<PoolRegistration>(pool => pool.Name, name) is { } before)
        {
            throw new ArgumentException($"A pool '{before}' was added before, and '{name}' would have the same key in the configuration. Give one of the two another name, or configure the one there is: services.Configure<TaskPoolOptions>(\"{before}\", …).", nameof(name));
        }

        Services.AddSingleton(new PoolRegistration(name));
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<TaskPoolOptions>, TaskPoolOptionsSetup>());
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TaskPoolOptions>, TaskPoolOptionsCheck>());
        OptionsBuilder<TaskPoolOptions> options = Services.AddOptions<TaskPoolOptions>(name).ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        Services.AddKeyedSingleton(name, static (services, key) =>
            services.GetRequiredService<TaskRuntime>().CreatePool((string)key!, services.GetRequiredService<IOptionsMonitor<TaskPoolOptions>>().Get((string)key).MaxTasks));
        return this;
    }

    /// <summary>Adds a supervisor: it starts its children with the host, in order, restarts those that fail, and stops them in reverse order. See docs/hosting.md for the rules.</summary>
    /// <param name="name">Its name, and its key in the configuration: <c>Moirai:Supervisors:{name}</c>. It can be had as a keyed service: <see cref="Supervisor"/>.</param>
    /// <param name="build">Adds the children.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">There is a supervisor of that name, or the name is empty or holds a ':' or '/'; or two children have the same name.</exception>
    public MoiraiBuilder AddSupervisor(string name, Action<SupervisorBuilder> build)
    {
        ConfigurationKeys.ThrowIfBadName(name, nameof(name));
        ArgumentNullException.ThrowIfNull(build);
        if (Registered<SupervisorRegistration>(supervisor => supervisor.Name, name) is { } before)
        {
            throw new ArgumentException($"A supervisor '{before}' was added before. Add the children to that one, or give this one another name.", nameof(name));
        }

        var builder = new SupervisorBuilder(name, Services);
        build(builder);
        builder.Register();
        return this;
    }

    /// <summary>Lets requests run as managed tasks of a pool; <c>app.UsePooledRequests()</c> puts the middleware in its place.</summary>
    /// <param name="configure">Runs after the configuration (<c>Moirai:Requests</c>) was read, and so has the last word.</param>
    /// <returns>The same builder.</returns>
    public MoiraiBuilder AddPooledRequests(Action<PooledRequestsOptions>? configure = null)
    {
        Services.TryAddSingleton<PooledRequests>();
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<PooledRequestsOptions>, PooledRequestsOptionsSetup>());
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<PooledRequestsOptions>, PooledRequestsOptionsCheck>());
        OptionsBuilder<PooledRequestsOptions> options = Services.AddOptions<PooledRequestsOptions>().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        return this;
    }

    /// <summary>Sets what no configuration can say: an executor, a clock, a callback for events. Runs when the runtime is made, after everything else; the events go to the log and to the health checks all the same.</summary>
    /// <param name="configure">What is to be set.</param>
    /// <returns>The same builder.</returns>
    public MoiraiBuilder ConfigureRuntime(Action<IServiceProvider, TaskRuntimeOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Services.AddSingleton(new RuntimeSetting(configure));
        return this;
    }

    // Keys of the configuration are told apart without regard to case.
    private string? Registered<T>(Func<T, string> nameOf, string name)
        where T : class => Services
            .Select(static service => service.IsKeyedService ? null : service.ImplementationInstance as T)
            .OfType<T>()
            .Select(nameOf)
            .FirstOrDefault(known => string.Equals(known, name, StringComparison.OrdinalIgnoreCase));
}
