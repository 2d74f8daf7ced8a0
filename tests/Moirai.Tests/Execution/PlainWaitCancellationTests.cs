using System.Runtime.CompilerServices;

namespace Moirai.Tests.Execution;

/// <summary>C4 in plain <c>async Task</c> code that runs for a task: every wait of Moirai's own ends there with the task, as it does in futures, and leaves nothing behind.</summary>
public sealed class PlainWaitCancellationTests
{
    private static readonly TimeSpan Failsafe = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly World _world = new();
    private readonly TaskCompletionSource _gate = new();

    public enum Wait
    {
        Delay,
        EndlessDelay,
        DelayUntil,
        Interval,
        ResettableDelay,
        Yields,
        Handle,
        HandleWithResult,
        Future,
        PoolSlot,
        Slot,
        Mutex,
        Semaphore,
        Reading,
        Writing,
        Notify,
        TimedNotify,
        Barrier,
        OneShot,
        Receive,
        ForEach,
        Send,
        Reserve,
        Watch,
        Once,
    }

    public static TheoryData<Wait, bool> Waits
    {
        get
        {
            var data = new TheoryData<Wait, bool>();
            foreach (Wait wait in Enum.GetValues<Wait>())
            {
                data.Add(wait, true);
                data.Add(wait, false);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Waits))]
    public void C4_a_wait_of_ours_in_plain_code_ends_with_its_task(Wait wait, bool afterAnAwait)
    {
        using var stage = new Stage(_world);
        OperationCanceledException? thrown = null;
        CancellationToken given = default;
        ManagedTask task = Start(
            async token =>
            {
                given = token;
                try
                {
                    await WaitAsync(stage, wait).ConfigureAwait(false);
                }
                catch (OperationCanceledException error)
                {
                    thrown = error;
                    throw;
                }
            },
            afterAnAwait);
        ShouldWait(stage, wait);

        task.Cancel("enough");
        RunUntilEnded(task);

        task.State.ShouldBe(TaskState.Canceled);
        ManagedTaskCanceledException canceled = thrown.ShouldBeOfType<ManagedTaskCanceledException>();
        if (wait is Wait.Future or Wait.DelayUntil or Wait.Slot or Wait.Once or Wait.TimedNotify)
        {
            canceled.Cause.Kind.ShouldBe(CancelKind.TokenCanceled, "a task of its own waits there, and is canceled by the token of the caller");
        }
        else
        {
            canceled.Task.ShouldBe(task.Id);
            canceled.Cause.Reason.ShouldBe("enough");
            canceled.CancellationToken.ShouldBe(given);
        }

        stage.ShouldServeOthers();
    }

    [Theory]
    [MemberData(nameof(Waits))]
    public void C4_a_wait_of_ours_in_plain_code_of_a_canceled_task_ends_at_once(Wait wait, bool afterAnAwait)
    {
        using var stage = new Stage(_world);
        ManagedTask task = Start(
            async token =>
            {
                ManagedTask.Current!.Cancel();
                await WaitAsync(stage, wait).ConfigureAwait(false);
            },
            afterAnAwait);
        RunUntilEnded(task);
        task.State.ShouldBe(TaskState.Canceled);
        stage.ShouldServeOthers();
    }

    [Theory]
    [InlineData(Wait.Delay)]
    [InlineData(Wait.Interval)]
    [InlineData(Wait.ResettableDelay)]
    [InlineData(Wait.Handle)]
    [InlineData(Wait.PoolSlot)]
    [InlineData(Wait.Mutex)]
    [InlineData(Wait.Notify)]
    [InlineData(Wait.Receive)]
    public void C4_a_shield_keeps_the_cancellation_away_from_waits_of_plain_code(Wait wait)
    {
        using var stage = new Stage(_world);
        ManagedTask task = Start(
            async token =>
            {
                using (ManagedTask.Shield())
                {
                    await WaitAsync(stage, wait).ConfigureAwait(false);
                    _world.Log("done");
                }

                await Future.Delay(Hour);
                _world.Log("not canceled");
            },
            afterAnAwait: true);
        ShouldWait(stage, wait);

        task.Cancel();
        _world.Run();
        task.State.ShouldBe(TaskState.Blocked);
        stage.LetGoOn(wait);
        Eventually.Is(
            () =>
            {
                _world.Advance(3600);
                return task.HasLeft;
            },
            Failsafe).ShouldBeTrue();

        task.State.ShouldBe(TaskState.Canceled);
        _world.Trace.ShouldBe(["done"]);
    }

