using Moirai.Ground;
using Moirai.Testing;

namespace Moirai.Tests.Alarms;

/// <summary>Alarms of real tasks, on one thread under a clock that the test turns; each with a twin that differs in what the alarm is about.</summary>
[Trait("Row", "C7")]
public sealed class AlarmTests
{
    private readonly List<Alarm> _alarms = [];

    [Theory]
    [InlineData(40, true)]
    [InlineData(20, false)] // the twin
    public void C7_A_task_that_waits_longer_than_its_limit_is_told_with_name_sites_and_what_it_waits_for(int seconds, bool alarmed)
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        var ledger = new AsyncMutex("ledger");
        _ = world.Runtime.SpawnDetached(HoldAsync(ledger, TimeSpan.FromSeconds(seconds)), name: "reconcile");
        world.Run();
        ManagedTask waiter = world.Runtime.SpawnDetached(HoldAsync(ledger, TimeSpan.Zero), name: "order");
        world.Run();

        Turn(world, 60);

        if (!alarmed)
        {
            _alarms.ShouldBeEmpty();
            return;
        }

        Alarm raised = _alarms.First(static alarm => alarm.Name == "order");
        raised.Kind.ShouldBe(AlarmKind.BlockedTooLong);
        raised.Task.ShouldBe(waiter.Id);
        raised.SpawnSite.ShouldStartWith("AlarmTests.cs:");
        raised.AwaitSite.ShouldStartWith("AlarmTests.cs:");
        raised.Detail!.ShouldContain("mutex 'ledger'");
        raised.Detail!.ShouldContain("'reconcile'");
        _alarms.Last(static alarm => alarm.Name == "order").Phase.ShouldBe(AlarmPhase.Cleared);
        world.Runtime.ListAlarms().ShouldBeEmpty();
    }

    [Theory]
    [InlineData(AccountingLevel.Polls, true, 60)]
    [InlineData(AccountingLevel.Exact, true, 60)]
    [InlineData(AccountingLevel.Polls, false, 60)] // the twins stand still
    [InlineData(AccountingLevel.Exact, false, 60)]
    public void C7_Plain_code_that_goes_on_again_and_again_does_not_wait_although_its_task_waits_for_it_all_the_while(AccountingLevel level, bool goesOn, int seconds)
    {
        var limits = new AlarmLimits { OnAlarm = _alarms.Add, Blocked = TimeSpan.FromSeconds(30), WorkerHeld = null };
        World world = new(options =>
        {
            options.Alarms = limits;
            options.Accounting = level;
        });
        bool over = false;
        ManagedTask plain = world.Runtime.SpawnDetached(
            async Task (cancellationToken) =>
            {
                while (!over)
                {
                    await PauseAsync();
                }
            },
            name: "serves");
        ManagedTask under = world.Start(async _ => await ServeAsync(), "serves below");

        Turn(world, seconds);

        _alarms.Where(static alarm => alarm.Phase == AlarmPhase.Raised).Select(static alarm => alarm.Name).Order(StringComparer.Ordinal).ShouldBe(goesOn ? [] : ["serves", "serves below"]);
        world.Time.Advance(TimeSpan.FromSeconds(0.5));
        RuntimeSnapshot snapshot = world.Runtime.TakeSnapshot();
        snapshot.Tasks.Select(static one => one.Waited).ShouldAllBe(waited => waited == TimeSpan.FromSeconds(goesOn ? 0 : seconds - 45));
        over = true;
        Turn(world, 60);
        (plain.State, under.State).ShouldBe((TaskState.Completed, TaskState.Completed));
        world.Runtime.ListAlarms().ShouldBeEmpty();

#pragma warning disable RS0030 // by the clock that the test turns, in code that knows nothing of Moirai
        Task PauseAsync() => Task.Delay(TimeSpan.FromSeconds(goesOn ? 1 : 45), world.Time, CancellationToken.None);
#pragma warning restore RS0030

        async Task ServeAsync()
        {
            while (!over)
            {
                await PauseAsync().ConfigureAwait(false);
            }
        }
    }

    [Fact]
    public void C7_The_limit_of_a_task_outranks_that_of_its_pool_and_that_of_the_runtime()
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        TaskPool slow = world.Runtime.CreatePool("slow", 10);
        slow.BlockedLimit = TimeSpan.FromHours(1);
        TaskScope quick = world.Runtime.OpenScope("quick");
        quick.BlockedLimit = TimeSpan.FromSeconds(5);
        slow.TrySpawn(SleepAsync(), out _, name: "in the slow pool").ShouldBeTrue();
        slow.TrySpawn(SleepAsync(), out ManagedTask? own, name: "with a limit of its own").ShouldBeTrue();
        own!.BlockedLimit = TimeSpan.FromSeconds(10);
        _ = quick.Spawn(SleepAsync(), name: "in the quick scope");
        _ = world.Runtime.SpawnDetached(SleepAsync(), name: "in none");
        world.Run();

        Turn(world, 45);

        _alarms.Where(static alarm => alarm.Phase == AlarmPhase.Raised).Select(static alarm => (alarm.Name, alarm.Limit.TotalSeconds)).ShouldBe([("in the quick scope", 5), ("with a limit of its own", 10), ("in none", 30)]);
    }

    [Fact]
    public void C7_A_task_that_may_wait_for_ever_raises_no_alarm()
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        world.Runtime.SpawnDetached(SleepAsync(), name: "resident").IsResident = true;
        world.Run();

        Turn(world, 60);

        _alarms.ShouldBeEmpty();
    }

    [Fact]
    public void C7_Many_tasks_of_one_place_are_one_alarm_with_their_number()
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        TaskScope scope = world.Runtime.OpenScope("all");
        for (int i = 0; i < 1_000; i++)
        {
            _ = scope.Spawn(SleepAsync(), name: "order");
        }

        world.Run();
        Turn(world, 31);

        _alarms.ShouldHaveSingleItem().Count.ShouldBe(1_000);
        _alarms[0].ToString().ShouldContain("1,000 tasks 'order'");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // the twin heeds its token
    public void C7_A_canceled_task_that_goes_on_is_told(bool deaf)
    {
        World world = Watched(_ => { });
        var promise = new TaskCompletionSource();
        ManagedTask task = world.Runtime.SpawnDetached(async ct => await (deaf ? promise.Task : promise.Task.WaitAsync(ct)), name: "deaf");
        world.Run();
        task.Cancel("no longer wanted");
        world.Run();

        Turn(world, 40);

        _alarms.Count(static alarm => alarm is { Kind: AlarmKind.CancelIgnored, Phase: AlarmPhase.Raised }).ShouldBe(deaf ? 1 : 0);
        if (deaf)
        {
            _alarms[0].ToString().ShouldContain("was canceled");
            promise.SetResult();
            world.Run();
            Turn(world, 1);
            _alarms[^1].Phase.ShouldBe(AlarmPhase.Cleared);
        }
    }

    [Theory]
    [InlineData(-60, 40, true)]
    [InlineData(60, 20, false)] // the twin: the time of day says an hour, and 20 seconds have passed
    public void C7_How_long_a_task_has_been_canceled_is_told_by_the_time_that_passed_and_not_by_the_time_of_day(int minutesSet, int seconds, bool alarmed)
    {
        var time = new SetTime();
        var world = new World(options =>
        {
            options.TimeProvider = time;
            options.Alarms = new AlarmLimits { OnAlarm = _alarms.Add };
        });
        var promise = new TaskCompletionSource();
        ManagedTask task = world.Runtime.SpawnDetached(async _ => await promise.Task, name: "deaf");
        world.Run();
        task.Cancel("no longer wanted");
        world.Run();

        time.Set(TimeSpan.FromMinutes(minutesSet));
        time.Turn(seconds);

        _alarms.Count(static alarm => alarm is { Kind: AlarmKind.CancelIgnored, Phase: AlarmPhase.Raised }).ShouldBe(alarmed ? 1 : 0);
        if (alarmed)
        {
            _alarms[0].Lasted.ShouldBe(TimeSpan.FromSeconds(30));
            time.Turn(60);
            _alarms[^1].Phase.ShouldBe(AlarmPhase.Repeated, "the clock that was set back puts off nothing");
        }
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(3, false)] // the twin has one slot more
    public void C7_A_pool_that_stays_full_is_told(int slots, bool full)
    {
        World world = Watched(_ => { });
        TaskPool pool = world.Runtime.CreatePool("requests", slots);
        for (int i = 0; i < 2; i++)
        {
            pool.TrySpawn(SleepAsync(), out _).ShouldBeTrue();
        }

        world.Run();
        Turn(world, 40);

        _alarms.Count(static alarm => alarm is { Kind: AlarmKind.PoolFull, Name: "requests" }).ShouldBe(full ? 1 : 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the twin: somebody waits for each slot, so none is ever free
    public void C7_A_pool_that_is_full_at_every_look_is_told_only_when_no_slot_was_free_in_between(bool isWaitedFor)
    {
        World world = Watched(_ => { });
        TaskPool pool = world.Runtime.CreatePool("requests", 1);
        pool.TrySpawn(SleepAsync(), out ManagedTask? last).ShouldBeTrue();
        for (int i = 0; i < 60; i++)
        {
            ManagedTask<ManagedTask>? next = isWaitedFor ? world.Runtime.SpawnDetached(async Future<ManagedTask> (_) => await pool.SpawnAsync(SleepAsync()), name: "next") : null;
            world.Run();
            last!.Cancel("makes room");
            world.Run();
            if (next is null)
            {
                pool.TrySpawn(SleepAsync(), out last).ShouldBeTrue();
            }

            last = next?.Result ?? last;
            world.Run();
            pool.Slots.InUse.ShouldBe(1);
            world.Time.Advance(TimeSpan.FromSeconds(1));
        }

        _alarms.Count(static alarm => alarm is { Kind: AlarmKind.PoolFull, Phase: AlarmPhase.Raised }).ShouldBe(isWaitedFor ? 1 : 0);
    }

    [Fact]
    public void C7_Timers_that_are_due_and_do_not_fire_are_told_until_they_have()
    {
        var held = new HeldTime();
        var limits = new AlarmLimits { OnAlarm = _alarms.Add };
        var world = new World(options =>
        {
            options.TimeProvider = held;
            options.Alarms = limits;
        });
        ManagedTask task = world.Runtime.SpawnDetached(async Future (_) => await Future.Delay(TimeSpan.FromSeconds(5)), name: "sleeper");
        world.Run();

        held.Turn(4);
        _alarms.ShouldBeEmpty();
        held.Turn(4);

        Alarm late = _alarms.ShouldHaveSingleItem();
        (late.Kind, late.Name, late.Count).ShouldBe((AlarmKind.TimersLate, "world", 1));
        late.Lasted.ShouldBeInRange(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3));
        held.Release();
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        held.Turn(1);
        (_alarms[^1].Phase, _alarms[^1].Id).ShouldBe((AlarmPhase.Cleared, late.Id));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // the twin: time passes, and the processor does nothing for it
    public void C7_A_thread_that_computes_is_told_from_one_that_is_blocked_by_its_own_clock(bool computes)
    {
        World world = Watched(limits =>
        {
            limits.Every = TimeSpan.FromMilliseconds(computes ? 10 : 1_000);
            limits.WorkerHeld = TimeSpan.FromMilliseconds(computes ? 50 : 30_000); // of which looking takes little, however slow the machine
        });
        _ = world.Runtime.SpawnDetached(KeepThreadAsync(world, computes), name: "keeper");
        world.Run();

        Alarm held = _alarms.First();
        held.Kind.ShouldBe(AlarmKind.WorkerHeld);
        held.Detail!.ShouldStartWith(!OperatingSystem.IsLinux() ? "it computes or is in a call" : computes ? "it computes (0." : "it blocks its thread (");
    }

    [Fact]
    public void C7_Ready_tasks_that_nobody_runs_are_told_and_one_that_gives_way_again_and_again_is_not()
    {
        World world = Watched(_ => { });
        bool over = false;
        _ = world.Runtime.SpawnDetached(YieldUntilAsync(() => over), name: "polite");
        for (int i = 0; i < 100; i++)
        {
            world.Executor.RunOneStep();
            world.Time.Advance(TimeSpan.FromSeconds(1));
        }

        _alarms.ShouldBeEmpty(); // ready at every look, and run in between

        world.Time.Advance(TimeSpan.FromSeconds(1));
        world.Time.Advance(TimeSpan.FromSeconds(1)); // nobody has run it
        Alarm starved = _alarms.ShouldHaveSingleItem();
        starved.Kind.ShouldBe(AlarmKind.Starved);
        starved.Detail!.ShouldContain("'polite'");

        over = true;
        world.Run();
        Turn(world, 1);
        _alarms[^1].Phase.ShouldBe(AlarmPhase.Cleared);
    }

    [Fact]
    public void C7_A_step_that_keeps_its_thread_is_told_while_it_does()
    {
        World world = Watched(_ => { });
        ManagedTask task = world.Runtime.SpawnDetached(BusyAsync(world), name: "busy");
        world.Run();

        Alarm held = _alarms.First();
        held.Kind.ShouldBe(AlarmKind.WorkerHeld);
        held.Task.ShouldBe(task.Id);
        held.Detail!.ShouldContain(nameof(BusyAsync));
        Turn(world, 1);
        _alarms[^1].Phase.ShouldBe(AlarmPhase.Cleared);
    }

    [Fact]
    public void C7_Subscribers_and_the_operator_are_told_and_one_that_throws_harms_nobody()
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        List<Alarm> heard = [];
        using IDisposable bad = world.Runtime.SubscribeToAlarms(static _ => throw new InvalidOperationException("not my day"));
        IDisposable good = world.Runtime.SubscribeToAlarms(heard.Add);
        _ = world.Runtime.SpawnDetached(SleepAsync(), name: "order");
        world.Run();

        Turn(world, 31);
        heard.ShouldHaveSingleItem().Id.ShouldBe(_alarms[0].Id);
        RuntimeEvent told = world.Events.ShouldHaveSingleItem();
        told.Kind.ShouldBe(RuntimeEventKind.Alarm);
        told.Message.ShouldBe(_alarms[0].ToString());

        good.Dispose();
        good.Dispose();
        Turn(world, 40);
        heard.Count.ShouldBe(1);
        _alarms.Count.ShouldBeGreaterThan(1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the twin: somebody still holds the promise
    public async Task C7_The_watch_holds_nothing_that_it_has_looked_at(bool held)
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        TaskCompletionSource? promise = Lose(world);
        if (!held)
        {
            promise = null;
        }

        Turn(world, 31);
        _alarms.ShouldHaveSingleItem().Name.ShouldBe("lost");

        (await world.Runtime.FindLeaksAsync(LeakPolicy.Report)).Leaks.Count.ShouldBe(held ? 0 : 1);
        GC.KeepAlive(promise);
    }

    [Fact]
    public async Task C7_A_runtime_that_was_stopped_raises_no_alarms()
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        Task stop = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
        world.Run();
        await stop;

        world.Time.ActiveTimers.ShouldBe(0);
        Turn(world, 60);
        _alarms.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // the twin goes on, and so does its alarm
    public async Task C7_The_alarms_of_a_runtime_that_is_stopped_are_cleared(bool stopped)
    {
        World world = Watched(limits => limits.Blocked = TimeSpan.FromSeconds(30));
        _ = world.Runtime.SpawnDetached(SleepAsync(), name: "order");
        world.Run();
        Turn(world, 31);
        Alarm raised = _alarms.ShouldHaveSingleItem();

        if (stopped)
        {
            Task stop = world.Runtime.StopAsync(TimeSpan.Zero, TimeSpan.Zero);
            world.Run();
            await stop;
        }

        world.Runtime.ListAlarms().Count.ShouldBe(stopped ? 0 : 1);
        (_alarms[^1].Id, _alarms[^1].Phase).ShouldBe((raised.Id, stopped ? AlarmPhase.Cleared : AlarmPhase.Raised));
        world.Events.Count(static told => told.Kind == RuntimeEventKind.AlarmCleared).ShouldBe(stopped ? 1 : 0);
    }

    [Fact]
    public void Who_subscribes_where_no_alarms_are_raised_is_told_what_to_do() =>
        Should.Throw<InvalidOperationException>(() => new World().Runtime.SubscribeToAlarms(static _ => { })).Message.ShouldContain("TaskRuntimeOptions.Alarms");

    [Fact]
    public void Limits_are_positive_or_null()
    {
        var limits = new AlarmLimits();
        Should.Throw<ArgumentOutOfRangeException>(() => limits.Blocked = TimeSpan.Zero).ParamName.ShouldBe("Blocked");
        Should.Throw<ArgumentOutOfRangeException>(() => limits.PoolFull = TimeSpan.FromSeconds(-1));
        Should.Throw<ArgumentOutOfRangeException>(() => limits.Every = TimeSpan.FromMilliseconds(9));
        Should.Throw<ArgumentOutOfRangeException>(() => limits.RepeatAfter = TimeSpan.Zero);
        limits.Starved = null;
        limits.Starved.ShouldBeNull();
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static TaskCompletionSource Lose(World world)
    {
        var promise = new TaskCompletionSource();
        _ = world.Runtime.SpawnDetached(async Future (_) => await promise.Task, "lost");
        world.Run();
        return promise;
    }

    private World Watched(Action<AlarmLimits> set)
    {
        var limits = new AlarmLimits { OnAlarm = _alarms.Add };
        set(limits);
        return new World(options => options.Alarms = limits);
    }

    private static void Turn(World world, int seconds)
    {
        for (int i = 0; i < seconds; i++)
        {
            world.Time.Advance(TimeSpan.FromSeconds(1));
            world.Run();
        }
    }

    private static async Future HoldAsync(AsyncMutex mutex, TimeSpan time)
    {
        using (await mutex.LockAsync())
        {
            await Future.Delay(time);
        }
    }

    private static async Future SleepAsync() => await Future.Delay(TimeSpan.FromHours(10));

    private static async Future YieldUntilAsync(Func<bool> over)
    {
        while (!over())
        {
            await Future.Yield();
        }
    }

    // The looks happen inside the step. While it computes, a clock that stands still; while it does not, one that runs.
    private static async Future KeepThreadAsync(World world, bool computes)
    {
        await Future.Yield();
        world.Time.Advance(TimeSpan.FromMilliseconds(computes ? 10 : 1_000));
        int thread = ThreadProbe.CurrentId();
        TimeSpan? used = ThreadProbe.ProcessorTime(thread);
        while (computes && ThreadProbe.ProcessorTime(thread) - used < TimeSpan.FromMilliseconds(200))
        {
            Thread.SpinWait(1_000);
        }

        world.Time.Advance(computes ? TimeSpan.FromMilliseconds(60) : TimeSpan.FromMinutes(1));
    }

    // A clock whose time of day can be set, as a person or a time server does it.
    private sealed class SetTime : TimeProvider
    {
        private readonly VirtualTimeProvider _time = new();
        private TimeSpan _set;

        public override long TimestampFrequency => _time.TimestampFrequency;

        public override long GetTimestamp() => _time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => _time.GetUtcNow() + _set;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => _time.CreateTimer(callback, state, dueTime, period);

        public void Set(TimeSpan by) => _set += by;

        public void Turn(int seconds)
        {
            for (int i = 0; i < seconds; i++)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
            }
        }
    }

    // A clock whose timers come late, all but those that come again and again, by which the watch looks.
    private sealed class HeldTime : TimeProvider
    {
        private readonly VirtualTimeProvider _time = new();
        private readonly List<(TimerCallback Callback, object? State)> _due = [];
        private bool _released;

        public override long TimestampFrequency => _time.TimestampFrequency;

        public override long GetTimestamp() => _time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => _time.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            _time.CreateTimer(period > TimeSpan.Zero ? callback : state => Fire(callback, state), state, dueTime, period);

        public void Turn(int seconds)
        {
            for (int i = 0; i < seconds; i++)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
            }
        }

        public void Release()
        {
            _released = true;
            _due.ForEach(static due => due.Callback(due.State));
            _due.Clear();
        }

        private void Fire(TimerCallback callback, object? state)
        {
            if (_released)
            {
                callback(state);
            }
            else
            {
                _due.Add((callback, state));
            }
        }
    }

    private static async Future BusyAsync(World world)
    {
        await Future.Yield();
        for (int i = 0; i < 3; i++)
        {
            world.Time.Advance(TimeSpan.FromSeconds(1)); // the looks happen inside the step
        }
    }
}
