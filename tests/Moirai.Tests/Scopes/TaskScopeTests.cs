namespace Moirai.Tests.Scopes;

/// <summary>Row C11: nobody leaves a scope before all in it has ended, and a failure reaches everybody it concerns, once.</summary>
public sealed class TaskScopeTests
{
    [Fact]
    public void C11_nobody_leaves_before_all_have_ended() => LeavesLast(static (world, body) => world.Runtime.RunScopeAsync("scope", body));

    [Fact]
    public void C11_twin_a_scope_that_leaves_with_its_body_is_caught() => Should.Throw<ShouldAssertException>(() =>
        LeavesLast(static async (world, body) => await body(world.Runtime.OpenScope("left open"))));

    [Fact]
    public void C11_children_may_use_the_locals_of_the_parent()
    {
        var world = new World();
        ManagedTask<int> task = world.Spawn(async ct =>
        {
            int[] sums = new int[10];
            await world.Runtime.RunScopeAsync("sums", async scope =>
            {
                for (int i = 0; i < sums.Length; i++)
                {
                    _ = scope.Spawn((sums, i), static async (state, _) =>
                    {
                        await Future.Yield();
                        state.sums[state.i] = state.i;
                    });
                }

                await Future.Yield();
            });
            return sums.Sum();
        });
        world.Run();
        task.Result.ShouldBe(45);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_a_failing_child_cancels_siblings_and_body_and_the_parent_sees_the_failure_itself()
    {
        var world = new World();
        var failure = new ArithmeticException("child");
        ManagedTask? sibling = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("import", async scope =>
        {
            sibling = scope.Spawn(async ct => await EndLastAsync(world, "sibling", new Gate()));
            _ = scope.Spawn(async ct =>
            {
                await Future.Yield();
                throw failure;
            });
            await EndLastAsync(world, "body", new Gate());
        }));

        task.Exception.ShouldBeSameAs(failure);
        world.Trace.ShouldBe(["sibling ends", "body ends"], ignoreOrder: true);
        sibling!.State.ShouldBe(TaskState.Canceled);
        CancelCause cause = sibling.CancelCause!;
        cause.Kind.ShouldBe(CancelKind.ScopeFailed);
        cause.Error.ShouldBeSameAs(failure);
        cause.Source.ShouldContain("import");
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_the_first_failure_comes_with_the_others_attached()
    {
        var world = new World();
        Exception[] failures = [new ArithmeticException("0"), new FormatException("1"), new TimeoutException("2")];
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("many", async scope =>
        {
            foreach (Exception failure in failures)
            {
                _ = scope.Spawn(async ct => await FailOnTheWayOutAsync(failure, ReferenceEquals(failure, failures[0])));
            }

            await Future.Yield();
        }));

        TaskScopeException thrown = task.Exception.ShouldBeOfType<TaskScopeException>();
        thrown.Scope.ShouldBe("many");
        thrown.InnerException.ShouldBeSameAs(failures[0]);
        thrown.InnerExceptions.ShouldBe(failures, ignoreOrder: true);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_a_failing_parent_leaves_no_orphans()
    {
        var world = new World();
        ManagedTask? child = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("scope", async scope =>
        {
            child = scope.Spawn(async ct => await EndLastAsync(world, "child", new Gate()));
            await Future.Yield();
            throw new ArithmeticException("parent");
        }));

        world.Trace.ShouldBe(["child ends"]);
        child!.State.ShouldBe(TaskState.Canceled);
        task.Exception.ShouldBeOfType<ArithmeticException>();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_a_failure_deep_in_nested_scopes_cancels_everything_on_its_way_out()
    {
        var world = new World();
        var failure = new ArithmeticException("deep");
        ManagedTask task = world.Start(async ct => await NestAsync(world, 5, failure));
        task.Exception.ShouldBeSameAs(failure);
        world.Trace.Length.ShouldBe(5);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void C11_a_scope_opened_and_forgotten_inside_a_scope_is_canceled_and_waited_for()
    {
        var world = new World();
        ManagedTask? orphan = null;
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("outer", async scope =>
        {
            _ = scope.Spawn(async ct =>
            {
                TaskScope forgotten = world.Runtime.OpenScope("forgotten");
                orphan = forgotten.Spawn(async ct => await EndLastAsync(world, "orphan", new Gate()));
                await Future.Yield();
            });
            await Future.Yield();
        }));
        task.State.ShouldBe(TaskState.Completed);
        orphan!.State.ShouldBe(TaskState.Canceled);
        orphan.CancelCause!.Kind.ShouldBe(CancelKind.ScopeLeft);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S073_body_and_child_both_fail_and_both_are_reported()
    {
        var world = new World();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("both", async scope =>
        {
            _ = scope.Spawn(async ct => await FailOnTheWayOutAsync(new FormatException("child"), first: false));
            await Future.Yield();
            throw new ArithmeticException("body");
        }));
        task.Exception.ShouldBeOfType<TaskScopeException>().InnerExceptions.Select(e => e.Message).ShouldBe(["body", "child"]);
    }

    [Fact]
    public void S073_a_failure_that_the_body_passes_on_as_it_is_counts_once()
    {
        var world = new World();
        var failure = new ArithmeticException("child");
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("once", async scope =>
        {
            ManagedTask child = scope.Spawn(async _ =>
            {
                await Future.Yield();
                throw failure;
            });
            using CancelShield shield = ManagedTask.Shield(); // or the body were canceled before it saw the failure
            await child;
        }));
        task.Exception.ShouldBeSameAs(failure);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_scope_that_is_left_without_a_join_tells_of_its_failures_once_however_often_it_is_disposed()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("left");
        _ = scope.Spawn(static _ => Future.FromException(new ArithmeticException("unseen")));
        world.Run();
        world.Run(scope.DisposeAsync());
        world.Run(scope.DisposeAsync());
        world.Events.ShouldHaveSingleItem().Message.ShouldContain("unseen");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S073_a_real_error_beats_a_cancellation()
    {
        var world = new World();
        var failure = new ArithmeticException();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("scope", async scope =>
        {
            ManagedTask canceled = scope.Spawn(async ct => await new Gate().WaitAsync());
            _ = scope.Spawn(async ct => await FailOnTheWayOutAsync(failure, first: false));
            await Future.Yield();
            canceled.Cancel();
            await canceled; // throws its cancellation into the body
        }));
        task.Exception.ShouldBeSameAs(failure);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S075_a_real_exception_after_the_scope_was_canceled_is_the_one_reported()
    {
        var world = new World();
        var failure = new ArithmeticException();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("scope", async scope =>
            await FailOnTheWayOutAsync(failure, first: false)));
        task.Cancel();
        world.Run();
        task.State.ShouldBe(TaskState.Failed);
        task.Exception.ShouldBeSameAs(failure);
    }

