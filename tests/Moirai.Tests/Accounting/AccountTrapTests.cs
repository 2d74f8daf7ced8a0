using System.Runtime.CompilerServices;

namespace Moirai.Tests.Accounting;

/// <summary>What goes wrong with values that flow with execution contexts, one test a trap.</summary>
public sealed class AccountTrapTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly World _world = new(static options => options.Accounting = AccountingLevel.Exact);
    private readonly TaskCompletionSource _gate = new();

    [Fact]
    public void C5_trap_a_clock_that_throws_ends_neither_the_process_nor_the_task_and_the_account_says_that_it_knows_no_times()
    {
        var clock = new BreakingClock();
        World world = new(options =>
        {
            options.Accounting = AccountingLevel.Exact;
            options.TimeProvider = clock;
        });
        ManagedTask task = world.Runtime.SpawnDetached(async Task (_) => await _gate.Task);
        world.Run();
        task.TakeAccount().Busy.ShouldBe(TimeSpan.Zero);
        clock.Breaks = true;
        _gate.SetResult(); // resumes inline: the handler looks at the clock
        clock.Breaks = false;
        world.Run();

        TaskAccount account = task.TakeAccount();
        account.State.ShouldBe(TaskState.Completed);
        account.Polls.ShouldBe(2);
        account.Busy.ShouldBeNull();
        account.Age.ShouldBeNull();
    }

    [Fact]
    public void C5_trap_children_that_inherit_the_context_are_counted_as_threads_and_time_as_time()
    {
        using var arrived = new CountdownEvent(2);
        using var release = new ManualResetEventSlim();
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) => await Task.WhenAll(Task.Run(Child), Task.Run(Child)));
        _world.Run();
        arrived.Wait(TestContext.Current.CancellationToken);
        TaskAccount during = task.TakeAccount();
        _world.Time.Advance(5 * s_second);
        release.Set();
        UntilReady(task);
        _world.Time.Advance(3 * s_second);
        _world.Run();

        during.State.ShouldBe(TaskState.Running);
        during.Threads.ShouldBe(2);
        TaskAccount account = task.TakeAccount();
        account.Busy.ShouldBe(5 * s_second, "two threads at a time are busy once");
        account.Ready.ShouldBe(3 * s_second);
        account.Polls.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(3);
        _world.ShouldBeEmpty();

        void Child()
        {
            arrived.Signal();
            release.Wait();
        }
    }

    [Fact]
    public void C5_trap_a_parallel_loop_inside_leaves_no_thread_behind_in_the_account()
    {
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            Parallel.For(0, 200, static i => Thread.SpinWait(i));
            await Parallel.ForEachAsync(Enumerable.Range(0, 200), static async (i, _) => await Task.Yield());
        });
        _world.Run();
        UntilReady(task);
        _world.Run();

        Eventually.Is(() => task.TakeAccount().Threads == 0, s_patience); // a helper of a loop may still be on its way out
        task.TakeAccount().State.ShouldBe(TaskState.Completed);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_trap_work_that_the_context_does_not_flow_to_is_not_seen()
    {
        using var arrived = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (cancellationToken) =>
        {
            _ = ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    arrived.Set();
                    release.Wait();
                    _gate.SetResult();
                },
                null);
            await _gate.Task;
        });
        _world.Run();
        arrived.Wait(TestContext.Current.CancellationToken);
        TaskAccount during = task.TakeAccount();
        release.Set();
        UntilReady(task);
        _world.Run();

        during.State.ShouldBe(TaskState.Blocked, "docs/accounting.md says so");
        during.Threads.ShouldBe(0);
        task.TakeAccount().Polls.ShouldBe(2, "the body itself is seen as ever");
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_trap_what_was_started_and_not_waited_for_changes_no_time_after_the_end()
    {
        using var arrived = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (cancellationToken) =>
        {
            _ = Task.Run(() =>
            {
                arrived.Set();
                release.Wait();
            });
            await _gate.Task;
            _world.Time.Advance(s_second);
        });
        _world.Run();
        arrived.Wait(TestContext.Current.CancellationToken);
        _world.Time.Advance(2 * s_second); // busy: one thread runs code of the task
        _gate.SetResult();
        _world.Run();
        TaskAccount ended = task.TakeAccount();
        _world.Time.Advance(4 * s_second);
        TaskAccount later = task.TakeAccount();
        release.Set();
        Eventually.Is(() => task.TakeAccount().Threads == 0, s_patience).ShouldBeTrue();

        (ended.State, ended.Busy, ended.Age).ShouldBe((TaskState.Completed, 3 * s_second, 3 * s_second));
        later.ShouldBe(ended);
        task.TakeAccount().ShouldBe(ended with { Threads = 0 });
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void C5_trap_a_stream_that_goes_on_inline_is_accounted_to_who_reads_it()
    {
        var second = new TaskCompletionSource();
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (cancellationToken) =>
        {
            await foreach (int item in StreamAsync().ConfigureAwait(false).WithCancellation(cancellationToken))
            {
                _world.Time.Advance(item * s_second);
            }
        });
        _world.Run();
        _world.Time.Advance(10 * s_second);
        _gate.SetResult();
        _world.Time.Advance(20 * s_second);
        second.SetResult();
        _world.Run();

        TaskAccount account = task.TakeAccount();
        (account.Polls, account.Busy, account.Blocked, account.State).ShouldBe((3, 8 * s_second, 30 * s_second, TaskState.Completed));
        _world.ShouldBeEmpty();

        async IAsyncEnumerable<int> StreamAsync()
        {
            yield return 1;
            await _gate.Task.ConfigureAwait(false);
            yield return 2;
            await second.Task;
            yield return 5;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task C5_trap_a_timer_made_inside_does_not_hide_that_the_task_is_lost(bool isPlain)
    {
        await using var runtime = new TaskRuntime(new() { Accounting = AccountingLevel.Exact });
        using Timer timer = SpawnLost(runtime, isPlain, ambient: null);

        LeakReport report = await FoundAsync(runtime);
        report.Leaks.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(AccountingLevel.Polls, true)]
    [InlineData(AccountingLevel.Polls, false)]
    [InlineData(AccountingLevel.Exact, true)]
    [InlineData(AccountingLevel.Exact, false)]
    public async Task C5_trap_what_a_lost_task_has_inherited_does_not_hide_it(AccountingLevel level, bool isPlain)
    {
        await using var runtime = new TaskRuntime(new() { Accounting = level });
        ManagedTask task = SpawnHeir(runtime, isPlain); // the handle is held, and leads to the account

        (await FoundAsync(runtime)).Leaks.Count.ShouldBe(1);
        GC.KeepAlive(task);
    }

    [Fact]
    public async Task C5_twin_a_timer_whose_context_leads_to_what_the_task_awaits_hides_it()
    {
        await using var runtime = new TaskRuntime(new() { Accounting = AccountingLevel.Exact, CancelTimeout = TimeSpan.Zero, LeaksAtStop = null });
        using Timer timer = SpawnLost(runtime, isPlain: true, ambient: new AsyncLocal<object?>());

        (await FoundAsync(runtime)).Leaks.ShouldBeEmpty();
        GC.KeepAlive(timer);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C5_trap_a_timer_made_inside_keeps_neither_the_task_nor_ambient_values_after_the_end(bool isPlain)
    {
        WeakReference[] gone = RunToEnd(isPlain, out Timer timer);
        for (int i = 0; i < 10 && Array.Exists(gone, static reference => reference.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        gone.ShouldAllBe(static reference => !reference.IsAlive);
        timer.Dispose();
    }

    [Fact]
    public void C5_trap_what_a_child_inherits_is_the_context_without_the_account()
    {
        var ambient = new AsyncLocal<string?>();
        ExecutionContext? before = null;
        ExecutionContext? inChild = null;
        string? seen = null;
        ManagedTask? self = null;
        ManagedTask task = self = _world.Runtime.SpawnDetached(async Task (cancellationToken) =>
        {
            await _gate.Task;
            ambient.Value = "mine";
            before = ExecutionContext.Capture();
            _ = _world.Runtime.SpawnDetached(async Future (_) =>
            {
                inChild = ExecutionContext.Capture();
                seen = ambient.Value;
            });
            ManagedTask.Current.ShouldBeSameAs(self, "who spawns keeps its own");
        });
        _world.Run();
        _gate.SetResult();
        _world.Run();

        task.TakeAccount().Polls.ShouldBe(2);
        seen.ShouldBe("mine");
        inChild.ShouldNotBeSameAs(before);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public async Task C5_a_storm_of_threads_leaves_accounts_that_add_up()
    {
        await using var runtime = new TaskRuntime(new() { Accounting = AccountingLevel.Exact });
        ManagedTask[] tasks =
        [
            .. Enumerable.Range(0, 16).Select(i => runtime.SpawnDetached(async Task (_) =>
            {
                for (int k = 0; k < 50; k++)
                {
                    await Task.WhenAll(Task.Run(static async () => await Task.Yield()), Task.Run(static () => Thread.SpinWait(20)));
                    await Task.Yield();
                }
            })),
        ];
        while (Array.Exists(tasks, static task => !task.IsEnded))
        {
            Array.ForEach(tasks, ShouldAddUp);
            await Task.Yield();
        }

        foreach (ManagedTask task in tasks)
        {
            await task;
            ShouldAddUp(task);
            Eventually.Is(() => task.TakeAccount().Threads == 0, s_patience);
            task.TakeAccount().Polls.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(51);
        }

        static void ShouldAddUp(ManagedTask task)
        {
            TaskAccount account = task.TakeAccount();
            account.Busy.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(TimeSpan.Zero);
            account.Ready.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(TimeSpan.Zero);
            account.Blocked.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(TimeSpan.Zero);
            (account.Busy + account.Ready + account.Blocked).ShouldBe(account.Age);
            account.Threads.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(0);
        }
    }

    private static void UntilReady(ManagedTask task) => Eventually.Is(() => task.State == TaskState.Ready && task.TakeAccount().Threads == 0, s_patience);

    private static async Task<LeakReport> FoundAsync(TaskRuntime runtime)
    {
        LeakReport report = await runtime.FindLeaksAsync();
        for (int i = 0; i < 5 && report.Leaks.Count == 0; i++)
        {
            report = await runtime.FindLeaksAsync();
        }

        return report;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Timer SpawnLost(TaskRuntime runtime, bool isPlain, AsyncLocal<object?>? ambient)
    {
        Timer? timer = null;
        ManagedTask task = isPlain ? runtime.SpawnDetached(async Task (_) => await LostAsync()) : runtime.SpawnDetached(async Future (_) => await LostAsync());
        Eventually.Is(() => task.State == TaskState.Blocked, s_patience);
        return timer!;

        async Task LostAsync()
        {
            await Task.Yield();
            var promise = new TaskCompletionSource();
            if (ambient is not null)
            {
                ambient.Value = promise;
            }

#pragma warning disable RS0030 // the platform's own timer captures the context: that is the trap
            Volatile.Write(ref timer, new Timer(static _ => { }, null, TimeSpan.FromHours(1), TimeSpan.FromHours(1)));
#pragma warning restore RS0030
            await promise.Task;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ManagedTask SpawnHeir(TaskRuntime runtime, bool isPlain)
    {
        var inherited = new AsyncLocal<TaskCompletionSource?> { Value = new TaskCompletionSource() };
        ManagedTask task = isPlain ? runtime.SpawnDetached(async Task (_) => await LostAsync()) : runtime.SpawnDetached(async Future (_) => await LostAsync());
        inherited.Value = null;
        Eventually.Is(() => task.State == TaskState.Blocked, s_patience);
        return task;

        async Task LostAsync() => await inherited.Value!.Task;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] RunToEnd(bool isPlain, out Timer timer)
    {
        World world = new(static options => options.Accounting = AccountingLevel.Exact);
        var ambient = new AsyncLocal<object?>();
        Timer? made = null;
        var value = new object();
        ambient.Value = value;
        ManagedTask task = isPlain ? world.Runtime.SpawnDetached(async Task (_) => await PlainAsync()) : world.Runtime.SpawnDetached(async Future (_) => await PlainAsync());
        ambient.Value = null;
        world.Run();
        task.State.ShouldBe(TaskState.Completed);
        timer = made!;
        return [new WeakReference(task), new WeakReference(value)];

        async Task PlainAsync()
        {
            await Task.CompletedTask;
            ambient.Value = null;
#pragma warning disable RS0030 // the platform's own timer captures the context: that is the trap
            made = new Timer(static _ => { }, null, TimeSpan.FromHours(1), TimeSpan.FromHours(1));
#pragma warning restore RS0030
        }
    }

    private sealed class BreakingClock : TimeProvider
    {
        public bool Breaks { get; set; }

        public override long GetTimestamp() => Breaks ? throw new InvalidOperationException("the clock is broken") : 0;
    }
}
