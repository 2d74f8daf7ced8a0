using Moirai.Timers;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>Names for what was awaited.</summary>
internal static class AwaitKind
{
    internal static string Of(Type what)
    {
        string name = what.Name;
        int arity = name.IndexOf('`', StringComparison.Ordinal);
        name = arity < 0 ? name : name[..arity];
        return what switch
        {
            _ when what == typeof(TimerQueue) => "a timer",
            _ when what == typeof(TaskGroup) => "the tasks of a scope",
            _ when what == typeof(TaskWait) => "a foreign task",
            _ when what.IsAssignableTo(typeof(ManagedTask)) => "the end of a task",
            _ when what.IsAssignableTo(typeof(IWaitQueue)) => name,
            _ => $"a foreign awaitable ({name})",
        };
    }
}
