namespace Moirai.Tests.Scopes;

/// <summary>Row C12 in plain <c>async</c> code that runs for a task: after an await that had to wait no thread steps that task, and yet a guard made there is the task's, what is disposed there is disposed although the task
/// was canceled, and a shield keeps the cancellation away.</summary>
public sealed class PlainCleanUpTests
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(8);

    private readonly World _world = new();
    private readonly TaskCompletionSource _gate = new();
    private readonly TaskCompletionSource _end = new();

    public enum What
    {
        Guard,
        Scope,
        Pool,
        Collector,
    }

    [Theory]
    [InlineData("returns")]
    [InlineData("throws")]
    [InlineData("is canceled")]
    [InlineData("is stopped")]
    public async Task C12_AGuardMadeAfterAnAwaitRunsWhenItsTaskEnds(string way)
    {
        ManagedTask task = StartPastTheGate(async token =>
        {
            _ = ResourceGuard.Protect(_world, static world => world.Log("cleaned up"), "a file");
            await _end.Task.WaitAsync(token).ConfigureAwait(false);
        });
        _world.Trace.ShouldBeEmpty();

        switch (way)
        {
            case "returns":
                _end.SetResult();
                break;
            case "throws":
                _end.SetException(new InvalidTimeZoneException());
                break;
            case "is canceled":
                task.Cancel();
                break;
            default:
                await _world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.FromSeconds(1));
                break;
        }

        RunUntilEnded(task);
        task.State.ShouldBe(way switch { "returns" => TaskState.Completed, "throws" => TaskState.Failed, _ => TaskState.Canceled });
        _world.Trace.ShouldBe(["cleaned up"]);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C12_AGuardMadeByCodeForWhichNobodyWaitsAfterItsTaskHasEndedIsItsOwn()
    {
        // The identity is emptied when the body ends: the guard is nobody's, and disposing it is what runs it.
        ResourceGuard? guard = null;
        ManagedTask task = _world.Runtime.SpawnDetached(Task (token) =>
        {
            _ = LaterAsync();
            return Task.CompletedTask;

            async Task LaterAsync()
            {
                await _gate.Task.ConfigureAwait(false);
                guard = ResourceGuard.Protect(_world, static world => world.Log("cleaned up"));
            }
        });
        _world.Run();
        task.State.ShouldBe(TaskState.Completed);
        _gate.SetResult();
        guard!.IsDone.ShouldBeFalse();
        _world.Trace.ShouldBeEmpty();
        guard.Dismiss().ShouldBeTrue();
    }

    [Theory]
    [InlineData(What.Guard)]
    [InlineData(What.Scope)]
    [InlineData(What.Pool)]
    [InlineData(What.Collector)]
    public void C12_WhatPlainCodeDisposesIsDisposedThereAlthoughItsTaskWasCanceled(What what)
    {
        TaskScope around = _world.Runtime.OpenScope("around");
        TaskScope? scope = null;
        TaskPool? pool = null;
        ManagedTask? inside = null;
        ManagedTask task = StartPastTheGate(async token =>
        {
            try
            {
                await using IAsyncDisposable disposed = Made();
                switch (disposed)
                {
                    case ResourceGuard guard:
                        await using (guard.ConfigureAwait(false))
                        {
                            await _end.Task.WaitAsync(token).ConfigureAwait(false);
                        }

                        break;
                    default:
                        await _end.Task.WaitAsync(token).ConfigureAwait(false);
                        break;
                }
            }
            finally
            {
                _world.Log("left");
            }
        });
        task.Cancel();
        RunUntilEnded(task);
        task.State.ShouldBe(TaskState.Canceled);
        _world.Trace.ShouldBe(what == What.Guard ? ["cleaned up", "left"] : ["left"]);
        scope?.IsClosed.ShouldBeTrue("it was disposed");
        (inside is null || inside.State == TaskState.Canceled).ShouldBeTrue("what lived inside was canceled and waited for");
        _world.CloseAndBeEmpty(around);

        IAsyncDisposable Made()
        {
            switch (what)
            {
                case What.Guard:
                    return ResourceGuard.Protect(_world, static world => world.Log("cleaned up"));
                case What.Scope:
                    scope = _world.Runtime.OpenScope("disposed");
                    inside = scope.Spawn(static _ => Future.Delay(TimeSpan.FromHours(1)));
                    return scope;
                case What.Pool:
                    pool = _world.Runtime.CreatePool("disposed", 1);
                    pool.TrySpawn(static _ => Future.Delay(TimeSpan.FromHours(1)), out inside).ShouldBeTrue();
                    return pool;
                default:
                    var collector = new TaskCollector<int>(around);
                    inside = collector.Add(static async _ =>
                    {
                        await Future.Delay(TimeSpan.FromHours(1));
                        return 1;
                    });
                    return collector;
            }
        }
    }

    [Theory]
    [InlineData(What.Guard)]
    [InlineData(What.Scope)]
    [InlineData(What.Pool)]
    [InlineData(What.Collector)]
    public void C12_WhatPlainCodeDisposesByAwaitingTheFutureIsDisposedThereAlthoughItsTaskWasCanceled(What what)
    {
        TaskScope around = _world.Runtime.OpenScope("around");
        ManagedTask? inside = null;
        ManagedTask task = StartPastTheGate(async token =>
        {
            Func<Future> dispose = Made();
            try
            {
                await _end.Task.WaitAsync(token).ConfigureAwait(false);
            }
            finally
            {
                await dispose();
                _world.Log("left");
            }
        });
        task.Cancel();
        RunUntilEnded(task);
        task.State.ShouldBe(TaskState.Canceled);
        _world.Trace.ShouldBe(what == What.Guard ? ["cleaned up", "left"] : ["left"]);
        (inside is null || inside.State == TaskState.Canceled).ShouldBeTrue("what lived inside was canceled and waited for");
        _world.CloseAndBeEmpty(around);

        Func<Future> Made()
        {
            switch (what)
            {
                case What.Guard:
                    return ResourceGuard.Protect(_world, static world => world.Log("cleaned up")).DisposeAsync;
                case What.Scope:
                    TaskScope scope = _world.Runtime.OpenScope("disposed");
                    inside = scope.Spawn(static _ => Future.Delay(TimeSpan.FromHours(1)));
                    return scope.DisposeAsync;
                case What.Pool:
                    TaskPool pool = _world.Runtime.CreatePool("disposed", 1);
                    pool.TrySpawn(static _ => Future.Delay(TimeSpan.FromHours(1)), out inside).ShouldBeTrue();
                    return pool.DisposeAsync;
                default:
                    var collector = new TaskCollector<int>(around);
                    inside = collector.Add(static async _ =>
                    {
                        await Future.Delay(TimeSpan.FromHours(1));
                        return 1;
                    });
                    return collector.DisposeAsync;
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C12_AShieldKeepsTheCancellationAwayFromTheCleanUp(bool afterAnAwait)
    {
        if (!afterAnAwait)
        {
            _gate.SetResult();
        }

        ManagedTask task = StartPastTheGate(async token =>
        {
            try
            {
                await _end.Task.WaitAsync(token).ConfigureAwait(false);
            }
            finally
            {
                using (ManagedTask.Shield())
                {
                    _world.Log($"token {ManagedTask.CurrentToken.IsCancellationRequested}");
                    await SleepAsync();
                    _world.Log("slept");
                    await InnerAsync().ConfigureAwait(false);
                }

                _world.Log($"token {ManagedTask.CurrentToken.IsCancellationRequested}");
                try
                {
                    await SleepAsync();
                    _world.Log("not canceled");
                }
                catch (OperationCanceledException)
                {
                    _world.Log("canceled");
                }
            }
        });
        task.Cancel();
        for (int i = 0; i < 2; i++)
        {
            Eventually.Is(Sleeps, Failsafe).ShouldBeTrue("the clean-up sleeps, and nothing interrupts that");
            _world.Advance(1);
        }

        RunUntilEnded(task);
        _world.Trace.ShouldBe(["token False", "slept", "slept inside", "token True", "canceled"]);
        task.State.ShouldBe(TaskState.Canceled);
        _world.ShouldBeEmpty();

        bool Sleeps()
        {
            _world.Run();
            return _world.Timers == 1;
        }

        // What is called under the shield is under it, too.
        async Task InnerAsync()
        {
            await SleepAsync();
            _world.Log("slept inside");
        }
    }

    [Fact]
    public void C12_AShieldOfOneBranchKeepsNothingAwayFromAnother()
    {
        var other = new TaskCompletionSource();
        ManagedTask task = StartPastTheGate(async token =>
        {
            Task shielded = ShieldedAsync();
            await UnshieldedAsync(token).ConfigureAwait(false);
            await shielded.ConfigureAwait(false);
        });
        task.Cancel();
        other.SetResult();
        RunUntilEnded(task);
        _world.Trace.ShouldBe(["token True", "canceled"]);
        _world.ShouldBeEmpty();

        async Task ShieldedAsync()
        {
            using CancelShield shield = ManagedTask.Shield();
            await _end.Task.ConfigureAwait(false);
        }

        async Task UnshieldedAsync(CancellationToken token)
        {
            await other.Task.ConfigureAwait(false);
            _world.Log($"token {ManagedTask.CurrentToken.IsCancellationRequested}");
            try
            {
                await SleepAsync();
                _world.Log("not canceled");
            }
            catch (OperationCanceledException)
            {
                _world.Log("canceled");
            }
            finally
            {
                _end.SetResult();
            }
        }
    }

    [Fact]
    public void C12_AShieldDoesNotPassToTasksThatAreSpawnedUnderIt()
    {
        ManagedTask? child = null;
        ManagedTask task = StartPastTheGate(async token =>
        {
            using (ManagedTask.Shield())
            {
                child = _world.Runtime.SpawnDetached(async Task (_) =>
                {
                    ManagedTask.Current!.Cancel();
                    await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                    _world.Log($"token {ManagedTask.CurrentToken.IsCancellationRequested}");
                });
            }

            await child;
        });
        RunUntilEnded(task);
        _world.Trace.ShouldBe(["token True"]);
    }

    // A future of its own: plain code that awaits it waits for a task, which is canceled with the one for which the code runs.
    private static async Future SleepAsync() => await Future.Delay(TimeSpan.FromSeconds(1));

    // Plain code goes on where the gate is opened, on a thread of its own and outside any step.
    private ManagedTask StartPastTheGate(Func<CancellationToken, Task> body)
    {
        ManagedTask task = _world.Runtime.SpawnDetached(
            async Task (token) =>
            {
                await _gate.Task.ConfigureAwait(false);
                await body(token).ConfigureAwait(false);
            },
            "owner");
        _world.Run();
        var opener = new Thread(() => _gate.TrySetResult());
        opener.Start();
        opener.Join();
        return task;
    }

    // What plain code does may come by way of the thread pool.
    private void RunUntilEnded(ManagedTask task) => Eventually.Is(
        () =>
        {
            _world.Run();
            return task.HasLeft;
        },
        Failsafe).ShouldBeTrue($"{task} is stuck: {_world.Runtime.TakeSnapshot()}");
}
