namespace Moirai.Tests.Scopes;

/// <summary>Tokens from outside: followed while the scope or task lives, and let go of at its end.</summary>
public class TokenLinkTests
{
    [Fact]
    public void A_canceled_token_that_is_handed_in_lets_no_task_of_the_scope_run()
    {
        var world = new World();
        bool ran = false;
        var error = world.Fails<ManagedTaskCanceledException>(world.Runtime.RunScopeAsync(
            "canceled",
            async scope =>
            {
                _ = scope.Spawn(async _ => ran = true);
                await Future.Yield();
            },
            cancellationToken: new CancellationToken(canceled: true)));

        error.Cause.Kind.ShouldBe(CancelKind.TokenCanceled);
        ran.ShouldBeFalse();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_token_cancels_the_body_and_the_tasks_of_its_scope_and_says_so()
    {
        using var source = new CancellationTokenSource();
        var world = new World();
        ManagedTask? child = null;
        ManagedTask owner = world.Start(async _ => await world.Runtime.RunScopeAsync(
            "request",
            async scope =>
            {
                child = scope.Spawn(async _ => await Future.Delay(Timeout.InfiniteTimeSpan), "child");
                await Future.Delay(Timeout.InfiniteTimeSpan);
            },
            cancellationToken: source.Token));

        source.Cancel();
        world.Run();

        child!.State.ShouldBe(TaskState.Canceled);
        child.CancelCause!.Source.ShouldContain("request");
        owner.State.ShouldBe(TaskState.Failed, "a cancellation that came from elsewhere is a failure of who was not canceled itself");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_task_follows_a_token_from_outside_also_one_that_is_canceled_already()
    {
        using var source = new CancellationTokenSource();
        var world = new World();
        ManagedTask waits = world.Start(async _ => await Future.Delay(Timeout.InfiniteTimeSpan)).CancelWith(source.Token);
        ManagedTask late = world.Spawn(async _ => await Future.Delay(Timeout.InfiniteTimeSpan)).CancelWith(new CancellationToken(canceled: true));

        source.Cancel();
        world.Run();

        waits.State.ShouldBe(TaskState.Canceled);
        waits.CancelCause!.Kind.ShouldBe(CancelKind.TokenCanceled);
        late.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void B4_A_token_that_lives_on_holds_no_ended_task_and_no_closed_scope()
    {
        using var source = new CancellationTokenSource();
        WeakReference[] tracked = SpawnAndEnd(source.Token);
        foreach (WeakReference one in tracked)
        {
            Garbage.ShouldBeGone(one);
        }
    }

    [Fact]
    public void B4_A_token_that_a_task_is_told_to_follow_while_it_ends_does_not_hold_it()
    {
        using var source = new CancellationTokenSource();
        Garbage.ShouldBeGone(FollowWhileEnding(source.Token));
    }

    [Fact]
    public void B4_The_planted_twin_a_registration_that_is_kept_is_caught()
    {
        using var source = new CancellationTokenSource();
        WeakReference tracked = Leak(source.Token);
        Should.Throw<ShouldAssertException>(() => Garbage.ShouldBeGone(tracked));
        GC.KeepAlive(source);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference[] SpawnAndEnd(CancellationToken token)
    {
        var world = new World();
        ManagedTask task = world.Spawn(async _ => await Future.Yield()).CancelWith(token);
        world.Run();
        task.IsEnded.ShouldBeTrue();

        // Closed by its parent, since its opener forgot it.
        TaskScope? forgotten = null;
        world.Start(async _ => await world.Runtime.RunScopeAsync("outer", async outer =>
        {
            await outer.Spawn(async _ => forgotten = world.Runtime.OpenScope("forgotten", cancellationToken: token));
        }));
        forgotten!.IsClosed.ShouldBeTrue();
        return [new WeakReference(task), new WeakReference(forgotten)];
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference FollowWhileEnding(CancellationToken token)
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask task = world.Start(async _ => await gate.WaitAsync());
        task.SetFlag(Moirai.Execution.TaskFlags.Ending); // its end has begun on another thread and is not published yet
        task.CancelWith(token);
        gate.Open();
        world.ShouldBeEmpty();
        task.IsEnded.ShouldBeTrue();
        return new WeakReference(task);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference Leak(CancellationToken token)
    {
        var world = new World();
        ManagedTask task = world.Start(async _ => await Future.Yield());
        token.UnsafeRegister(static _ => { }, task);
        return new WeakReference(task);
    }
}