    [Fact]
    public void S077_in_a_scope_that_isolates_a_failure_touches_nobody_and_is_told()
    {
        var world = new World();
        var failure = new ArithmeticException();
        ManagedTask<string> task = world.Spawn(async ct => await world.Runtime.RunScopeAsync(
            "supervisor",
            async scope =>
            {
                _ = scope.Spawn(_ => Future.FromException(failure), "failing");
                ManagedTask<string> sibling = scope.Spawn(async ct =>
                {
                    await Future.Delay(TimeSpan.FromSeconds(1));
                    return "well";
                });
                return await sibling;
            },
            ScopePolicy.Isolate));
        world.Run();
        world.Advance(1);
        task.Result.ShouldBe("well");
        RuntimeEvent told = world.EventsAfterCollection(1).ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedFailure);
        told.Error.ShouldBeSameAs(failure);
        told.Message.ShouldContain("failing");
        world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void S077_cancellation_and_a_failing_body_still_cancel_the_children_of_a_scope_that_isolates(bool cancel)
    {
        var world = new World();
        ManagedTask? child = null;
        var gate = new Gate();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync(
            "supervisor",
            async scope =>
            {
                child = scope.Spawn(async ct => await new Gate().WaitAsync());
                await gate.WaitAsync();
                throw new ArithmeticException();
            },
            ScopePolicy.Isolate));
        if (cancel)
        {
            task.Cancel();
        }
        else
        {
            gate.Open();
        }

