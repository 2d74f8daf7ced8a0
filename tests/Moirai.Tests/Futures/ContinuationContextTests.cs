using System.Runtime.CompilerServices;

namespace Moirai.Tests.Futures;

/// <summary>Continuations that are registered by hand: <c>OnCompleted</c> brings the caller's execution context along, <c>UnsafeOnCompleted</c> leaves that to who calls it.</summary>
public sealed class ContinuationContextTests
{
    private static readonly AsyncLocal<string?> s_ambient = new();

    public static TheoryData<string> Awaiters => ["task", "task of a value", "delay", "zero delay", "yield", "future"];

    [Theory]
    [MemberData(nameof(Awaiters))]
    public async Task A_continuation_registered_by_hand_runs_in_the_context_of_who_registered_it(string awaiter)
    {
        await using var runtime = new TaskRuntime();
        s_ambient.Value = "mine";
        (await SeenAsync(awaiter, runtime, flows: true)).ShouldBe("mine");
    }

    [Theory]
    [MemberData(nameof(Awaiters))]
    public async Task One_registered_without_its_context_runs_in_none(string awaiter)
    {
        await using var runtime = new TaskRuntime();
        s_ambient.Value = "mine";
        (await SeenAsync(awaiter, runtime, flows: false)).ShouldBeNull();
    }

    private static Task<string?> SeenAsync(string what, TaskRuntime runtime, bool flows)
    {
        var seen = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        ICriticalNotifyCompletion awaiter = what switch
        {
            "task" => runtime.SpawnDetached(GoAsync()).GetAwaiter(),
            "task of a value" => runtime.SpawnDetached(Future.FromResult(1)).GetAwaiter(),
            "delay" => Future.Delay(TimeSpan.FromMilliseconds(1)).GetAwaiter(),
            "zero delay" => Future.Delay(TimeSpan.Zero).GetAwaiter(),
            "yield" => Future.Yield().GetAwaiter(),
            _ => GoAsync().GetAwaiter(),
        };
        if (flows)
        {
            awaiter.OnCompleted(() => seen.SetResult(s_ambient.Value));
        }
        else
        {
            awaiter.UnsafeOnCompleted(() => seen.SetResult(s_ambient.Value));
        }

        return seen.Task;
    }

    private static async Future GoAsync() => await Future.Yield();
}
