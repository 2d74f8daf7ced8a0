namespace Moirai.Tests.Results;

/// <summary>The first wins; nobody else is left. Line S167 of docs/semantics/select.md.</summary>
public sealed class RaceTests
{
    [Fact]
    public void The_first_that_completes_wins_and_the_losers_are_canceled_waited_for_and_accounted()
    {
        var world = new World();
        ManagedTask<int>? loser = null;
        TaskOutcome<int> won = world.Run(new Race<int>("price")
            .Add(async _ =>
            {
                loser = (ManagedTask<int>)ManagedTask.Current!;
                try
                {
                    return await NeverAsync();
                }
                finally
                {
                    using (ManagedTask.Shield())
                    {
                        await Future.Yield(); // clean-up that takes its time
                    }

                    world.Log("cleaned up");
                }
            })
            .Add(async _ =>
            {
                await Future.Yield();
                return 7;
            })
            .FirstCompletedAsync());
        world.Log("over");
        world.Trace.ShouldBe(["cleaned up", "over"]);
        won.Index.ShouldBe(1);
        won.Value.ShouldBe(7);
        loser!.State.ShouldBe(TaskState.Canceled);
        loser.CancelCause!.Kind.ShouldBe(CancelKind.NoLongerNeeded);
        loser.CancelCause.Source.ShouldBe("race 'price'");
        loser.Name.ShouldBe("price");
        world.Census.Canceled.ShouldBe(1);
        world.Census.Completed.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void Failures_count_only_when_none_completes()
    {
        var world = new World();
        world.Run(new Race<int>().Add(FailAsync).Add(SlowAsync).FirstCompletedAsync()).Value.ShouldBe(1);
        world.Events.ShouldBeEmpty();
        world.Fails<FormatException>(new Race<int>().Add(FailAsync).FirstCompletedAsync());
        world.Fails<TaskScopeException>(new Race<int>("both").Add(FailAsync).Add(FailAsync).FirstCompletedAsync()).InnerExceptions.Count.ShouldBe(2);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void The_first_outcome_may_be_a_failure_or_a_cancellation()
    {
        var world = new World();
        TaskOutcome<int> failed = world.Run(new Race<int>().Add(FailAsync).Add(async _ => await NeverAsync()).FirstEndedAsync());
        failed.Index.ShouldBe(0);
        failed.Error.ShouldBeOfType<FormatException>();
        TaskOutcome<int> canceled = world.Run(new Race<int>()
            .Add(async _ =>
            {
                ManagedTask.Current!.Cancel("itself");
                return await NeverAsync();
            })
            .Add(async _ => await NeverAsync())
            .FirstEndedAsync());
        canceled.State.ShouldBe(TaskState.Canceled);
        canceled.Task.CancelCause!.Reason.ShouldBe("itself");
        world.Events.ShouldBeEmpty();
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S167_a_branch_that_completed_without_matching_is_not_run_again_and_the_others_go_on()
    {
        var world = new World();
        int runs = 0;
        TaskOutcome<int> won = world.Run(new Race<int>(order: RaceOrder.Biased)
            .Add(
                _ =>
                {
                    runs++;
                    return Future.FromResult(-1);
                },
                accept: value => value > 0)
            .Add(SlowAsync, accept: value => value > 0)
            .FirstCompletedAsync());
        won.Index.ShouldBe(1);
        runs.ShouldBe(1);
        world.Fails<InvalidOperationException>(new Race<int>("picky").Add(SlowAsync, accept: _ => false).FirstEndedAsync())
            .Message.ShouldStartWith("Race 'picky' has no winner: each of its 1 branches completed, and none with a value that it accepts.");
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S167_a_guard_leaves_a_branch_out_without_evaluating_it_and_keeps_its_position()
    {
        var world = new World();
        bool evaluated = false;
        var untouched = Future.FromResult(3);
        TaskOutcome<int> won = world.Run(new Race<int>()
            .Add(
                _ =>
                {
                    evaluated = true;
                    return Future.FromResult(1);
                },
                when: false)
            .Add(untouched, when: false)
            .Add(SlowAsync, when: true)
            .FirstCompletedAsync());
        won.Index.ShouldBe(2);
        evaluated.ShouldBeFalse();
        world.Run(untouched).ShouldBe(3); // it has not run
        world.Census.Created.ShouldBe(3);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S167_in_biased_order_the_one_that_was_added_first_begins_and_wins()
    {
        var world = new World();
        for (int round = 0; round < 20; round++)
        {
            var race = new Race<int>(order: RaceOrder.Biased);
            for (int i = 0; i < 5; i++)
            {
                int me = i;
                race.Add(async _ =>
                {
                    world.Log($"{me}");
                    await Future.Yield();
                    return me;
                });
            }

            world.Run(race.FirstCompletedAsync()).Index.ShouldBe(0);
        }

        world.Trace[..5].ShouldBe(["0", "1", "2", "3", "4"]);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void S167_in_biased_order_the_one_that_was_added_first_wins_also_if_another_ended_before_it()
    {
        BothEndBeforeTheRaceLooks(RaceOrder.Biased).ShouldBe(0);
    }

    [Fact]
    public void S167_in_fair_order_the_one_that_ended_first_wins() => BothEndBeforeTheRaceLooks(RaceOrder.Fair).ShouldBe(1);

    [Fact]
    public void S167_in_fair_order_equal_branches_win_equally_often() => Wins(RaceOrder.Fair).ShouldAllBe(wins => wins > 200 && wins < 300);

    [Fact]
    public void S167_twin_an_order_that_prefers_somebody_is_caught() =>
        Should.Throw<ShouldAssertException>(() => Wins(RaceOrder.Biased).ShouldAllBe(wins => wins > 200 && wins < 300));

    [Fact]
    public void S167_a_task_that_races_in_a_loop_gives_way_to_others()
    {
        var world = new World();
        int races = 0;
        int seen = -1;
        world.Spawn(async _ =>
        {
            for (; races < 200; races++)
            {
                await new Race<int>().Add(Future.FromResult(1)).FirstCompletedAsync();
            }
        });
        world.Spawn(async _ =>
        {
            await Future.Yield();
            seen = races;
        });
        world.Run();
        races.ShouldBe(200);
        seen.ShouldBeInRange(0, 64);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_canceled_racer_takes_its_branches_along_and_waits_for_them()
    {
        var world = new World();
        ManagedTask racer = world.Start(async _ => await new Race<int>()
            .Add(async _ => await CleanAsync())
            .Add(async _ => await CleanAsync())
            .FirstEndedAsync());
        racer.Cancel();
        world.Run();
        racer.State.ShouldBe(TaskState.Canceled);
        world.Trace.ShouldBe(["cleaned up", "cleaned up"]);
        world.Census.Canceled.ShouldBe(3);
        ManagedTask early = world.Start(async _ =>
        {
            ManagedTask.Current!.Cancel();
            await new Race<int>().Add(SlowAsync).FirstCompletedAsync();
        });
        early.State.ShouldBe(TaskState.Canceled);
        world.ShouldBeEmpty();

        async Future<int> CleanAsync()
        {
            try
            {
                return await NeverAsync();
            }
            finally
            {
                world.Log("cleaned up");
            }
        }
    }

    [Fact]
    public void A_race_under_a_timeout_leaves_nothing()
    {
        var world = new World();
        ManagedTask racer = world.Start(async _ => await new Race<int>().Add(async _ => await NeverAsync()).FirstCompletedAsync().WithTimeout(TimeSpan.FromSeconds(1)));
        world.Advance(1);
        racer.Exception.ShouldBeOfType<TaskTimeoutException>();
        world.Timers.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    [Fact]
    public void A_loser_that_fails_while_it_is_canceled_is_told()
    {
        var world = new World();
        world.Run(new Race<int>("price")
            .Add(async _ =>
            {
                try
                {
                    return await NeverAsync();
                }
                finally
                {
                    Throw();
                }
            })
            .Add(SlowAsync)
            .FirstCompletedAsync()).Index.ShouldBe(1);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.UnobservedFailure);
        told.Message.ShouldContain("a branch of race 'price' that was no longer needed, failed: FormatException");
        world.ShouldBeEmpty();

        static void Throw() => throw new FormatException();
    }

    [Fact]
    public void Bad_input()
    {
        var world = new World();
        world.Fails<InvalidOperationException>(new Race<int>("empty").FirstCompletedAsync()).Message.ShouldBe("Race 'empty' has nobody to run: no branch was added. Add one that always runs.");
        world.Fails<InvalidOperationException>(new Race<int>("guarded").Add(SlowAsync, when: false).FirstEndedAsync())
            .Message.ShouldContain("all of its 1 branches were left out by their guards");
        var race = new Race<int>("twice").Add(SlowAsync);
        world.Run(race.FirstCompletedAsync());
        world.Fails<InvalidOperationException>(race.FirstCompletedAsync()).Message.ShouldContain("was run already and was to be run again");
        Should.Throw<InvalidOperationException>(() => race.Add(SlowAsync)).Message.ShouldContain("was given another branch");
        Should.Throw<InvalidOperationException>(() => race.Add(SlowAsync, when: false));
        Should.Throw<ArgumentNullException>(() => new Race<int>(null!));
        Should.Throw<ArgumentOutOfRangeException>(() => new Race<int>(order: (RaceOrder)9)).Message.ShouldContain("take Fair or Biased");
        Should.Throw<ArgumentNullException>(() => new Race<int>().Add((Func<CancellationToken, Task<int>>)null!));
        Should.Throw<InvalidOperationException>(() => new Race<int>().Add(default(Future<int>)));
        Future<int> used = Future.FromResult(1);
        world.Run(used);
        Should.Throw<InvalidOperationException>(() => new Race<int>().Add(used)).Message.ShouldContain("has already run");
        Future<int> late = Future.FromResult(1);
        Race<int> kept = new Race<int>(order: RaceOrder.Biased).Add(async _ => await NeverAsync()).Add(late);
        world.Run(late);
        world.Fails<InvalidOperationException>(kept.FirstCompletedAsync()).Message.ShouldContain("has already run");
        world.Fails<FormatException>(new Race<int>().Add(Future.FromResult(1), accept: _ => throw new FormatException()).Add(async _ => await NeverAsync()).FirstCompletedAsync());
        world.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_branches_in_plain_code()
    {
        TaskOutcome<int> won = await new Race<int>()
            .Add(PlainAsync)
            .Add(async token => await NeverValueAsync(token))
            .FirstCompletedAsync();
        won.Value.ShouldBe(5);
        won.Index.ShouldBe(0);

        static async Task<int> PlainAsync(CancellationToken token)
        {
            await Task.Yield();
            return 5;
        }

        static async ValueTask<int> NeverValueAsync(CancellationToken token)
        {
            var never = new TaskCompletionSource<int>();
            using (token.Register(never.SetCanceled))
            {
                return await never.Task;
            }
        }
    }

    [Fact]
    public async Task An_outcome_is_given_out_when_its_end_is_published_and_not_before()
    {
        // The race and the collector are woken by the thread that ends the branch, which publishes the end only then.
        await using var runtime = new TaskRuntime();
        await runtime.RunScopeAsync("many", async scope =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                (await new Race<int>().Add(Future.FromResult(i)).FirstCompletedAsync()).Value.ShouldBe(i);
                var collector = new TaskCollector<int>(scope);
                _ = collector.Add(Future.FromResult(i));
                (await collector.CollectFirstAsync()).ShouldBe(i);
            }
        });
        World.ShouldBeEmpty(runtime);
    }

    internal static async Future<int> NeverAsync()
    {
        await new Gate().WaitAsync();
        return 0;
    }

    private static async Future<int> SlowAsync(CancellationToken token)
    {
        await Future.Yield();
        await Future.Yield();
        return 1;
    }

    private static async Future<int> FailAsync(CancellationToken token)
    {
        await Future.Yield();
        throw new FormatException();
    }

    private static int BothEndBeforeTheRaceLooks(RaceOrder order)
    {
        var world = new World();
        var first = new Gate();
        var second = new Gate();
        ManagedTask<TaskOutcome<int>> race = world.Spawn(async _ => await new Race<int>(order: order)
            .Add(async _ =>
            {
                await first.WaitAsync();
                return 0;
            })
            .Add(async _ =>
            {
                await second.WaitAsync();
                return 1;
            })
            .FirstCompletedAsync());
        world.Run();
        second.Open();
        first.Open(); // both are ready before the race is
        world.Run();
        world.ShouldBeEmpty();
        return race.Result.Index;
    }

    private static int[] Wins(RaceOrder order)
    {
        var world = new World();
        var chance = new Random(4_711);
        var wins = new int[4];
        for (int i = 0; i < 1_000; i++)
        {
            var race = new Race<int>(order: order) { Chance = chance };
            foreach (int _ in wins)
            {
                race.Add(Future.FromResult(1));
            }

            wins[world.Run(race.FirstCompletedAsync()).Index]++;
        }

        world.ShouldBeEmpty();
        return wins;
    }
}
