using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>Notifications, promises, values that are made once or watched: what is told reaches whoever it is for.</summary>
public sealed class NotificationModels
{
    [Fact]
    public void S135_a_notification_that_comes_while_somebody_begins_to_wait_is_not_lost() => Proof.Holds<NotifyAgainstWait>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("RosterPage.CountPrimitiveWaits", Flaw.Blind)]
    public void S135_notify_against_wait_twin(string site, Flaw flaw) => Proof.Catches<NotifyAgainstWait>(site, flaw);

    [Fact]
    public void S135_a_notification_of_one_who_is_canceled_goes_to_the_next() => Proof.Holds<NotifyAgainstCancel>(atLeast: 200);

    [Theory]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    public void S135_notify_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<NotifyAgainstCancel>(site, flaw);

    [Fact]
    public void S137_all_are_told_whose_wait_was_called_before() => Proof.Holds<AllAgainstWait>(atLeast: 100);

    [Theory]
    [InlineData("Notify.NotifyWaiters", Flaw.Forgotten)]
    [InlineData("Notify.WaitAsync", Flaw.Blind)]
    public void S137_all_against_wait_twin(string site, Flaw flaw) => Proof.Catches<AllAgainstWait>(site, flaw);

    [Fact]
    public void A_promise_is_kept_or_broken_and_the_receiver_is_told_which() => Proof.Holds<SendAgainstDrop>(atLeast: 500);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void Send_against_drop_twin(string site, Flaw flaw) => Proof.Catches<SendAgainstDrop>(site, flaw);

    [Fact]
    public void What_is_sent_to_who_waits_is_taken_by_nobody_else() => Proof.Holds<SendAgainstLatecomer>(atLeast: 100);

    [Theory]
    [InlineData("OneShotReceiver.TrySend", Flaw.Forgotten)]
    [InlineData("OneShotReceiver.Seat", Flaw.Forgotten)]
    public void Send_against_latecomer_twin(string site, Flaw flaw) => Proof.Catches<SendAgainstLatecomer>(site, flaw);

    [Fact]
    public void Who_answers_for_a_promise_and_ends_breaks_it_unless_it_was_kept() => Proof.Holds<OwnerEndAgainstSend>(atLeast: 200);

    [Theory]
    [InlineData("OneShotReceiver.TakeOver", Flaw.Forgotten)]
    [InlineData("OneShotReceiver.RelieveLocked", Flaw.Forgotten)]
    public void Owner_end_against_send_twin(string site, Flaw flaw) => Proof.Catches<OwnerEndAgainstSend>(site, flaw);

    [Fact]
    public void Who_takes_a_promise_over_while_the_owner_ends_answers_for_it_or_finds_it_broken() => Proof.Holds<TakeOverAgainstEnd>(atLeast: 50);

    [Fact]
    public void Take_over_against_end_twin() => Proof.Catches<TakeOverAgainstEnd>("OneShotReceiver.TakeOver", Flaw.Forgotten);

    [Fact]
    public void A_value_is_made_by_one_at_a_time_and_a_failure_passes_the_turn_on() => Proof.Holds<TwoAskOnce>(atLeast: 500);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("AsyncOnce.Publish", Flaw.Forgotten)]
    [InlineData("AsyncOnce.MakeAsync", Flaw.Forgotten)]
    public void Two_ask_once_twin(string site, Flaw flaw) => Proof.Catches<TwoAskOnce>(site, flaw);

    [Fact]
    public void A_value_that_is_disposed_while_it_is_made_is_given_to_nobody_later() => Proof.Holds<DisposeAgainstMake>(atLeast: 100);

    [Theory]
    [InlineData("AsyncOnce.TryCloseLocked", Flaw.Forgotten)]
    [InlineData("SynchronizationPrimitive.IsClosed", Flaw.Blind)]
    public void Dispose_against_make_twin(string site, Flaw flaw) => Proof.Catches<DisposeAgainstMake>(site, flaw);

    [Fact]
    public void S165_who_watches_sees_the_last_value_and_then_the_end() => Proof.Holds<SetAgainstWatch>(atLeast: 200);

    [Theory]
    [InlineData("WatchCore.Set", Flaw.Forgotten)]
    [InlineData("WatchCore.Close", Flaw.Forgotten)]
    [InlineData("WatchReceiver.See", Flaw.Forgotten)]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    public void S165_set_against_watch_twin(string site, Flaw flaw) => Proof.Catches<SetAgainstWatch>(site, flaw);

    [Fact]
    public void S165_a_value_that_is_marked_while_another_comes_is_seen_or_not_but_the_other_is() => Proof.Holds<MarkAgainstSend>(atLeast: 10);

    [Theory]
    [InlineData("WatchReceiver.MarkChanged", Flaw.Forgotten)]
    [InlineData("WatchReceiver.MarkUnchanged", Flaw.Forgotten)]
    [InlineData("WatchCore.Version", Flaw.Blind)]
    public void S165_mark_against_send_twin(string site, Flaw flaw) => Proof.Catches<MarkAgainstSend>(site, flaw);

    private sealed class NotifyAgainstWait : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Notify _notify = new();
        private readonly Notify _other = new();
        private readonly ManagedTask _task;
        private readonly ManagedTask _seated;

        public NotifyAgainstWait()
        {
            _seated = _world.Start(async () => await _other.WaitAsync());
            _task = _world.Spawn(async () => await _notify.WaitAsync());
            Thread("worker", _world.Executor.StepOne);
            Thread("notifier", () =>
            {
                _notify.NotifyOne();
                _world.Runtime.TakeCensus().Waiters.ShouldBeInRange(1, 2);
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed, "the notification was lost");
            _other.NotifyOne();
            _world.Executor.RunReady();
            _seated.State.ShouldBe(TaskState.Completed);
            _world.ShouldBeEmpty();
        }
    }

    private sealed class NotifyAgainstCancel : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;

        public NotifyAgainstCancel()
        {
            _first = _world.Start(async () => await _notify.WaitAsync());
            _second = _world.Start(async () => await _notify.WaitAsync());
            Thread("worker", _world.Work);
            Thread("notifier", _notify.NotifyOne);
            Thread("canceller", () => _first.Cancel());
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _first.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _second.State.ShouldBe(_first.State == TaskState.Completed ? TaskState.Blocked : TaskState.Completed, "one notification wakes one");
            _notify.Waiting.ShouldBe(_second.State == TaskState.Blocked ? 1 : 0);
            _second.Cancel();
            _world.ShouldBeEmpty();
        }
    }

    private sealed class AllAgainstWait : Model
    {
        private readonly ModelWorld _world = new();
        private readonly Notify _notify = new();
        private readonly ManagedTask _task;
        private bool _called;
        private bool _mustBeTold;
        private bool _isTold;

        public AllAgainstWait()
        {
            _notify.NotifyWaiters();
            _task = _world.Spawn(async () =>
            {
                PrimitiveAwaitable wait = _notify.WaitAsync();
                Atomics.Write(ref _called, true);
                await wait;
                Atomics.Read(ref _isTold).ShouldBeTrue("nobody has told it");
            });
            Thread("worker", _world.Executor.StepOne);
            Thread("notifier", () =>
            {
                _mustBeTold = Atomics.Read(ref _called);
                Atomics.Write(ref _isTold, true);
                _notify.NotifyWaiters();
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.Exception.ShouldBeNull();
            if (_mustBeTold)
            {
                _task.State.ShouldBe(TaskState.Completed, "it had called before all were told");
            }

            _task.Cancel();
            _world.ShouldBeEmpty();
        }
    }

    private sealed class SendAgainstDrop : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private int _got;
        private bool _sent;

        public SendAgainstDrop()
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _task = _world.Spawn(async () => _got = await receiver.ReceiveAsync());
            Thread("worker", _world.Executor.StepOne);
            Thread("sender", () =>
            {
                try
                {
                    _sent = sender.TrySend(7);
                }
                catch (ObjectDisposedException)
                {
                    // the other was faster
                }
            });
            Thread("dropper", sender.Dispose);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            if (_sent)
            {
                (_task.State, _got).ShouldBe((TaskState.Completed, 7));
            }
            else
            {
                _task.Exception.ShouldBeOfType<BrokenSynchronizationException>();
            }

            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task waits, or begins to, while the value is sent; another comes by and would take it.</summary>
    private sealed class SendAgainstLatecomer : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask<int> _task;
        private bool _began;
        private bool _taken;

        public SendAgainstLatecomer()
        {
            (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
            _task = _world.Runtime.SpawnDetached(async ct =>
            {
                Atomics.Write(ref _began, true);
                return await receiver.ReceiveAsync();
            });
            Thread("worker", _world.Work);
            Thread("sender", () => sender.TrySend(7));
            Thread("latecomer", () =>
            {
                bool isOnItsWay = Atomics.Read(ref _began) && _task.State == TaskState.Ready;
                try
                {
                    _taken = receiver.TryReceive(out _);
                    (_taken && isOnItsWay).ShouldBeFalse("it was taken from who had waited for it");
                }
                catch (InvalidOperationException)
                {
                    // the task has it
                }
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            (_task.Exception is null).ShouldBe(!_taken);
            _world.ShouldBeEmpty();
        }
    }

    /// <summary>A task answers for a promise and ends without sending, while another sends.</summary>
    private sealed class TakeOverAgainstEnd : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _receiverTask;
        private readonly ManagedTask _successor;
        private readonly OneShotReceiver<int> _receiver;
        private bool _isTaken;

        public TakeOverAgainstEnd()
        {
            (OneShotSender<int> sender, _receiver) = OneShot.Create<int>();
            _receiverTask = _world.Start(async () => await _receiver.ReceiveAsync());
            _ = _world.Spawn(async () =>
            {
                sender.TakeOver();
                await Future.Yield();
            });
            _world.Executor.StepOne();
            _successor = _world.Spawn(async () =>
            {
                sender.TakeOver();
                _isTaken = ReferenceEquals(_receiver.Holder, ManagedTask.Current);
                await Future.Yield();
                if (_isTaken)
                {
                    sender.TrySend(7).ShouldBeTrue("it answers for the promise, and keeps it");
                }
            });
            Thread("owner", _world.Executor.StepOne);
            Thread("successor", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _successor.State.ShouldBe(TaskState.Completed);
            if (_isTaken)
            {
                _receiverTask.State.ShouldBe(TaskState.Completed);
            }
            else
            {
                _receiverTask.Exception.ShouldBeOfType<BrokenSynchronizationException>();
            }

            _world.ShouldBeEmpty();
        }
    }

    private sealed class OwnerEndAgainstSend : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _receiverTask;
        private readonly ManagedTask _owner;
        private readonly OneShotReceiver<int> _receiver;
        private int _got;
        private bool _sent;

        public OwnerEndAgainstSend()
        {
            (OneShotSender<int> sender, _receiver) = OneShot.Create<int>();
            _receiverTask = _world.Start(async () => _got = await _receiver.ReceiveAsync());
            _owner = _world.Spawn(async () =>
            {
                sender.TakeOver();
                await Future.Completed();
            });
            Thread("worker", _world.Executor.StepOne);
            Thread("sender", () =>
            {
                bool isLate = _owner.IsEnded;
                (_receiver.Holder ?? _owner).ShouldBe(_owner);
                try
                {
                    _sent = sender.TrySend(7);
                    isLate.ShouldBeFalse("who answered for it has ended before");
                }
                catch (BrokenSynchronizationException)
                {
                    // its owner has ended
                }
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _owner.State.ShouldBe(TaskState.Completed);
            if (_sent)
            {
                (_receiverTask.State, _got).ShouldBe((TaskState.Completed, 7));
            }
            else
            {
                _receiverTask.Exception.ShouldBeOfType<BrokenSynchronizationException>();
            }

            _receiver.Holder.ShouldBeNull("nobody answers any more");
            _world.ShouldBeEmpty();
        }
    }

    private sealed class TwoAskOnce : Model
    {
        private readonly ModelWorld _world = new();
        private readonly AsyncOnce<object> _once;
        private readonly ManagedTask[] _tasks = new ManagedTask[2];
        private readonly object?[] _got = new object?[2];
        private int _making;
        private int _made;

        public TwoAskOnce()
        {
            _once = new AsyncOnce<object>(MakeAsync);
            _tasks[0] = _world.Spawn(async () => _got[0] = await _once.GetAsync());
            _tasks[1] = _world.Spawn(async () => _got[1] = await _once.GetAsync());
            Thread("worker", _world.Executor.StepOne);
            Thread("other worker", _world.Executor.StepOne);
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _made.ShouldBe(2, "the first attempt fails, the second one gives the value");
            _tasks.Count(static task => task.State == TaskState.Failed).ShouldBe(1);
            _tasks.Count(static task => task.State == TaskState.Completed).ShouldBe(1);
            _once.IsMade.ShouldBeTrue();
            _once.TryGet(out object value).ShouldBeTrue();
            _got.ShouldContain(value);
            _once.Holder.ShouldBeNull();
            _world.ShouldBeEmpty();
        }

        private async Future<object> MakeAsync(CancellationToken token)
        {
            if (Atomics.Add(ref _making, 1) != 1)
            {
                Run.Fail("two make the value at a time");
            }

            if (!ReferenceEquals(_once.Holder, ManagedTask.Current))
            {
                Run.Fail("it is not said who makes the value");
            }

            bool first = _made++ == 0;
            Atomics.Add(ref _making, -1);
            await Future.Completed();
            return first ? throw new NotSupportedException() : new object();
        }
    }

    private sealed class DisposeAgainstMake : Model
    {
        private readonly ModelWorld _world = new();
        private readonly AsyncOnce<int> _once = new(static async _ =>
        {
            await Future.Completed();
            return 7;
        });

        private readonly ManagedTask _task;

        public DisposeAgainstMake()
        {
            _task = _world.Spawn(async () => await _once.GetAsync());
            Thread("worker", _world.Executor.StepOne);
            Thread("disposer", () =>
            {
                bool made = _once.IsMade;
                _once.TryGet(out int value).ShouldBe(made || value == 7);
                _once.Dispose();
                _once.TryGet(out _).ShouldBeFalse();
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            (_task.State == TaskState.Completed || _task.Exception is ObjectDisposedException).ShouldBeTrue($"{_task} {_task.Exception}");
            _once.IsMade.ShouldBeFalse();
            _once.Waiting.ShouldBe(0);
            _world.ShouldBeEmpty();
        }
    }

    private sealed class SetAgainstWatch : Model
    {
        private readonly ModelWorld _world = new();
        private readonly ManagedTask _task;
        private readonly WatchReceiver<int> _receiver;
        private readonly List<int> _seen = [];

        public SetAgainstWatch()
        {
            var sender = new WatchSender<int>(0);
            _receiver = sender.NewReceiver();
            _receiver.MarkUnchanged();
            _task = _world.Spawn(async () =>
            {
                while (true)
                {
                    _seen.Add(await _receiver.ChangedAsync());
                }
            });
            Thread("worker", _world.Executor.StepOne);
            Thread("sender", () =>
            {
                sender.Send(1);
                sender.Complete();
            });
        }

        public override void Check()
        {
            _world.Executor.RunReady();
            _task.Exception.ShouldBeOfType<ChannelClosedException>();
            _seen.ShouldBe(_seen.Distinct().Order());
            _seen.ShouldNotBeEmpty();
            _seen[^1].ShouldBe(1);
            _world.ShouldBeEmpty();
        }
    }

    private sealed class MarkAgainstSend : Model
    {
        private readonly WatchReceiver<int> _receiver;
        private int _before;

        public MarkAgainstSend()
        {
            var sender = new WatchSender<int>(0);
            _receiver = sender.NewReceiver();
            Thread("marker", () =>
            {
                _receiver.MarkChanged();
                _receiver.HasChanged.ShouldBeTrue();
                _before = _receiver.Value;
                _receiver.MarkUnchanged();
            });
            Thread("sender", () => sender.Send(1));
        }

        public override void Check()
        {
            if (_before == 1)
            {
                _receiver.HasChanged.ShouldBeFalse("it was marked after the last value had come");
            }

            _receiver.Value.ShouldBe(1);
        }
    }
}