    [Fact]
    public void C4_twin_a_wait_that_is_not_tied_to_the_task_is_caught()
    {
        var never = new TaskCompletionSource();
        ManagedTask task = Start(async token => await never.Task.ConfigureAwait(false), afterAnAwait: true);
        task.Cancel();
        Should.Throw<ShouldAssertException>(() => RunUntilEnded(task, TimeSpan.FromMilliseconds(50)));
        never.SetResult();
    }

    [Fact]
    public void C4_plain_code_outside_tasks_and_beside_the_canceled_one_goes_on_waiting()
    {
        var notify = new Notify();
        Task outside = HearAsync(notify);
        ManagedTask other = Start(async _ => await HearAsync(notify).ConfigureAwait(false), afterAnAwait: false);
        ManagedTask task = Start(async _ => await HearAsync(notify).ConfigureAwait(false), afterAnAwait: true);
        Eventually.Is(() => notify.Waiting == 3, Failsafe).ShouldBeTrue();

        task.Cancel();
        RunUntilEnded(task);

        notify.Waiting.ShouldBe(2);
        outside.IsCompleted.ShouldBeFalse();
        other.IsEnded.ShouldBeFalse();
        notify.NotifyWaiters();
        RunUntilEnded(other);
        other.State.ShouldBe(TaskState.Completed);

        static async Task HearAsync(Notify notify) => await notify.WaitAsync();
    }

    [Fact]
    public void S135_a_notification_that_has_come_to_plain_code_of_a_canceled_task_goes_to_the_next()
    {
        var notify = new Notify();
        var held = new HeldContext();
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (_) =>
        {
            SynchronizationContext.SetSynchronizationContext(held);
            await notify.WaitAsync();
        });
        _world.Run();
        ManagedTask next = _world.Start(async _ => await notify.WaitAsync());

        notify.NotifyOne(); // the plain code has it, and has not run yet
        task.Cancel();
        held.RunAll();
        RunUntilEnded(next);

        next.State.ShouldBe(TaskState.Completed);
        RunUntilEnded(task);
        task.State.ShouldBe(TaskState.Canceled);
        _world.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void C4_a_wait_that_is_over_leaves_nothing_with_the_token_of_its_task(bool planted)
    {
        List<WeakReference> waited = [];
        TaskCompletionSource end = new();
        var notify = new Notify();
        CancellationToken token = default;
        bool isDone = false;
        ManagedTask task = _world.Runtime.SpawnDetached(async Task (given) =>
        {
            token = given;
            for (int i = 0; i < 20; i++)
            {
                await RoundAsync().ConfigureAwait(false);
            }

            isDone = true;
            await end.Task.ConfigureAwait(false);
        });
        for (int i = 0; i < 20; i++)
        {
            Eventually.Is(HasCome, Failsafe).ShouldBeTrue();
            notify.NotifyOne();
        }

        Eventually.Is(() => !HasCome() && isDone, Failsafe).ShouldBeTrue();
        if (planted)
        {
            Should.Throw<ShouldAssertException>(ShouldBeGone);
        }
        else
        {
            ShouldBeGone();
        }

        end.SetResult();
        RunUntilEnded(task);

        bool HasCome()
        {
            _world.Advance(1);
            return notify.Waiting == 1;
        }

        void ShouldBeGone() => waited.ForEach(static one => Garbage.ShouldBeGone(one));

        // Its locals live as long as somebody has its continuation.
        [MethodImpl(MethodImplOptions.NoInlining)]
        async Task RoundAsync()
        {
            object local = new();
            lock (waited)
            {
                waited.Add(new WeakReference(local));
            }

            if (planted)
            {
                token.UnsafeRegister(static _ => { }, local);
            }

            await notify.WaitAsync();
            await Future.Delay(TimeSpan.FromSeconds(1));
            GC.KeepAlive(local);
        }
    }

