using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Lifecycle;
using Moirai.Hosting.Supervision;

namespace Moirai.Hosting;

/// <summary>A background task under a supervisor. Made anew for each start, with the services of a scope of its own, and disposed when it has ended, if it is disposable.</summary>
public interface ISupervisedTask
{
    /// <summary>Does the work. Returning means that it is done; an exception, that it failed; see <see cref="RestartPolicy"/> for what follows.</summary>
    /// <param name="cancellationToken">Canceled when it is to stop. Moirai's own waits need no token.</param>
    Future RunAsync(CancellationToken cancellationToken);
}

/// <summary>Adds the children of a supervisor, in the order in which they are started. See <see cref="MoiraiBuilder.AddSupervisor"/>.</summary>
public sealed class SupervisorBuilder
{
    private readonly List<ChildSpec> _children = [];

    internal SupervisorBuilder(string name, IServiceCollection services)
    {
        Name = name;
        Services = services;
    }

    /// <summary>The name of the supervisor.</summary>
    public string Name { get; }

    /// <summary>The services of the host.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Configures the supervisor. Runs after the configuration was read, and so has the last word.</summary>
    /// <param name="configure">What is to be set.</param>
    /// <returns>The same builder.</returns>
    public SupervisorBuilder Configure(Action<SupervisorOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Services.Configure(Name, configure);
        return this;
    }

    /// <summary>Adds a child that is an object: made by its constructor, from the services of a scope that lives as long as it does.</summary>
    /// <param name="name">Its name in messages and in the configuration; its tasks are called <c>supervisor/child</c>.</param>
    /// <param name="configure">Runs after the configuration was read, and so has the last word.</param>
    /// <param name="file">Filled in by the compiler: the spawn site of its tasks.</param>
    /// <param name="line">Filled in by the compiler: the spawn site of its tasks.</param>
    /// <typeparam name="TChild">Its type; it need not be registered.</typeparam>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">There is a child of that name, or the name is empty or holds a ':' or '/'.</exception>
    public SupervisorBuilder AddChild<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TChild>(
        string name, Action<SupervisedChildOptions>? configure = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
        where TChild : class, ISupervisedTask =>
        Add(name, configure, (services, incarnation) =>
        {
            TChild child = ActivatorUtilities.CreateInstance<TChild>(services);
            incarnation.Own(child);
            return (scope, called) => scope.Spawn(child, static (child, ct) => child.RunAsync(ct), called, file, line);
        });

    /// <summary>Adds a child that is a function.</summary>
    /// <param name="name">Its name in messages and in the configuration; its tasks are called <c>supervisor/child</c>.</param>
    /// <param name="body">Does the work, with the services of a scope that lives as long as the work does. The token is canceled when it is to stop.</param>
    /// <param name="configure">Runs after the configuration was read, and so has the last word.</param>
    /// <param name="file">Filled in by the compiler: the spawn site of its tasks.</param>
    /// <param name="line">Filled in by the compiler: the spawn site of its tasks.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">There is a child of that name, or the name is empty or holds a ':' or '/'.</exception>
    [OverloadResolutionPriority(1)]
    public SupervisorBuilder AddChild(string name, Func<IServiceProvider, CancellationToken, Future> body, Action<SupervisedChildOptions>? configure = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(body);
        return Add(name, configure, (services, _) => (scope, called) => scope.Spawn((body, services), static (child, ct) => child.body(child.services, ct), called, file, line));
    }

    /// <inheritdoc cref="AddChild(string, Func{IServiceProvider, CancellationToken, Future}, Action{SupervisedChildOptions}?, string, int)"/>
    public SupervisorBuilder AddChild(string name, Func<IServiceProvider, CancellationToken, Task> body, Action<SupervisedChildOptions>? configure = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(body);
        return Add(name, configure, (services, _) => (scope, called) => scope.Spawn(ct => body(services, ct), called, file, line));
    }

    internal void Register()
    {
        Services.AddSingleton(new SupervisorRegistration(Name, _children));
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<SupervisorOptions>, SupervisorOptionsSetup>());
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SupervisorOptions>, SupervisorOptionsCheck>());
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<SupervisedChildOptions>, SupervisedChildOptionsSetup>());
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SupervisedChildOptions>, SupervisedChildOptionsCheck>());
        Services.AddOptions<SupervisorOptions>(Name).ValidateOnStart();
        string name = Name;
        Services.AddKeyedSingleton(name, (services, _) => new Supervisor(services, services.GetServices<SupervisorRegistration>().Single(supervisor => supervisor.Name == name)));
        Services.AddSingleton<IHostedService>(services => new SupervisorService(services.GetRequiredKeyedService<Supervisor>(name)));
    }

    private SupervisorBuilder Add(string name, Action<SupervisedChildOptions>? configure, MakeChild make)
    {
        ConfigurationKeys.ThrowIfBadName(name, nameof(name));
        if (_children.Exists(known => string.Equals(known.Name, name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new ArgumentException($"Supervisor '{Name}' has a child '{name}' already. Give this one another name.", nameof(name));
        }

        string options = $"{Name}/{name}";
        Services.AddOptions<SupervisedChildOptions>(options).ValidateOnStart();
        if (configure is not null)
        {
            Services.Configure(options, configure);
        }

        _children.Add(new ChildSpec(name, make));
        return this;
    }
}
