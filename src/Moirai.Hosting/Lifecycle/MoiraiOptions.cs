namespace Moirai.Hosting;

/// <summary>The runtime of a host, as <c>services.AddMoirai()</c> makes it. Read from the configuration section <c>Moirai</c>, then given to the code that configures it; checked when the host starts.</summary>
/// <remarks>What no configuration can say, such as an executor, is set by <see cref="MoiraiBuilder.ConfigureRuntime"/>. The clock is the <see cref="TimeProvider"/> of the services, if there is one.</remarks>
public sealed class MoiraiOptions
{
    /// <summary>What the runtime is called in messages, dumps and metrics; null for the name of the application.</summary>
    public string? Name { get; set; }

    /// <summary>How much of the host's shutdown timeout is kept for tasks that were canceled because they had not ended by themselves. More than zero; 5 seconds by default.</summary>
    public TimeSpan CancelTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How much of the host's shutdown timeout is kept for the clean-up of tasks that were proved to be leaked. Not negative; 2 seconds by default. See <see cref="TaskRuntimeOptions.AbandonTimeout"/>.</summary>
    public TimeSpan AbandonTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>What a stop does about tasks that nothing can wake any more; null does not look for them. See <see cref="TaskRuntimeOptions.LeaksAtStop"/>.</summary>
    public LeakPolicy? LeaksAtStop { get; set; } = LeakPolicy.Heal;

    /// <summary>Whether leaks are looked for after collections that happen anyway. Null, and off, by default. See <see cref="TaskRuntimeOptions.LeakWatch"/>.</summary>
    public LeakPolicy? LeakWatch { get; set; }

    /// <summary>How long the leak watch rests after a search. Not negative; one minute by default.</summary>
    public TimeSpan LeakWatchPause { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Whether results at which nobody ever looks are told. See <see cref="TaskRuntimeOptions.ReportUnseenResults"/>.</summary>
    public bool ReportUnseenResults { get; set; }
}