    // On threads, and with everything at once: whoever wins, permits are given back and nobody is forgotten.
    [Fact]
    public async Task S141_permits_that_come_while_plain_code_is_canceled_are_not_lost()
    {
        int seed = Environment.TickCount;
#pragma warning disable CA5394 // an order of events, not a secret
        var random = new Random(seed);
        await using var runtime = new TaskRuntime(new TaskRuntimeOptions { Name = "storm" });
        using var semaphore = new AsyncSemaphore(2);
        var mutex = new AsyncMutex();
        int inside = 0;
        bool tooMany = false;
        var tasks = new List<ManagedTask>();
        for (int i = 0; i < 2_000; i++)
        {
            tasks.Add(runtime.SpawnDetached(async Task (_) =>
            {
                using (await semaphore.AcquireAsync())
                {
                    await Future.Yield();
                    using (await mutex.LockAsync())
                    {
                        tooMany |= Interlocked.Increment(ref inside) > 1;
                        try
                        {
                            await Future.Yield(); // throws where the task is canceled by now
                        }
                        finally
                        {
                            Interlocked.Decrement(ref inside);
                        }
                    }
                }
            }));
            if (random.Next(2) == 0)
            {
                tasks[random.Next(tasks.Count)].Cancel();
            }
        }
#pragma warning restore CA5394

        foreach (ManagedTask task in tasks)
        {
            await Eventually.IsAsync(() => task.IsEnded);
            task.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
        }

        tooMany.ShouldBeFalse($"seed {seed}");
        semaphore.Waiting.ShouldBe(0, $"seed {seed}");
        semaphore.TryAcquire(out _, 2).ShouldBeTrue($"seed {seed}");
        mutex.TryLock(out _).ShouldBeTrue($"seed {seed}");
        runtime.TakeCensus().IsBalanced.ShouldBeTrue($"seed {seed}");
    }

    private ManagedTask Start(Func<CancellationToken, Task> body, bool afterAnAwait)
    {
        ManagedTask task = _world.Runtime.SpawnDetached(
            async Task (token) =>
            {
                if (afterAnAwait)
                {
                    await _gate.Task.ConfigureAwait(false);
                }

                await body(token).ConfigureAwait(false);
            },
            "owner");
        _world.Run();
        var opener = new Thread(() => _gate.TrySetResult()); // plain code goes on there, outside any step
        opener.Start();
        opener.Join();
        return task;
    }

    private void ShouldWait(Stage stage, Wait wait) =>
        Eventually.Is(
            () =>
            {
                _world.Run();
                return stage.IsAwaited(wait);
            },
            Failsafe).ShouldBeTrue($"{wait}: {_world.Runtime.TakeSnapshot()}");

    private void RunUntilEnded(ManagedTask task, TimeSpan? within = null) => Eventually.Is(
        () =>
        {
            _world.Run();
            return task.HasLeft;
        },
        within ?? Failsafe).ShouldBeTrue($"{task} is stuck: {_world.Runtime.TakeSnapshot()}");

