namespace Moirai.Tests.Execution;

/// <summary>Plain <c>async Task</c> code knows the task it runs for, on whatever thread and after whatever await.</summary>
public sealed class TaskIdentityTests
{
    private readonly World _world = new();
    private readonly TaskCompletionSource _gate = new();

    [Fact]
    public void C5_plain_bodies_know_their_task_after_an_await_and_what_they_call_does_too()
    {
        ManagedTask? before = null;
        ManagedTask? after = null;
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            before = ManagedTask.Current;
            after = await InnerAsync();
        });
        _world.Run();
        _gate.SetResult();
        _world.Run();

        before.ShouldBeSameAs(task);
        after.ShouldBeSameAs(task);
        ManagedTask.Current.ShouldBeNull();
        _world.ShouldBeEmpty();

        async Task<ManagedTask?> InnerAsync()
        {
            await _gate.Task.ConfigureAwait(false);
            return ManagedTask.Current;
        }
    }

    [Fact]
    public async Task C5_a_task_that_is_spawned_by_plain_code_is_not_taken_for_its_spawner()
    {
        ManagedTask? child = null;
        ManagedTask? seenByChild = null;
        ManagedTask? seenByItsPlainCode = null;
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _gate.Task;
            child = _world.Runtime.SpawnDetached(async Future (_) =>
            {
                seenByChild = ManagedTask.Current;
                seenByItsPlainCode = await PlainAsync();
            });
        });
        _world.Run();
        _gate.SetResult();
        _world.Run();

        task.State.ShouldBe(TaskState.Completed);
        await UntilEndedAsync(child!);
        seenByChild.ShouldBeSameAs(child);
        seenByItsPlainCode.ShouldNotBeSameAs(task);
        _world.ShouldBeEmpty();

        static async Task<ManagedTask?> PlainAsync()
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            return ManagedTask.Current;
        }
    }

    [Fact]
    public void C5_a_context_that_outlives_the_task_does_not_keep_it()
    {
        ExecutionContext? kept = null;
        WeakReference task = Run(() => kept = ExecutionContext.Capture());
        Collected(task).ShouldBeTrue();
        ManagedTask? seen = null;
        ExecutionContext.Run(kept!, _ => seen = ManagedTask.Current, null);
        seen.ShouldBeNull();
    }

    [Fact]
    public void C5_twin_a_context_with_the_task_itself_in_it_keeps_it()
    {
        var planted = new AsyncLocal<object?>();
        ExecutionContext? kept = null;
        WeakReference task = Run(() =>
        {
            planted.Value = ManagedTask.Current;
            kept = ExecutionContext.Capture();
        });
        Collected(task).ShouldBeFalse();
        GC.KeepAlive(kept);
    }

    [Theory]
    [InlineData("disposes")]
    [InlineData("joins")]
    public async Task C11_a_scope_left_from_plain_code_inside_it_is_refused(string verb)
    {
        TaskScope scope = _world.Runtime.OpenScope("scope", ScopePolicy.Isolate);
        ManagedTask child = scope.Spawn(async Task (_) =>
        {
            await _gate.Task;
            await (verb == "joins" ? scope.JoinAsync() : scope.DisposeAsync());
        });
        _world.Run();
        _gate.SetResult();
        await UntilEndedAsync(child);

        child.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain($"{verb} scope 'scope', in which it runs itself");
        _world.CloseAndBeEmpty(scope);
    }

    [Fact]
    public async Task C13_a_pool_drained_from_plain_code_inside_it_is_refused()
    {
        TaskPool pool = _world.Runtime.CreatePool("pool", 1);
        pool.TrySpawn(
            async Task (_) =>
            {
                await _gate.Task;
                await pool.DrainAsync();
            },
            out ManagedTask? child).ShouldBeTrue();
        _world.Run();
        _gate.SetResult();
        await UntilEndedAsync(child!);

        child!.Exception.ShouldBeOfType<InvalidOperationException>().Message.ShouldContain("drains");
        pool.ActiveCount.ShouldBe(0);
        _world.Run(pool.DisposeAsync());
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task C4_a_future_that_plain_code_awaits_runs_in_its_runtime_and_is_canceled_with_its_task()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await _gate.Task;
            await SleepAsync();
        });
        _world.Run();
        _gate.SetResult();
        _world.Run();
        _world.Timers.ShouldBe(1);

        task.Cancel();
        await UntilEndedAsync(task);

        task.State.ShouldBe(TaskState.Canceled);
        _world.ShouldBeEmpty();

        static async Future SleepAsync() => await Future.Delay(TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task C4_a_future_that_plain_code_awaits_before_anything_else_is_canceled_with_its_task_too()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) => await SleepAsync());
        _world.Run();
        _world.Timers.ShouldBe(1);

        task.Cancel();
        await UntilEndedAsync(task);

        task.State.ShouldBe(TaskState.Canceled);
        _world.ShouldBeEmpty();

        static async Future SleepAsync() => await Future.Delay(TimeSpan.FromHours(1));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private WeakReference Run(Action inside)
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            await Task.CompletedTask;
            inside();
        });
        _world.Run();
        task.State.ShouldBe(TaskState.Completed);
        return new WeakReference(task);
    }

    private static bool Collected(WeakReference task)
    {
        for (int i = 0; i < 10 && task.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return !task.IsAlive;
    }

    // Plain code may go on on a thread of the pool.
    private async Task UntilEndedAsync(ManagedTask task)
    {
        while (!task.IsEnded)
        {
            _world.Run();
            await Task.Yield();
        }

        _world.Run();
    }
}
