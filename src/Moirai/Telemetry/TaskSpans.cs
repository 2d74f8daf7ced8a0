using System.Diagnostics;
using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai.Telemetry;

/// <summary>The activity source <c>Moirai</c>: a span for each task that was spawned under a name, from its spawn to its end.</summary>
/// <remarks>
/// The code of the task runs inside its span (<see cref="Activity.Current"/>). A task of a scope is a child of what its spawner runs in; one that may outlive its spawner (detached, or of a pool) begins a trace of its own, which is linked to that,
/// unless the spawner's activity says by <see cref="Vocabulary.WaitsForEnd"/> that it lasts until the task has ended, as the activity of a pooled request does.
/// What plain code awaits, or blocks in, is part of that code and no span.
/// </remarks>
internal static class TaskSpans
{
    internal static readonly ActivitySource Source = new(Vocabulary.Name, typeof(TaskSpans).Assembly.GetName().Version?.ToString(3));

    /// <summary>Begins the span of a task, if it is to have one. Never throws.</summary>
    /// <returns>The execution context in which the task runs.</returns>
    internal static ExecutionContext? Begin(ManagedTask task)
    {
        if (task.Label is not { IsSpawned: true, Name: { } name })
        {
            return TaskIdentity.CaptureForChild();
        }

        Activity? spawner = Activity.Current;
        ExecutionContext? before = ExecutionContext.Capture();
        LifeTelemetry.Guard(static (task, around) => Start(task, around.name, around.spawner), task, (name, spawner));
        if (task.Extras?.Span is { } span)
        {
            Activity.Current = span;
        }
        else
        {
            Return(before, spawner); // nobody wants it: what the spawner runs in flows on, as without us
        }

        ExecutionContext? inside = TaskIdentity.CaptureForChild();
        Return(before, spawner);
        return inside;
    }

    /// <summary>Ends it. Never throws.</summary>
    internal static void End(ManagedTask task, Activity span, TaskEvent how, Exception? error)
    {
        Activity? current = Activity.Current;
        ExecutionContext? before = ExecutionContext.Capture();
        LifeTelemetry.Guard(static (task, end) => Stop(task, end.span, end.how, end.error), task, (span, how, error));
        Return(before, current); // stopping makes current what the spawner ran in
    }

    internal static void NoteTimeout(Activity span, TaskTimeoutException timeout) => span.AddEvent(new ActivityEvent(
        Vocabulary.TimeoutEvent,
        tags: new()
        {
            { Vocabulary.Operation, timeout.Operation },
            { Vocabulary.WaitingFor, timeout.WaitingFor },
            { Vocabulary.Within, timeout.Within.TotalSeconds },
        }));

    internal static void NoteLongWait(Activity span, bool keepsThread, string story) => span.AddEvent(new ActivityEvent(
        keepsThread ? Vocabulary.WorkerHeldEvent : Vocabulary.BlockedEvent,
        tags: new() { { Vocabulary.Story, story } }));

    private static void Start(ManagedTask task, string name, Activity? spawner)
    {
        Engine engine = task.Engine;
        TaskSlotManager? slots = Vocabulary.SlotsOf(task.Group);
        bool outlives = (slots is not null || ReferenceEquals(task.Group, engine.Root)) && spawner?.GetCustomProperty(Vocabulary.WaitsForEnd) is not true;
        if (outlives)
        {
            Activity.Current = null; // or it would be the parent
        }

        List<KeyValuePair<string, object?>> tags =
        [
            new(Vocabulary.TaskId, task.Id.Value),
            new(Vocabulary.TaskName, name),
            new(Vocabulary.Runtime, engine.Name),
            new(Vocabulary.SpawnSite, task.SpawnSite),
        ];
        if (slots is not null)
        {
            tags.Add(new(Vocabulary.Pool, slots.Name));
        }

        if (Source.StartActivity(
            name,
            ActivityKind.Internal,
            default(ActivityContext),
            tags,
            outlives && spawner is not null ? [new ActivityLink(spawner.Context)] : null,
            engine.Provider.GetUtcNow()) is { } span)
        {
            task.Attach(span);
        }
    }

    private static void Stop(ManagedTask task, Activity span, TaskEvent how, Exception? error)
    {
        if (span.IsAllDataRequested)
        {
            span.SetTag(Vocabulary.Outcome, Vocabulary.OutcomeOf(how));
            if (how == TaskEvent.Cancel && task.CancelCause is { } cause)
            {
                span.SetTag(Vocabulary.CancelCause, cause.ToString());
            }

            if (error is not null)
            {
                span.SetTag(Vocabulary.ErrorType, error.GetType().FullName);
                span.AddException(error, timestamp: task.Engine.Provider.GetUtcNow());
                span.SetStatus(ActivityStatusCode.Error, error.Message);
            }
        }

        span.SetEndTime(task.Engine.Provider.GetUtcNow().UtcDateTime);
        span.Stop();
    }

    // The whole context, since a span that was stopped in the meantime cannot be made current again. There is none where its flow is suppressed.
    private static void Return(ExecutionContext? before, Activity? current)
    {
        if (before is not null)
        {
            ExecutionContext.Restore(before);
        }
        else if (!ReferenceEquals(Activity.Current, current))
        {
            Activity.Current = current is { IsStopped: false } ? current : null;
        }
    }
}
