using Moirai.Execution;
using Moirai.Telemetry;

namespace Moirai;

/// <content>What the process tells of itself: the meter and the spans begin with the first runtime.</content>
public sealed partial class TaskRuntime
{
    static TaskRuntime()
    {
        MoiraiMeter.Open();
        LifeProbe.Install(new LifeTelemetry());
    }
}
