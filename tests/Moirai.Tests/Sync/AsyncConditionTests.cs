namespace Moirai.Tests.Sync;

/// <summary>Waiting for news about what a mutex guards: with the mutex before, without it meanwhile, with it afterwards, whatever ended the wait.</summary>
public sealed class AsyncConditionTests
{
    private readonly World _world = new();
    private readonly AsyncMutex _mutex = new("box");
    private readonly AsyncCondition _condition;

    public AsyncConditionTests() => _condition = new AsyncCondition(_mutex, "filled");

    [Fact]
    public void S157_wait_gives_the_mutex_up_and_has_it_again_and_the_lease_is_good_as_before()
    {
        int items = 0;
        ManagedTask consumer = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                while (items < 3)
                {
                    _world.Log($"{items}");
                    await _condition.WaitAsync();
                    _mutex.Holder.ShouldBe(ManagedTask.Current);
                }

                await Future.Yield();
                items = 0;
            }
        });
        _mutex.IsLocked.ShouldBeFalse();
        consumer.DescribeWait().ShouldBe("condition 'filled' under mutex 'box', free (0 waiting) (1 waiting for news)");
        _world.Census.Waiters.ShouldBe(1);
        for (int i = 0; i < 3; i++)
        {
            _world.Start(async _ =>
            {
                using (await _mutex.LockAsync())
                {
                    items++;
                    _condition.Notify().ShouldBe(1);
                    await Future.Yield(); // woken, and not in before this one is out
                    _mutex.Holder.ShouldBe(ManagedTask.Current);
                }
            });
        }

        consumer.State.ShouldBe(TaskState.Completed, $"{consumer.Exception}");
        items.ShouldBe(0);
        _world.Trace.ShouldBe(["0", "1", "2"]);
        NothingIsLeft();
    }

    [Fact]
    public void S157_notify_wakes_so_many_in_the_order_in_which_they_came()
    {
        ManagedTask[] waiters = [.. Enumerable.Range(0, 6).Select(i => _world.Start(Wait($"{i}")))];
        _condition.CopyWaiters().ShouldBe(waiters);
        _world.Start(Notify(1));
        _world.Trace.ShouldBe(["0"]);
        _world.Start(Notify(3));
        _world.Trace.ShouldBe(["0", "1", "2", "3"]);
        _condition.Waiting.ShouldBe(2);
        ManagedTask all = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                _condition.NotifyAll().ShouldBe(2);
                _condition.NotifyAll().ShouldBe(0);
            }
        });
        all.State.ShouldBe(TaskState.Completed);
        _world.Trace.ShouldBe(["0", "1", "2", "3", "4", "5"]);
        NothingIsLeft();
    }

    [Fact]
    public void S157_wait_and_notify_need_the_lock()
    {
        Should.Throw<SynchronizationLockException>(() => _condition.Notify()).Message.ShouldStartWith("Plain code wants to notify condition 'filled', and does not hold mutex 'box', free (0 waiting).");
        Should.Throw<SynchronizationLockException>(() => _condition.NotifyAll());
        Should.Throw<SynchronizationLockException>(() => _ = _condition.WaitAsync());
        var gate = new Gate();
        ManagedTask holder = _world.Start(AsyncMutexTests.HoldUntil(_mutex, gate), "holder");
        ManagedTask notifier = _world.Start(
            async _ =>
            {
                await Future.Yield();
                _condition.Notify();
            },
            "notifier");
        notifier.Exception.ShouldBeOfType<SynchronizationLockException>().Message.ShouldStartWith(
            $"{notifier.Id} 'notifier' wants to notify condition 'filled', and does not hold mutex 'box', held by {holder.Id} 'holder'");
        ManagedTask waiter = _world.Start(async _ => await _condition.WaitAsync(), "waiter");
        waiter.Exception.ShouldBeOfType<SynchronizationLockException>().Message.ShouldContain("Take the mutex first");
        Should.Throw<SynchronizationLockException>(() => _condition.Notify());

        // A wait that is awaited by another task than the one that has the mutex.
        gate.Open();
        ManagedTask elsewhere = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                await _world.Runtime.SpawnDetached(_condition.WaitAsync());
            }
        });
        elsewhere.Exception.ShouldBeOfType<SynchronizationLockException>();
        NothingIsLeft();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Notifying_fewer_than_one_is_refused(int count)
    {
        using (AsyncMutexTests.Take(_mutex))
        {
            Should.Throw<ArgumentOutOfRangeException>(() => _condition.Notify(count));
        }

        Should.Throw<ArgumentNullException>(() => new AsyncCondition(null!));
    }

    [Fact]
    public void S157_a_canceled_wait_has_the_mutex_before_it_throws() => CanceledWait(static _ => { }).ShouldBe(["waits", "out", "canceled with it"]);

    [Fact]
    public void S157_twin_a_canceled_wait_that_throws_without_the_mutex_is_caught() =>
        Should.Throw<ShouldAssertException>(() => CanceledWait(mutex => mutex.Dispose()).ShouldBe(["waits", "out", "canceled with it"]));

    [Fact]
    public void S157_a_wait_that_times_out_has_the_mutex_before_it_throws()
    {
        ManagedTask waiter = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                try
                {
                    await _condition.WaitAsync().WithTimeout(TimeSpan.FromSeconds(1));
                }
                catch (TaskTimeoutException)
                {
                    _mutex.Holder.ShouldBe(ManagedTask.Current);
                    _world.Log("timed out with it");
                }
            }
        });
        _world.Advance(1);
        waiter.State.ShouldBe(TaskState.Completed, $"{waiter.Exception}");
        _world.Trace.ShouldBe(["timed out with it"]);
        NothingIsLeft();
    }

    [Fact]
    public void S157_a_token_ends_one_wait_with_the_mutex()
    {
        using var source = new CancellationTokenSource();
        ManagedTask waiter = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                for (int i = 0; i < 2; i++) // the second time it is canceled already
                {
                    try
                    {
                        await _condition.WaitAsync(source.Token);
                    }
                    catch (OperationCanceledException error) when (error.GetType() == typeof(OperationCanceledException))
                    {
                        _mutex.Holder.ShouldBe(ManagedTask.Current);
                        _world.Log(error.CancellationToken == source.Token ? "given up with it" : "another token");
                    }
                }
            }
        });
        source.Cancel();
        _condition.Waiting.ShouldBe(0);
        _world.Run();
        waiter.State.ShouldBe(TaskState.Completed, $"{waiter.Exception}");
        _world.Trace.ShouldBe(["given up with it", "given up with it"]);
        NothingIsLeft();
    }

    [Fact]
    public void S157_a_waiter_that_is_canceled_leaves_the_queue_at_once_and_the_next_is_notified()
    {
        ManagedTask first = _world.Start(Wait("first"));
        ManagedTask second = _world.Start(Wait("second"));
        first.Cancel();
        _condition.Waiting.ShouldBe(1);
        _world.Start(Notify(1));
        _world.Trace.ShouldBe(["second"]);
        (first.State, second.State).ShouldBe((TaskState.Canceled, TaskState.Completed));
        NothingIsLeft();
    }

    [Fact]
    public void S157_a_waiter_that_is_canceled_after_it_was_notified_has_been_notified()
    {
        ManagedTask? waiter = null;
        waiter = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                await _condition.WaitAsync();
                _world.Log("notified");
                await Future.Yield();
                _world.Log("never");
            }
        });
        _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                _condition.Notify().ShouldBe(1);
                waiter.Cancel();
                await Future.Yield();
            }
        });
        _world.Trace.ShouldBe(["notified"]);
        waiter.State.ShouldBe(TaskState.Canceled);
        NothingIsLeft();
    }

    [Fact]
    public void A_task_that_is_canceled_before_it_waits_never_gives_the_mutex_up()
    {
        ManagedTask task = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                ManagedTask.Current!.Cancel();
                try
                {
                    await _condition.WaitAsync();
                }
                finally
                {
                    _mutex.Holder.ShouldBe(ManagedTask.Current);
                    _world.Log("with it");
                }
            }
        });
        _world.Trace.ShouldBe(["with it"]);
        task.State.ShouldBe(TaskState.Canceled);
        NothingIsLeft();
    }

    [Fact]
    public void A_disposed_condition_tells_those_who_wait_with_the_mutex_and_leaves_the_mutex_alone()
    {
        ManagedTask waiter = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                try
                {
                    await _condition.WaitAsync();
                }
                finally
                {
                    _mutex.Holder.ShouldBe(ManagedTask.Current);
                }
            }
        });
        _condition.Dispose();
        _condition.Dispose();
        _world.Run();
        waiter.Exception.ShouldBeOfType<ObjectDisposedException>().Message.ShouldContain("Condition 'filled' has been disposed");
        _world.Start(Wait("never")).Exception.ShouldBeOfType<ObjectDisposedException>();
        using (AsyncMutexTests.Take(_mutex))
        {
            Should.Throw<ObjectDisposedException>(() => _condition.Notify());
        }

        NothingIsLeft();
    }

    [Fact]
    public void S151_those_who_wait_for_news_are_told_when_the_mutex_breaks_and_by_whom()
    {
        using var other = new AsyncCondition(_mutex, "other");
        ManagedTask[] waiters = [_world.Start(Wait("never")), _world.Start(Wait("never")), _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                await other.WaitAsync();
            }
        })];
        ManagedTask careless = _world.Start(async _ => await _mutex.LockAsync(), "careless");
        waiters.ShouldAllBe(waiter => waiter.Exception is BrokenSynchronizationException);
        ((BrokenSynchronizationException)waiters[0].Exception!).Holder.ShouldBe(careless.Id);
        (_condition.Waiting, other.Waiting).ShouldBe((0, 0));
        _world.Start(Wait("never")).Exception.ShouldBeOfType<BrokenSynchronizationException>();
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void S151_a_task_that_ends_with_the_mutex_after_a_wait_breaks_it_and_one_that_ends_after_releasing_does_not()
    {
        ManagedTask good = _world.Start(Wait("good"));
        ManagedTask careless = _world.Start(
            async _ =>
            {
                await _mutex.LockAsync();
                await _condition.WaitAsync();
            },
            "careless");
        _world.Start(Notify(1));
        good.State.ShouldBe(TaskState.Completed);
        _mutex.IsClosed.ShouldBeFalse();
        _world.Start(Notify(1));
        careless.IsEnded.ShouldBeTrue();
        _mutex.IsClosed.ShouldBeTrue();
        _world.Start(Wait("never")).Exception.ShouldBeOfType<BrokenSynchronizationException>().Holder.ShouldBe(careless.Id);
        _world.ShouldBeEmpty();
    }

    [Fact]
    public void The_lease_of_a_waiter_releases_nothing_of_somebody_else_while_it_waits_and_once_afterwards()
    {
        MutexLease lease = default;
        ManagedTask waiter = _world.Start(async _ =>
        {
            lease = await _mutex.LockAsync();
            await _condition.WaitAsync();
            await _condition.WaitAsync();
            lease.Dispose();
            _mutex.IsLocked.ShouldBeFalse();
            using (await _mutex.LockAsync())
            {
                lease.Dispose();
                _mutex.IsLocked.ShouldBeTrue();
            }
        });
        for (int i = 0; i < 2; i++)
        {
            MutexLease others = AsyncMutexTests.Take(_mutex);
            lease.Dispose();
            _mutex.IsLocked.ShouldBeTrue();
            _condition.Notify().ShouldBe(1);
            _world.Run();
            others.Dispose();
            _world.Run();
        }

        waiter.State.ShouldBe(TaskState.Completed, $"{waiter.Exception}");
        NothingIsLeft();
    }

    [Fact]
    public async Task Plain_code_waits_and_notifies()
    {
        int items = 0;
        Task<int> consumer = TakeAsync();
        while (_condition.Waiting == 0)
        {
            await Task.Yield();
        }

        using (await _mutex.LockAsync())
        {
            items = 5;
            _condition.NotifyAll().ShouldBe(1);
        }

        (await consumer).ShouldBe(5);
        using var source = new CancellationTokenSource();
        Task canceled = CancelAsync();
        await source.CancelAsync();
        await canceled;
        _mutex.IsLocked.ShouldBeFalse();

        async Task<int> TakeAsync()
        {
            using (await _mutex.LockAsync())
            {
                while (items == 0)
                {
                    await _condition.WaitAsync();
                }

                return items;
            }
        }

        async Task CancelAsync()
        {
            using (await _mutex.LockAsync())
            {
                (await Record.ExceptionAsync(async () => await _condition.WaitAsync(source.Token))).ShouldBeAssignableTo<OperationCanceledException>();
                _mutex.IsLocked.ShouldBeTrue();
            }
        }
    }

    private Func<CancellationToken, Future> Wait(string name) => async _ =>
    {
        using (await _mutex.LockAsync())
        {
            await _condition.WaitAsync();
            _world.Log(name);
        }
    };

    private Func<CancellationToken, Future> Notify(int count) => async _ =>
    {
        using (await _mutex.LockAsync())
        {
            _condition.Notify(count).ShouldBe(count);
        }
    };

    private string[] CanceledWait(Action<AsyncMutex> plant)
    {
        var gate = new Gate();
        ManagedTask waiter = _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                _world.Log("waits");
                try
                {
                    await _condition.WaitAsync();
                }
                catch (ManagedTaskCanceledException) when (ReferenceEquals(_mutex.Holder, ManagedTask.Current))
                {
                    _world.Log("canceled with it");
                    throw;
                }
            }
        });
        _world.Start(async _ =>
        {
            using (await _mutex.LockAsync())
            {
                await gate.WaitAsync();
                _world.Log("out");
            }
        });
        waiter.Cancel();
        _world.Run();
        waiter.State.ShouldBe(TaskState.Blocked); // for the mutex
        plant(_mutex);
        gate.Open();
        _world.Run();
        waiter.State.ShouldBe(TaskState.Canceled);
        _mutex.IsLocked.ShouldBeFalse();
        _world.ShouldBeEmpty();
        return _world.Trace;
    }

    private void NothingIsLeft()
    {
        _condition.Waiting.ShouldBe(0);
        _mutex.ToString().ShouldBe("mutex 'box', free (0 waiting)");
        _world.ShouldBeEmpty();
    }
}