    private static async Task WaitAsync(Stage stage, Wait wait)
    {
        switch (wait)
        {
            case Wait.Delay:
                await Future.Delay(Hour);
                break;
            case Wait.EndlessDelay:
                await Future.Delay(Timeout.InfiniteTimeSpan);
                break;
            case Wait.DelayUntil:
                await Future.DelayUntil(stage.World.Time.GetUtcNow() + Hour);
                break;
            case Wait.Interval:
                await stage.Interval.NextAsync();
                break;
            case Wait.ResettableDelay:
                await stage.Resettable;
                break;
            case Wait.Yields:
                while (true)
                {
                    stage.Rounds++;
                    await Future.Yield();
                }

            case Wait.Handle:
                stage.Rounds = 2;
                await stage.Awaited;
                break;
            case Wait.HandleWithResult:
                stage.Rounds = 2;
                _ = await stage.AwaitedWithResult;
                break;
            case Wait.Future:
                await SleepAsync();
                break;
            case Wait.PoolSlot:
                _ = await stage.Pool.SpawnAsync(static _ => Future.Completed());
                break;
            case Wait.Slot:
                (await stage.Slots.AcquireAsync()).Dispose();
                break;
            case Wait.Mutex:
                (await stage.Mutex.LockAsync()).Dispose();
                break;
            case Wait.Semaphore:
                (await stage.Semaphore.AcquireAsync()).Dispose();
                break;
            case Wait.Reading:
                (await stage.Lock.LockReadAsync()).Dispose();
                break;
            case Wait.Writing:
                (await stage.Lock.LockWriteAsync()).Dispose();
                break;
            case Wait.Notify:
                await stage.Notify.WaitAsync();
                break;
            case Wait.TimedNotify:
                await stage.Notify.WaitAsync().WithTimeout(2 * Hour);
                break;
            case Wait.Barrier:
                _ = await stage.Barrier.WaitAsync();
                break;
            case Wait.OneShot:
                _ = await stage.Promise.ReceiveAsync();
                break;
            case Wait.Receive:
                _ = await stage.Empty.Receiver.ReceiveAsync();
                break;
            case Wait.ForEach:
                await foreach (int element in stage.Empty.Receiver)
                {
                    stage.Rounds += element;
                }

                break;
            case Wait.Send:
                await stage.Full.Sender.SendAsync(2);
                break;
            case Wait.Reserve:
                _ = await stage.Full.Sender.ReserveAsync();
                break;
            case Wait.Watch:
                _ = await stage.Watched.ChangedAsync();
                break;
            default:
                _ = await stage.Once.GetAsync();
                break;
        }

        static async Future SleepAsync() => await Future.Delay(Hour);
    }

    /// <summary>One of each, in a state in which whoever comes has to wait.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly MutexLease _lease;
        private readonly Gate _open = new();
        private readonly List<IDisposable> _taken = [];

        public Stage(World world)
        {
            World = world;
            Mutex.TryLock(out _lease).ShouldBeTrue();
            Semaphore.TryAcquire(out SemaphoreLease permit).ShouldBeTrue();
            _taken.Add(permit);
            Lock.TryLockWrite(out WriteLease write).ShouldBeTrue();
            _taken.Add(write);
            Slots.TryAcquire(out SlotLease? slot).ShouldBeTrue();
            _taken.Add(slot!);
            Full.Sender.TrySend(1).ShouldBeTrue();
            Watched = Watch.NewReceiver();
            Watched.MarkUnchanged();
            (Sender, Promise) = OneShot.Create<int>();
            Pool = world.Runtime.CreatePool("full", 1);
            Pool.TrySpawn(async _ => await _open.WaitAsync(), out _).ShouldBeTrue();
            Awaited = world.Start(async _ => await _open.WaitAsync(), "awaited");
            AwaitedWithResult = world.Runtime.SpawnDetached(async Future<int> (_) =>
            {
                await _open.WaitAsync();
                return 1;
            });
            Once = new AsyncOnce<int>(async Future<int> (_) =>
            {
                await _open.WaitAsync();
                return 1;
            });
            world.Run(MakeAsync());
            world.Run();
        }

        public World World { get; }

        public int Rounds { get; set; }

        public AsyncMutex Mutex { get; } = new();

        public AsyncSemaphore Semaphore { get; } = new(1);

        public AsyncReaderWriterLock Lock { get; } = new();

        public TaskSlotManager Slots { get; } = new(1);

        public TaskPool Pool { get; }

        public Notify Notify { get; } = new();

        public AsyncBarrier Barrier { get; } = new(2);

        public OneShotSender<int> Sender { get; }

        public OneShotReceiver<int> Promise { get; }

        public AsyncChannel<int> Empty { get; } = new(1);

        public AsyncChannel<int> Full { get; } = new(1);

        public WatchSender<int> Watch { get; } = new(1);

        public WatchReceiver<int> Watched { get; }

        public AsyncOnce<int> Once { get; }

