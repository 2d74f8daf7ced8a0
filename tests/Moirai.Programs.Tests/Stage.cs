using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using Moirai.Testing;

namespace Moirai.Programs.Tests;

/// <summary>A runtime as a service has it, on the thread pool with everything told, but under a clock that the test turns: so times come out exact, however slow the machine is.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private static readonly TimeSpan s_failsafe = TimeSpan.FromSeconds(60);
    private readonly ConcurrentQueue<Alarm> _alarms = new();

    internal Stage(AccountingLevel accounting = AccountingLevel.Exact)
    {
        Limits = new AlarmLimits { Blocked = TimeSpan.FromSeconds(30), WorkerHeld = TimeSpan.FromSeconds(5), OnAlarm = _alarms.Enqueue };
        Runtime = new TaskRuntime(new() { Name = "programs", TimeProvider = Time, Accounting = accounting, Alarms = Limits });
    }

    internal VirtualTimeProvider Time { get; } = new();

    internal AlarmLimits Limits { get; }

    internal TaskRuntime Runtime { get; }

    internal IReadOnlyList<Alarm> Alarms => [.. _alarms];

    internal static string Here([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(file)}:{line}");

    /// <summary>Waits for a condition, not for time. The limit only ends a test that would never end.</summary>
    internal static Task IsAsync(Func<bool> condition, string what) => IsAsync(condition, () => what);

    /// <inheritdoc cref="IsAsync(Func{bool}, string)"/>
    internal static async Task IsAsync(Func<bool> condition, Func<string> what)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) >= s_failsafe)
            {
                throw new TimeoutException($"It never came: {what()}.");
            }

            await Task.Yield();
        }
    }

    internal static Task<T> EndsAsync<T>(Task<T> task) => task.WaitAsync(s_failsafe, TimeProvider.System);

    internal static Task EndsAsync(Task task) => task.WaitAsync(s_failsafe, TimeProvider.System);

    /// <summary>What the snapshot tells of a task, once it stands in a method and no thread runs code of it.</summary>
    internal async Task<TaskSnapshot> StandsInAsync(ManagedTask task, string method)
    {
        TaskSnapshot? told = null;
        await IsAsync(
            () =>
            {
                told = Runtime.TakeSnapshot().Tasks.SingleOrDefault(one => one.Id == task.Id);
                return told is { State: TaskState.Blocked } && told.Chain.FirstOrDefault(static frame => !frame.IsInfrastructure)?.Method == method && task.TakeAccount() is { State: TaskState.Blocked, Threads: 0 };
            },
            () => $"{task.Name} in {method}, but it is {told} with {task.TakeAccount()} in {string.Join(" ← ", told?.Chain ?? [])}");
        return told!;
    }

    /// <summary>Lets time pass, a second at a time, so that the watch looks in between.</summary>
    internal void Pass(int seconds)
    {
        for (int i = 0; i < seconds; i++)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndsAsync(Runtime.DisposeAsync().AsTask());
        Census census = Runtime.TakeCensus();
        (census.Live, census.SlotsInUse, census.Waiters, census.TimerEntries).ShouldBe((0, 0, 0, 0));
        census.Created.ShouldBe(census.Completed + census.Failed + census.Canceled);
    }
}
