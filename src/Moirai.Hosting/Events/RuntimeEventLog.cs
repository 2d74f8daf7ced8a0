using Microsoft.Extensions.Logging;

namespace Moirai.Hosting.Events;

/// <summary>Runtime events as log lines: the one place that says how loud each kind is. The id of a line is the number of its kind.</summary>
/// <remarks>The category is <see cref="Category"/>. Ids below 100 belong to <see cref="RuntimeEventKind"/>; a kind that nobody has given a line goes out as <see cref="UnknownKind"/>, and a test fails.</remarks>
internal sealed partial class RuntimeEventLog(ILoggerFactory loggers) : IRuntimeEventSink
{
    internal const string Category = "Moirai.Runtime";
    internal const int UnknownKind = 99;

    private readonly ILogger _logger = loggers.CreateLogger(Category);

    public void Take(RuntimeEvent what)
    {
        long task = what.Task.Value;
        switch (what.Kind)
        {
            case RuntimeEventKind.TimedOut:
                TimedOut(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.UnobservedFailure:
                UnobservedFailure(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.CancelCallbackFailed:
                CancelCallbackFailed(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.StopIncomplete:
                StopIncomplete(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.Leaked:
                Leaked(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.CleanUpFailed:
                CleanUpFailed(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.CleanUpLate:
                CleanUpLate(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.GuardLost:
                GuardLost(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.PermitsReturned:
                PermitsReturned(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.Abandoned:
                Abandoned(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.RuntimeLost:
                RuntimeLost(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.UnobservedResult:
                UnobservedResult(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.Deadlock:
                Deadlock(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.Alarm:
                Alarm(_logger, what.Message, task, what.Error);
                break;
            case RuntimeEventKind.AlarmCleared:
                AlarmCleared(_logger, what.Message, task, what.Error);
                break;
            default:
                Unknown(_logger, what.Kind, what.Message, task, what.Error);
                break;
        }
    }

    // Daily bread of a service: whoever set the timeout is told by an exception.
    [LoggerMessage(EventId = 1, Level = LogLevel.Debug, Message = "{Story} (task {TaskId})")]
    private static partial void TimedOut(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 2, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void UnobservedFailure(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 3, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void CancelCallbackFailed(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 4, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void StopIncomplete(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 5, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void Leaked(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 6, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void CleanUpFailed(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 7, Level = LogLevel.Warning, Message = "{Story} (task {TaskId})")]
    private static partial void CleanUpLate(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 8, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void GuardLost(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 9, Level = LogLevel.Warning, Message = "{Story} (task {TaskId})")]
    private static partial void PermitsReturned(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 10, Level = LogLevel.Warning, Message = "{Story} (task {TaskId})")]
    private static partial void Abandoned(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 11, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void RuntimeLost(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 12, Level = LogLevel.Warning, Message = "{Story} (task {TaskId})")]
    private static partial void UnobservedResult(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 13, Level = LogLevel.Error, Message = "{Story} (task {TaskId})")]
    private static partial void Deadlock(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 14, Level = LogLevel.Warning, Message = "{Story} (task {TaskId})")]
    private static partial void Alarm(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = 15, Level = LogLevel.Information, Message = "{Story} (task {TaskId})")]
    private static partial void AlarmCleared(ILogger logger, string story, long taskId, Exception? error);

    [LoggerMessage(EventId = UnknownKind, Level = LogLevel.Warning, Message = "{Kind}: {Story} (task {TaskId})")]
    private static partial void Unknown(ILogger logger, RuntimeEventKind kind, string story, long taskId, Exception? error);
}
