using Moirai.Execution;
using Moirai.Tests.Timers;

namespace Moirai.Tests.Scopes;

/// <summary>Scopes that have to end in time: settable, movable, inherited; the earliest enclosing one that no shield keeps out counts.</summary>
public sealed class DeadlineTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Fact]
    public void A_scope_whose_deadline_comes_cancels_body_and_tasks_and_throws_a_timeout_that_names_them()
    {
        var world = new World();
        ManagedTask? child = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("import", 5 * Second, async scope =>
        {
            child = scope.Spawn(async _ => await Future.Delay(Hour), name: "parse");
            await Future.Delay(Hour);
        }));
        world.Pass(4.999);
        task.State.ShouldBe(TaskState.Blocked);
        world.Pass(0.001);

        child!.State.ShouldBe(TaskState.Canceled);
        child.CancelCause!.Kind.ShouldBe(CancelKind.TimedOut);
        child.CancelCause.Source.ShouldBe("the deadline of 'import'");
        TaskTimeoutException error = task.Exception.ShouldBeOfType<TaskTimeoutException>();
        error.Operation.ShouldBe($"scope 'import' in {task.Title}");
        error.Within.ShouldBe(5 * Second);
        error.WaitingFor.ShouldStartWith($"{child.Title}, which waited for a timer");
        world.Events.Select(what => what.Kind).ShouldBe([RuntimeEventKind.TimedOut]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_scope_that_ends_in_time_gives_its_result_and_leaves_no_entry()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask<int> task = world.Spawn(async ct => await world.Runtime.RunScopeAsync("quick", Hour, async scope =>
        {
            await gate.WaitAsync();
            return 3;
        }));
        world.Run();
        world.Timers.ShouldBe(1);
        gate.Open();
        world.Run();
        task.Result.ShouldBe(3);
        world.Timers.ShouldBe(0);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A1_whichever_way_a_scope_with_a_deadline_ends_it_leaves_no_entry() => EndsWithoutEntries(static _ => { });

    [Fact]
    public void A1_twin_a_deadline_that_stays_behind_is_caught() => Should.Throw<ShouldAssertException>(() => EndsWithoutEntries(static engine =>
    {
        var entry = new TestWait();
        engine.Timers.Arm(entry, engine.Timers.DueIn(Hour), entry.Park());
    }));

    [Theory]
    [InlineData(5, 2, 9)]
    [InlineData(5, 2, 3)]
    [InlineData(5, 2, 2)]
    [InlineData(5, 2, 1)]
    public void A_deadline_may_be_moved_later_and_earlier_and_into_the_past_with_one_entry(double first, double at, double to)
    {
        var world = new World();
        TaskScope? scope = null;
        DateTimeOffset start = world.Time.GetUtcNow();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("moved", async inner =>
        {
            scope = inner;
            inner.Deadline = start.AddSeconds(first);
            await Future.Delay(Timeout.InfiniteTimeSpan);
        }));
        world.Timers.ShouldBe(2);
        world.Pass(at);
        scope!.Deadline = start.AddSeconds(to);
        world.Run();
        if (to > at)
        {
            scope.Deadline.ShouldBe(start.AddSeconds(to));
            world.Timers.ShouldBe(2);
            world.Pass(to - at - 0.001);
            task.State.ShouldBe(TaskState.Blocked);
            world.Pass(0.001);
        }

        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.Time.Elapsed.TotalSeconds.ShouldBe(Math.Max(at, to));
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_deadline_may_be_withdrawn_and_one_that_is_over_stays_over()
    {
        var world = new World();
        TaskScope? scope = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("withdrawn", 5 * Second, async inner =>
        {
            scope = inner;
            await Future.Delay(Timeout.InfiniteTimeSpan);
        }));
        scope!.Deadline = null;
        scope.Deadline.ShouldBeNull();
        world.Timers.ShouldBe(1);
        world.Pass(100);
        task.State.ShouldBe(TaskState.Blocked);
        scope.CancelAfter(Second);
        world.Time.Advance(Second);
        scope.CancelAfter(Hour); // too late
        world.Run();
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        scope.CancelAfter(Second); // nothing happens any more
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(-1_000_000)]
    public void S105_a_deadline_of_zero_or_less_is_over_at_the_first_wait(double seconds)
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("none", TimeSpan.FromSeconds(seconds), async scope =>
        {
            world.Log("first step");
            await Future.Yield();
            world.Log("second step");
        }));
        world.Trace.ShouldBe(["first step"]);
        task.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("CancelAfter(0)")]
    [InlineData("Deadline = now")]
    [InlineData("Deadline, moved to the past")]
    public void A6_a_deadline_in_the_past_is_over_at_once_and_waits_for_no_turn_of_the_timers(string how)
    {
        var world = new World();
        DateTimeOffset start = world.Time.GetUtcNow();
        TaskScope scope = world.Runtime.OpenScope("late");
        ManagedTask child = scope.Spawn(async _ => await Future.Delay(Hour), name: "child");
        CancellationToken token = scope.CancellationToken;
        world.Run();
        switch (how)
        {
            case "CancelAfter(0)":
                scope.CancelAfter(TimeSpan.Zero);
                break;
            case "Deadline = now":
                scope.Deadline = start;
                break;
            default:
                scope.CancelAfter(Hour);
                scope.Deadline = start.AddDays(-1);
                break;
        }

        scope.CancelCause.ShouldNotBeNull().Source.ShouldBe("the deadline of 'late'");
        token.IsCancellationRequested.ShouldBeTrue();
        world.Timers.ShouldBe(0);
        scope.CancelAfter(Hour); // one that is over stays over
        world.Timers.ShouldBe(0);
        world.Executor.RunUntilStalled();
        child.CancelCause!.Kind.ShouldBe(CancelKind.TimedOut);
        world.Fails<TaskTimeoutException>(scope.JoinAsync()).WaitingFor.ShouldStartWith($"{child.Title}, which waited for a timer");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A6_a_deadline_in_the_past_is_over_at_once_on_a_clock_finer_than_the_timers()
    {
        using var runtime = new StoppedRuntime();
        TaskScope scope = runtime.Runtime.OpenScope("late");
        scope.CancelAfter(TimeSpan.Zero);
        scope.CancelCause.ShouldNotBeNull().Kind.ShouldBe(CancelKind.TimedOut);
    }

    /// <summary>On a clock of nanoseconds that stands still, whose timers never come.</summary>
    private sealed class StoppedRuntime : TimeProvider, IDisposable
    {
        public StoppedRuntime() => Runtime = new TaskRuntime(new TaskRuntimeOptions { Executor = new LocalExecutor(), TimeProvider = this });

        public TaskRuntime Runtime { get; }

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => 123_456_789;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Timer();

        public void Dispose() => Runtime.Engine.Timers.Dispose();

        private sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }

    [Fact]
    public void S107_far_deadlines_neither_overflow_nor_fire_early()
    {
        var world = new World();
        DateTimeOffset start = world.Time.GetUtcNow();
        List<TaskScope> scopes = [];
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("a", TimeSpan.MaxValue, async a =>
            await world.Runtime.RunScopeAsync("b", Timeout.InfiniteTimeSpan, async b =>
            {
                scopes.AddRange([a, b]);
                b.Deadline = start.AddYears(10);
                await Future.Delay(Timeout.InfiniteTimeSpan);
            })));
        scopes[0].Deadline.ShouldBeNull(); // so far away that it never comes
        world.Time.Advance(start.AddYears(10) - start - TimeSpan.FromTicks(1));
        world.Run();
        task.State.ShouldBe(TaskState.Blocked);
        world.Time.Advance(TimeSpan.FromTicks(1));
        world.Run();
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Operation.ShouldStartWith("scope 'b'");
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(3, 8, "outer")]
    [InlineData(8, 3, "inner")]
    public void The_earlier_of_two_enclosing_deadlines_counts(double outer, double inner, string ends)
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("outer", TimeSpan.FromSeconds(outer), async o =>
        {
            ManagedTask child = o.Spawn(async _ => await world.Runtime.RunScopeAsync("inner", TimeSpan.FromSeconds(inner), async i =>
            {
                await Future.Delay(Hour);
            }));
            await child;
        }));
        world.Pass(2.999);
        task.State.ShouldBe(TaskState.Blocked);
        world.Pass(0.001);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Operation.ShouldStartWith($"scope '{ends}'");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S095_the_effective_deadline_is_the_earliest_of_those_around_that_no_shield_keeps_out()
    {
        var world = new World();
        DateTimeOffset start = world.Time.GetUtcNow();
        ManagedTask.CurrentDeadline.ShouldBeNull();
        ManagedTask task = world.Start(async ct =>
        {
            ManagedTask.CurrentDeadline.ShouldBeNull();
            await world.Runtime.RunScopeAsync("ten", 10 * Second, async ten =>
            {
                Ask().ShouldBe(10);
                await AsFuture(async () =>
                {
                    Ask().ShouldBe(7);
                    await world.Runtime.RunScopeAsync("twenty", 20 * Second, async twenty =>
                    {
                        Ask().ShouldBe(7);
                        Seconds(twenty.Deadline).ShouldBe(20);
                        Seconds(twenty.EffectiveDeadline).ShouldBe(7);
                        ManagedTask child = twenty.Spawn(async _ =>
                        {
                            Ask().ShouldBe(7);
                            await AsFuture(async () => Ask().ShouldBe(2)).WithTimeout(2 * Second);
                            using (ManagedTask.Shield())
                            {
                                Ask().ShouldBe(-1);
                                await AsFuture(async () => Ask().ShouldBe(5)).WithTimeout(5 * Second);
                                await world.Runtime.RunScopeAsync("shielded", 30 * Second, async shielded =>
                                {
                                    Ask().ShouldBe(30);
                                    await shielded.Spawn(async _ => Ask().ShouldBe(30));
                                });
                            }
                        });
                        await child;
                        ten.Deadline = start.AddSeconds(4);
                        Ask().ShouldBe(4);
                        Seconds(twenty.EffectiveDeadline).ShouldBe(4);
                        ten.Deadline = start.AddSeconds(15);
                        twenty.Deadline = start.AddSeconds(6);
                        Ask().ShouldBe(6);
                        twenty.Deadline = null;
                        Ask().ShouldBe(7);
                    });
                }).WithTimeout(7 * Second);
                Ask().ShouldBe(15);
            });
            ManagedTask.CurrentDeadline.ShouldBeNull();
        });
        task.State.ShouldBe(TaskState.Completed, task.Exception?.ToString());
        world.ShouldBeEmpty();

        double Ask() => Seconds(ManagedTask.CurrentDeadline);
        double Seconds(DateTimeOffset? instant) => instant is { } known ? (known - start).TotalSeconds : -1;
        static async Future AsFuture(Func<Future> body) => await body();
    }

    [Fact]
    public void S095_what_is_canceled_has_no_time_left_except_under_a_shield()
    {
        var world = new World();
        TaskScope? scope = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("canceled", Hour, async inner =>
        {
            scope = inner;
            inner.Cancel();
            ManagedTask.CurrentDeadline.ShouldBe(DateTimeOffset.MinValue);
            inner.EffectiveDeadline.ShouldBe(DateTimeOffset.MinValue);
            using (ManagedTask.Shield())
            {
                ManagedTask.CurrentDeadline.ShouldBeNull();
                await Future.Yield();
            }
        }));
        task.State.ShouldBe(TaskState.Completed, task.Exception?.ToString());
        ManagedTask other = world.Start(async ct =>
        {
            ManagedTask.Current!.Cancel();
            ManagedTask.CurrentDeadline.ShouldBe(DateTimeOffset.MinValue);
        });
        other.State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S095_a_hundred_thousand_nested_scopes_are_asked_without_a_stack()
    {
        const int Depth = 20_000;
        var world = new World();
        DateTimeOffset? innermost = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("outermost", Hour, async scope => await NestAsync(Depth)));
        task.State.ShouldBe(TaskState.Completed);
        innermost.ShouldBe(world.Time.GetUtcNow() + Hour);
        world.ShouldBeEmpty();

        Future NestAsync(int depth) => world.Runtime.RunScopeAsync("nested", async scope =>
        {
            if (depth == 0)
            {
                innermost = ManagedTask.CurrentDeadline;
            }
            else
            {
                await NestAsync(depth - 1);
            }
        });
    }

    [Fact]
    public void S085_a_scope_under_a_shield_keeps_to_its_own_deadline_and_not_to_the_outer_one()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("outer", Second, async outer =>
        {
            using (ManagedTask.Shield())
            {
                try
                {
                    await world.Runtime.RunScopeAsync("inner", 3 * Second, async inner =>
                    {
                        ManagedTask child = inner.Spawn(async _ => await Future.Delay(Hour));
                        await child;
                    });
                }
                catch (TaskTimeoutException error)
                {
                    world.Log($"{error.Operation.Split(' ')[1]} at {world.Time.Elapsed.TotalSeconds}");
                }
            }

            await Future.Yield();
        }));
        world.Pass(2.9);
        world.Trace.ShouldBeEmpty();
        world.Pass(0.1);
        world.Trace.ShouldBe(["'inner' at 3"]);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().Operation.ShouldStartWith("scope 'outer'");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S109_a_body_that_swallows_the_deadline_has_timed_out_and_one_that_throws_has_failed()
    {
        var world = new World();
        ManagedTask<int> swallows = world.Spawn(async ct => await world.Runtime.RunScopeAsync("swallows", Second, async scope => await SwallowAsync(null)));
        var own = new ArithmeticException("own");
        ManagedTask<int> throws = world.Spawn(async ct => await world.Runtime.RunScopeAsync("throws", Second, async scope => await SwallowAsync(own)));
        world.Run();
        world.Pass(1);
        swallows.Exception.ShouldBeOfType<TaskTimeoutException>();
        throws.Exception.ShouldBeSameAs(own);
        world.ShouldBeEmpty();

        static async Future<int> SwallowAsync(Exception? own)
        {
            try
            {
                await Future.Delay(Hour);
            }
            catch (OperationCanceledException)
            {
                if (own is not null)
                {
                    throw own;
                }
            }

            return 1;
        }
    }

    [Fact]
    public void S109_a_body_that_was_ready_before_it_could_be_told_keeps_its_value()
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask<int> task = world.Spawn(async ct => await world.Runtime.RunScopeAsync("ready", Second, async scope =>
        {
            await gate.WaitAsync();
            return 3;
        }));
        world.Run();
        gate.Open();
        world.Time.Advance(Second);
        world.Run();
        task.Result.ShouldBe(3);
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Foreign_code_that_heeds_the_current_token_ends_with_the_deadline()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("foreign", Second, async scope =>
        {
            var never = new TaskCompletionSource();
            CancellationToken token = ManagedTask.CurrentToken;
            await using CancellationTokenRegistration end = token.UnsafeRegister(_ => never.SetCanceled(token), null);
            await never.Task.ConfigureAwait(false);
        }));
        world.Pass(1);
        task.Exception.ShouldBeOfType<TaskTimeoutException>().InnerException.ShouldBeAssignableTo<OperationCanceledException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_failure_hides_no_deadline_and_a_deadline_no_failure()
    {
        var world = new World();
        var failure = new ArithmeticException("child");
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("both", Second, async scope =>
        {
            _ = scope.Spawn(async _ =>
            {
                try
                {
                    await Future.Delay(Hour);
                }
                catch (OperationCanceledException)
                {
                    throw failure;
                }
            });
            await Future.Delay(Hour);
        }));
        world.Pass(1);
        task.Exception.ShouldBeSameAs(failure);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void An_opened_scope_has_a_deadline_too_and_its_join_tells()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("opened");
        scope.CancelAfter(Second);
        ManagedTask child = scope.Spawn(async _ => await Future.Delay(Hour), name: "slow");
        world.Run();
        world.Pass(1);
        child.State.ShouldBe(TaskState.Canceled);
        scope.CancelCause!.Source.ShouldBe("the deadline of 'opened'");
        TaskTimeoutException error = world.Fails<TaskTimeoutException>(scope.JoinAsync());
        error.WaitingFor.ShouldContain("'slow'");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_deadline_that_finds_nothing_to_cancel_is_no_error()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("idle");
        scope.CancelAfter(Second);
        _ = scope.Spawn(async _ => await Future.Yield());
        world.Run();
        world.Pass(1);
        world.Run(scope.JoinAsync());
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Under_the_system_clock_the_callbacks_of_tokens_run_on_no_timer_thread()
    {
        await using var runtime = new TaskRuntime();
        var ofScope = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var ofTask = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await Should.ThrowAsync<TaskTimeoutException>(async () => await runtime.RunScopeAsync("tokens", Timeout.InfiniteTimeSpan, async scope =>
        {
            // Registrations that stay: who is woken by the cancellation would else take them back before the pool comes to call them.
            _ = scope.CancellationToken.UnsafeRegister(_ => ofScope.TrySetResult(Thread.CurrentThread.Name), null);
            _ = scope.Spawn(async ct =>
            {
                _ = ct.UnsafeRegister(_ => ofTask.TrySetResult(Thread.CurrentThread.Name), null);
                scope.CancelAfter(TimeSpan.FromMilliseconds(1));
                await Future.Delay(Hour);
            });
            await Future.Delay(Hour);
        }));
        (await ofScope.Task).ShouldNotBe("Moirai timers");
        (await ofTask.Task).ShouldNotBe("Moirai timers");
    }

    [Fact]
    public async Task A4_deadlines_that_are_moved_while_they_fire_cancel_once_or_never()
    {
        // The deadline is moved by one thread while the timer's thread fires it: either it fires, and the scope is canceled, or it is moved, and nobody is.
        await using var runtime = new TaskRuntime();
        for (int i = 0; i < 200; i++)
        {
            TaskScope scope = runtime.OpenScope("raced");
            var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            ManagedTask child = scope.Spawn(async _ => await answer.Task.WithTimeout(Timeout.InfiniteTimeSpan));
            scope.CancelAfter(TimeSpan.FromMicroseconds(i % 50 * 40));
            for (int moves = 0; moves < 50 && scope.CancelCause is null; moves++)
            {
                scope.CancelAfter(TimeSpan.FromMicroseconds(moves % 7 * 300));
            }

            scope.CancelAfter(Hour);
            answer.TrySetResult();
            bool timedOut = false;
            try
            {
                await scope.JoinAsync();
            }
            catch (TaskTimeoutException)
            {
                timedOut = true;
            }

            if (scope.CancelCause is { } cause)
            {
                cause.Kind.ShouldBe(CancelKind.TimedOut);
            }
            else
            {
                timedOut.ShouldBeFalse();
                child.State.ShouldBe(TaskState.Completed);
            }

            scope.IsClosed.ShouldBeTrue();
            runtime.TakeTimerGauges().Depth.ShouldBe(0);
        }
    }

    private static void EndsWithoutEntries(Action<Engine> plant)
    {
        foreach (string way in (string[])["returns", "throws", "child fails", "canceled", "joined", "disposed"])
        {
            var world = new World();
            ManagedTask task = world.Start(async ct =>
            {
                try
                {
                    await EndAsync(world, way);
                }
                catch (ArithmeticException)
                {
                    // the failure that was asked for
                }
            });
            world.Run();
            if (way == "canceled")
            {
                task.Cancel();
                world.Run();
            }

            task.IsEnded.ShouldBeTrue(way);
            plant(world.Runtime.Engine);
            world.Timers.ShouldBe(0, way);
            world.ShouldBeEmpty();
        }
    }

    private static async Future EndAsync(World world, string way)
    {
        if (way is "joined" or "disposed")
        {
            TaskScope opened = world.Runtime.OpenScope("opened");
            opened.CancelAfter(Hour);
            _ = opened.Spawn(async _ => await Future.Yield());
            await (way == "joined" ? opened.JoinAsync() : opened.DisposeAsync());
            return;
        }

        await world.Runtime.RunScopeAsync("timed", Hour, async scope =>
        {
            switch (way)
            {
                case "throws":
                    throw new ArithmeticException();
                case "child fails":
                    _ = scope.Spawn(Future.FromException(new ArithmeticException()));
                    break;
                case "canceled":
                    await Future.Delay(Timeout.InfiniteTimeSpan);
                    break;
            }
        });
    }
}
