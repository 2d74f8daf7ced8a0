using System.Diagnostics;
using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai.Telemetry;

/// <summary>Measures lives, and has spans made of them, while somebody listens.</summary>
/// <remarks>Whoever listens runs code of its own here, on the thread that spawns or ends a task: what it throws goes to the event source and no further.</remarks>
internal sealed class LifeTelemetry() : LifeProbe(MoiraiMeter.Lives, TaskSpans.Source)
{
    /// <inheritdoc/>
    internal override ExecutionContext? Begin(ManagedTask task, StepContext context)
    {
        Engine engine = task.Engine;
        if (ReferenceEquals(task.Group, engine.Housekeeping))
        {
            return TaskIdentity.CaptureForChild();
        }

        if (MoiraiMeter.Lives.Enabled && engine.Accounting != AccountingLevel.Exact && context.MayMeasure())
        {
            Guard(static (task, _) => task.NoteBirth(task.Engine.Provider.GetTimestamp()), task, (object?)null);
        }

        return TaskSpans.Source.HasListeners() ? TaskSpans.Begin(task) : TaskIdentity.CaptureForChild();
    }

    /// <inheritdoc/>
    internal override void End(ManagedTask task, TaskEvent how, Exception? error)
    {
        if (ReferenceEquals(task.Group, task.Engine.Housekeeping))
        {
            return;
        }

        Guard(static (task, end) => Measure(task, end), task, how);
        if (task.Extras?.Span is { } span)
        {
            TaskSpans.End(task, span, how, error);
        }
    }

    /// <inheritdoc/>
    internal override void NoteTimeout(ManagedTask task, TaskTimeoutException timeout)
    {
        if (task.Span is { } span)
        {
            Guard(static (_, what) => TaskSpans.NoteTimeout(what.span, what.timeout), task, (span, timeout));
        }
    }

    /// <inheritdoc/>
    internal override void NoteLongWait(Engine engine, TaskId task, bool keepsThread, string story)
    {
        if (TaskSpans.Source.HasListeners() && engine.Root.CollectTasks().Find(live => live.Id == task) is { Span: { } span } found)
        {
            Guard(static (_, what) => TaskSpans.NoteLongWait(what.span, what.keepsThread, what.story), found, (span, keepsThread, story));
        }
    }

    /// <summary>Calls what may run code of a listener, or the clock of a user.</summary>
    internal static void Guard<TState>(Action<ManagedTask, TState> act, ManagedTask task, TState state)
    {
        try
        {
            act(task, state);
        }
        catch (Exception error) // a watcher's fault must not reach the task it watches
        {
            MoiraiEventSource.Log.OutletFailed(error.ToString());
        }
    }

    private static void Measure(ManagedTask task, TaskEvent how)
    {
        bool exact = task.Exact is not null;
        if (exact
            ? !(MoiraiMeter.Lives.Enabled || MoiraiMeter.Busy.Enabled || MoiraiMeter.Ready.Enabled || MoiraiMeter.Blocked.Enabled) || !StepContext.Current.MayMeasure()
            : task.Born == AccountCell.Unread || !MoiraiMeter.Lives.Enabled)
        {
            return;
        }

        var tags = new TagList
        {
            { Vocabulary.Runtime, MoiraiMeter.RuntimeNames.Of(task.Engine.Name) },
            { Vocabulary.TaskName, MoiraiMeter.TaskNames.Of(task.Label.Name ?? task.Group.Name) },
            { Vocabulary.Outcome, Vocabulary.OutcomeOf(how) },
        };
        if (Vocabulary.SlotsOf(task.Group) is { } slots)
        {
            tags.Add(Vocabulary.Pool, MoiraiMeter.PoolNames.Of(slots.Name));
        }

        if (exact)
        {
            TaskAccount account = task.Account(withAwait: false);
            Record(MoiraiMeter.Lives, account.Age, tags);
            Record(MoiraiMeter.Busy, account.Busy, tags);
            Record(MoiraiMeter.Ready, account.Ready, tags);
            Record(MoiraiMeter.Blocked, account.Blocked, tags);
        }
        else
        {
            Record(MoiraiMeter.Lives, task.Engine.Provider.GetElapsedTime(task.Born), tags);
        }
    }

    private static void Record(System.Diagnostics.Metrics.Histogram<double> histogram, TimeSpan? time, in TagList tags)
    {
        if (time is { } known)
        {
            histogram.Record(known.TotalSeconds, tags);
        }
    }
}
