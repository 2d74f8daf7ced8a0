using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Moirai.Hosting.Events;

namespace Moirai.Hosting.Lifecycle;

/// <summary>What <see cref="MoiraiBuilder.ConfigureRuntime"/> was given.</summary>
internal sealed record RuntimeSetting(Action<IServiceProvider, TaskRuntimeOptions> Configure);

/// <summary>Makes the runtime of a host from its options, and ties its events to whoever listens.</summary>
internal static class HostRuntime
{
    internal static TaskRuntime Make(IServiceProvider services)
    {
        MoiraiOptions chosen = services.GetRequiredService<IOptions<MoiraiOptions>>().Value;
        RuntimeEventHub hub = services.GetRequiredService<RuntimeEventHub>();
        var options = new TaskRuntimeOptions
        {
            Name = chosen.Name ?? services.GetService<IHostEnvironment>()?.ApplicationName ?? "moirai",
            CancelTimeout = chosen.CancelTimeout,
            AbandonTimeout = chosen.AbandonTimeout,
            LeaksAtStop = chosen.LeaksAtStop,
            LeakWatch = chosen.LeakWatch,
            LeakWatchPause = chosen.LeakWatchPause,
            ReportUnseenResults = chosen.ReportUnseenResults,
            TimeProvider = services.GetService<TimeProvider>() ?? TimeProvider.System,
        };
        foreach (RuntimeSetting setting in services.GetServices<RuntimeSetting>())
        {
            setting.Configure(services, options);
        }

        Action<RuntimeEvent>? own = options.OnEvent;
        options.OnEvent = hub.Publish;
        options.OnEvent += own;
        return new TaskRuntime(options);
    }
}