        world.Run();
        child!.State.ShouldBe(TaskState.Canceled);
        task.State.ShouldBe(cancel ? TaskState.Canceled : TaskState.Failed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S079_a_canceled_parent_ends_after_the_clean_up_of_its_children()
    {
        var world = new World();
        var cleaned = new Gate();
        ManagedTask task = world.Start(async ct => await world.Runtime.RunScopeAsync("scope", async scope =>
        {
            _ = scope.Spawn(async ct => await EndLastAsync(world, "child", new Gate(), cleaned));
            await new Gate().WaitAsync();
        }));
        task.Cancel();
        world.Run();
        task.IsEnded.ShouldBeFalse();
        cleaned.Open();
        world.Run();
        world.Trace.ShouldBe(["child ends"]);
        task.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S017_S093_a_child_may_add_siblings_while_the_scope_is_closing_and_nobody_after_it_has_closed()
    {
        var world = new World();
        TaskScope scope = world.Runtime.OpenScope("once");
        var gate = new Gate();
        _ = scope.Spawn(async ct =>
        {
            await gate.WaitAsync();
            _ = scope.Spawn(async ct => await EndLastAsync(world, "sibling", gate));
        });
        ManagedTask join = world.Start(async ct => await scope.JoinAsync());
        gate.Open();
        world.Run();
        join.State.ShouldBe(TaskState.Completed);
        world.Trace.ShouldBe(["sibling ends"]);
        scope.IsClosed.ShouldBeTrue();

        InvalidOperationException refused = Should.Throw<InvalidOperationException>(() => scope.Spawn(static _ => Future.Completed(), "late"));
        refused.Message.ShouldContain("once");
        refused.Message.ShouldContain("late");
        scope.Cancel().ShouldBeFalse();
        world.Start(async ct => await scope.DisposeAsync()).State.ShouldBe(TaskState.Completed);
        world.Start(async ct => await scope.DisposeAsync()).State.ShouldBe(TaskState.Completed);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S097_leaving_the_outer_scope_first_closes_the_inner_one_and_spawns_into_it_are_refused()
    {
        var world = new World();
        TaskScope? inner = null;
        ManagedTask? child = null;
        ManagedTask task = world.Start(async ct =>
        {
            await world.Runtime.RunScopeAsync("outer", async outer =>
            {
                _ = outer.Spawn(async ct =>
                {
                    inner = world.Runtime.OpenScope("inner");
                    child = inner.Spawn(async ct => await new Gate().WaitAsync());
                    await Future.Yield();
                });
                await Future.Yield();
            });
            inner!.IsClosed.ShouldBeTrue();
            Should.Throw<InvalidOperationException>(() => inner.Spawn(static _ => Future.Completed())).Message.ShouldContain("inner");
        });
        task.Exception.ShouldBeNull();
        child!.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();
    }

    private static void LeavesLast(Func<World, Func<TaskScope, Future>, Future> run)
    {
        var world = new World();
        var gate = new Gate();
        ManagedTask task = world.Start(async ct =>
        {
            await run(world, async scope =>
            {
                for (int i = 0; i < 3; i++)
                {
                    _ = scope.Spawn(async ct => await EndLastAsync(world, "child", gate));
                }

                await Future.Yield();
                world.Log("body ends");
            });
            world.Log("left");
        });
        gate.Open();
        world.Run();
        world.Trace.ShouldBe(["body ends", "child ends", "child ends", "child ends", "left"]);
        task.State.ShouldBe(TaskState.Completed);
    }

    // Waits; when it is canceled its clean-up takes one turn, or as long as the gate says.
    private static async Future EndLastAsync(World world, string who, Gate gate, Gate? cleaned = null)
    {
        try
        {
            await gate.WaitAsync();
        }
        finally
        {
            using CancelShield shield = ManagedTask.Shield();
            await (cleaned is null ? YieldAsync() : cleaned.WaitAsync());
            world.Log($"{who} ends");
        }
    }

    private static async Future FailOnTheWayOutAsync(Exception failure, bool first)
    {
        try
        {
            await (first ? YieldAsync() : new Gate().WaitAsync());
        }
        catch (OperationCanceledException)
        {
            // the failure is what counts
        }

        throw failure;
    }

    private static async Future YieldAsync() => await Future.Yield();

    private static async Future NestAsync(World world, int depth, Exception failure) => await world.Runtime.RunScopeAsync($"depth {depth}", async scope =>
    {
        if (depth == 0)
        {
            throw failure;
        }

        _ = scope.Spawn(async ct => await EndLastAsync(world, "level", new Gate()));
        await Future.Yield();
        await NestAsync(world, depth - 1, failure);
    });
}