        public ManagedTask Awaited { get; }

        public ManagedTask<int> AwaitedWithResult { get; }

        public Interval Interval { get; private set; } = null!;

        public ResettableDelay Resettable { get; private set; } = null!;

        public bool IsAwaited(Wait wait) => wait switch
        {
            Wait.Delay or Wait.EndlessDelay or Wait.DelayUntil or Wait.Interval or Wait.ResettableDelay or Wait.Future => World.Timers == 1,
            Wait.Yields or Wait.Handle or Wait.HandleWithResult => Rounds > 1,
            Wait.PoolSlot => Pool.WaitingCount == 1,
            Wait.Slot => Slots.Waiting == 1,
            Wait.Mutex => Mutex.Waiting == 1,
            Wait.Semaphore => Semaphore.Waiting == 1,
            Wait.Reading or Wait.Writing => Lock.Waiting == 1,
            Wait.Notify or Wait.TimedNotify => Notify.Waiting == 1,
            Wait.Barrier => Barrier.Waiting == 1,
            Wait.OneShot => Promise.Waiting == 1,
            Wait.Receive or Wait.ForEach => Empty.Receiver.Waiting == 1,
            Wait.Send or Wait.Reserve => Full.Sender.Waiting == 1,
            Wait.Watch => Watched.Core.Waiting == 1,
            _ => Once.Holder is not null,
        };

        public void LetGoOn(Wait wait)
        {
            switch (wait)
            {
                case Wait.Delay or Wait.Interval or Wait.ResettableDelay:
                    World.Advance(3600);
                    break;
                case Wait.Handle or Wait.PoolSlot:
                    _open.Open();
                    World.Run();
                    break;
                case Wait.Mutex:
                    _lease.Dispose();
                    break;
                case Wait.Notify or Wait.TimedNotify:
                    Notify.NotifyOne();
                    break;
                default:
                    Empty.Sender.TrySend(1).ShouldBeTrue();
                    break;
            }
        }

        /// <summary>Nobody is left in any queue, and whatever can be taken goes to who comes next.</summary>
        public void ShouldServeOthers()
        {
            World.Timers.ShouldBe(0);
            foreach (Wait wait in Enum.GetValues<Wait>().Where(static wait => wait is not (Wait.Yields or Wait.Handle or Wait.HandleWithResult)))
            {
                IsAwaited(wait).ShouldBeFalse($"{wait}");
            }

            _open.Open();
            World.Run();
            _lease.Dispose();
            _taken.ForEach(static taken => taken.Dispose());
            Mutex.TryLock(out _).ShouldBeTrue();
            Semaphore.TryAcquire(out _).ShouldBeTrue();
            Lock.TryLockWrite(out _).ShouldBeTrue();
            Slots.TryAcquire(out _).ShouldBeTrue();
            Full.Receiver.TryReceive(out int element).ShouldBeTrue();
            element.ShouldBe(1);
            Full.Receiver.TryReceive(out _).ShouldBeFalse("what was canceled was not sent");
            Empty.Sender.TrySend(7).ShouldBeTrue();
            Empty.Receiver.TryReceive(out _).ShouldBeTrue();
            Notify.NotifyOne();
            Notify.NotifyWaiters();
            World.Run(Pool.DisposeAsync());
            World.ShouldBeEmpty();
            GC.KeepAlive(Sender);
        }

        public void Dispose()
        {
            Mutex.Dispose();
            Semaphore.Dispose();
            Lock.Dispose();
        }

        private async Future MakeAsync()
        {
            Interval = new Interval(Hour);
            Resettable = new ResettableDelay(Hour);
            await Future.Completed();
        }
    }

    // Keeps what is posted until the test runs it.
    private sealed class HeldContext : SynchronizationContext
    {
        private readonly Queue<(SendOrPostCallback, object?)> _held = [];

        public override void Post(SendOrPostCallback d, object? state) => _held.Enqueue((d, state));

        public void RunAll()
        {
            while (_held.TryDequeue(out (SendOrPostCallback Call, object? State) one))
            {
                one.Call(one.State);
            }
        }
    }
}
