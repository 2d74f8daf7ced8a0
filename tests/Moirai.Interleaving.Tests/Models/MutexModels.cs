using Moirai.Execution;
using Moirai.Interleaving.Exploring;

namespace Moirai.Interleaving.Models;

/// <summary>The mutex: the way of two interlocked operations against whoever arrives, leaves, is invited, is canceled, or ends it.</summary>
public sealed class MutexModels
{
    [Fact]
    public void S149_two_tasks_go_through_a_mutex_one_after_the_other() => Proof.Holds<TwoThrough>(atLeast: 1_000);

    [Theory]
    [InlineData("MutexWord.TryLock", Flaw.CheckThenStore)]
    [InlineData("MutexWord.TryLock", Flaw.NoFence)]
    [InlineData("MutexWord.TryUnlock", Flaw.CheckThenStore)]
    [InlineData("MutexWord.TryAnnounceWaiter", Flaw.CheckThenStore)]
    [InlineData("MutexWord.TryAnnounceWaiter", Flaw.Forgotten)]
    [InlineData("MutexWord.TryReplace", Flaw.Forgotten)]
    [InlineData("AsyncMutex.PutDown", Flaw.Forgotten)]
    public void S149_two_through_twin(string site, Flaw flaw) => Proof.Catches<TwoThrough>(site, flaw);

    [Fact]
    public void S149_an_invited_waiter_and_the_one_who_was_faster_take_turns() => Proof.Holds<InvitedAgainstFaster>(atLeast: 200);

    [Theory]
    [InlineData("MutexWord.TryLockAsInvited", Flaw.CheckThenStore)]
    [InlineData("MutexWord.TryAnnounceWaiter", Flaw.CheckThenStore)]
    public void S149_invited_against_faster_twin(string site, Flaw flaw) => Proof.Catches<InvitedAgainstFaster>(site, flaw);

    [Fact]
    public void S149_who_has_come_in_vain_too_often_is_not_overtaken_again() => Proof.Holds<ReservedAgainstFaster>(atLeast: 100);

    [Theory]
    [InlineData("MutexWord.TryLockAsInvited", Flaw.Forgotten)]
    [InlineData("MutexWord.TryReplace", Flaw.Forgotten)]
    public void S149_reserved_against_faster_twin(string site, Flaw flaw) => Proof.Catches<ReservedAgainstFaster>(site, flaw);

    [Fact]
    public void S149_an_invitation_of_one_who_is_canceled_goes_to_the_next() => Proof.Holds<InvitedAgainstCancel>(atLeast: 500);

    [Theory]
    [InlineData("MutexWord.Mark", Flaw.CheckThenStore)]
    [InlineData("MutexWord.Mark", Flaw.Forgotten)]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    public void S149_invited_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<InvitedAgainstCancel>(site, flaw);

    [Fact]
    public void S149_copies_of_a_lease_release_once_and_disturb_nobody() => Proof.Holds<CopiesOfALease>(atLeast: 500);

    [Theory]
    [InlineData("MutexWord.TryUnlock", Flaw.CheckThenStore)]
    public void S149_copies_of_a_lease_twin(string site, Flaw flaw) => Proof.Catches<CopiesOfALease>(site, flaw);

    [Fact]
    public void S149_of_those_who_barge_in_each_has_a_ticket_of_its_own() => Proof.Holds<ThreeBarge>(atLeast: 100);

    [Theory]
    [InlineData("MutexWord.TryLock", Flaw.CheckThenStore)]
    [InlineData("MutexWord.TryLockAgain", Flaw.CheckThenStore)]
    [InlineData("MutexWord.TryLockAgain", Flaw.Forgotten)]
    public void S149_three_barge_twin(string site, Flaw flaw) => Proof.Catches<ThreeBarge>(site, flaw);

    [Fact]
    public void S149_a_mutex_that_is_disposed_tells_whoever_waits_or_is_about_to() => Proof.Holds<CloseAgainstWait>(atLeast: 500);

    [Theory]
    [InlineData("MutexWord.TryClose", Flaw.Forgotten)]
    [InlineData("SynchronizationPrimitive.Close", Flaw.Forgotten)]
    [InlineData("SynchronizationPrimitive.IsClosed", Flaw.Blind)]
    public void S149_close_against_wait_twin(string site, Flaw flaw) => Proof.Catches<CloseAgainstWait>(site, flaw);

    [Fact]
    public void S151_a_holder_that_ends_breaks_the_mutex_for_who_waits_and_for_who_comes() => Proof.Holds<EndAgainstWait>(atLeast: 200);

    [Theory]
    [InlineData("MutexWord.TryClose", Flaw.Forgotten)]
    [InlineData("AsyncMutex.Dropped", Flaw.Forgotten)]
    public void S151_end_against_wait_twin(string site, Flaw flaw) => Proof.Catches<EndAgainstWait>(site, flaw);

    [Fact]
    public void S157_no_news_is_lost_when_a_notification_and_a_cancellation_race() => Proof.Holds<NewsAgainstCancel>(atLeast: 1_000);

    [Theory]
    [InlineData("LifecycleWord.TryWake", Flaw.CheckThenStore)]
    [InlineData("AsyncMutex.Conditions.TakenAgain", Flaw.Forgotten)]
    [InlineData("AsyncMutex.Conditions.StandsFor", Flaw.Blind)]
    public void S157_news_against_cancel_twin(string site, Flaw flaw) => Proof.Catches<NewsAgainstCancel>(site, flaw);

    [Fact]
    public void S157_news_that_comes_while_somebody_begins_to_wait_for_it_is_not_lost() => Proof.Holds<NewsAgainstWait>(atLeast: 100);

    [Theory]
    [InlineData("LifecycleWord.IsArmed", Flaw.Blind)]
    [InlineData("MutexWord.TryUnlock", Flaw.Forgotten)]
    public void S157_news_against_wait_twin(string site, Flaw flaw) => Proof.Catches<NewsAgainstWait>(site, flaw);

    [Fact]
    public void S149_plain_code_whose_token_is_canceled_while_the_mutex_is_released_has_it_or_not() => Proof.Holds<PlainAgainstToken>(atLeast: 200);

    [Theory]
    [InlineData("CallbackNode.TryClaim", Flaw.CheckThenStore)]
    [InlineData("CallbackNode.Rearm", Flaw.Forgotten)]
    public void S149_plain_against_token_twin(string site, Flaw flaw) => Proof.Catches<PlainAgainstToken>(site, flaw);

    [Fact]
    public void S149_a_token_ends_the_wait_it_was_given_to_and_no_later_one() => Proof.Holds<TokenAgainstRelease>(atLeast: 200);

    [Theory]
    [InlineData("TokenWatch.EndWait", Flaw.Forgotten)]
    [InlineData("IWatchedWait.Fire", Flaw.Blind)]
    public void S149_token_against_release_twin(string site, Flaw flaw) => Proof.Catches<TokenAgainstRelease>(site, flaw);

    private abstract class OfMutex : Model
    {
        protected ModelWorld World { get; } = new();

        protected AsyncMutex Mutex { get; } = new();

        protected Guarded Inside { get; } = new();

        protected async Future PassAsync(int times)
        {
            for (int i = 0; i < times; i++)
            {
                using (await Mutex.LockAsync())
                {
                    PassInside();
                }
            }
        }

        protected void PassInside()
        {
            Inside.Pass();
            if (!ReferenceEquals(Mutex.Holder, ManagedTask.Current))
            {
                Run.Fail($"the holder is said to be {Mutex.Holder?.Title ?? "nobody"}");
            }
        }

        /// <summary>Plain code that does not stand in line: takes the mutex if nobody has it.</summary>
        protected void Barge()
        {
            if (Mutex.TryTake(null, "", 0, out long ticket))
            {
                PassInside();
                Mutex.Release(ticket);
            }
        }

        protected long TakePlain()
        {
            Mutex.TryTake(null, "", 0, out long ticket).ShouldBeTrue();
            return ticket;
        }

        protected void ShouldBeFree()
        {
            World.ShouldBeEmpty();
            Mutex.IsLocked.ShouldBeFalse();
            Mutex.Holder.ShouldBeNull();
            Mutex.Waiting.ShouldBe(0);
        }
    }

    private abstract class OfNews : OfMutex
    {
        protected OfNews() => Condition = new AsyncCondition(Mutex);

        protected AsyncCondition Condition { get; }

        protected int News { get; private set; }

        protected async Future WaitAsync()
        {
            using (await Mutex.LockAsync())
            {
                while (News == 0)
                {
                    await Condition.WaitAsync();
                }

                News--;
                PassInside();
            }
        }

        /// <summary>Brings news if nobody has the mutex.</summary>
        protected bool TryTell(out int told)
        {
            told = 0;
            if (!Mutex.TryTake(null, "", 0, out long ticket))
            {
                return false;
            }

            News++;
            told = Condition.Notify();
            Mutex.Release(ticket);
            return true;
        }
    }

    private sealed class TwoThrough : OfMutex
    {
        private readonly ManagedTask _one;
        private readonly ManagedTask _two;

        public TwoThrough()
        {
            _one = World.Spawn(() => PassAsync(1));
            _two = World.Spawn(() => PassAsync(1));
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _one.State.ShouldBe(TaskState.Completed);
            _two.State.ShouldBe(TaskState.Completed, "a waiter was forgotten");
            ShouldBeFree();
        }
    }

    /// <summary>A task was invited by a release; it comes while plain code takes the mutex, and somebody else begins to wait.</summary>
    private sealed class InvitedAgainstFaster : OfMutex
    {
        private readonly ManagedTask _invited;
        private readonly ManagedTask _third;

        public InvitedAgainstFaster()
        {
            long ticket = TakePlain();
            _invited = World.Start(() => PassAsync(1));
            _third = World.Start(() => PassAsync(1));
            Mutex.Release(ticket);
            Thread("worker", World.Executor.StepOne);
            Thread("faster", Barge);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _invited.State.ShouldBe(TaskState.Completed);
            _third.State.ShouldBe(TaskState.Completed);
            ShouldBeFree();
        }
    }

    /// <summary>A task has come in vain as often as it may: the next release keeps the mutex for it.</summary>
    private sealed class ReservedAgainstFaster : OfMutex
    {
        private readonly ManagedTask _patient;

        public ReservedAgainstFaster()
        {
            long ticket = TakePlain();
            _patient = World.Start(() => PassAsync(1));
            for (int i = 0; i < AsyncMutex.MostVainCalls; i++)
            {
                Mutex.Release(ticket);
                ticket = TakePlain();
                World.Executor.RunReady();
            }

            Thread("releaser", () =>
            {
                Mutex.Release(ticket);
                if (Mutex.TryTake(null, "", 0, out long again))
                {
                    (_patient.State is TaskState.Completed or TaskState.Running).ShouldBeTrue("it was overtaken once more");
                    Inside.Pass();
                    Mutex.Release(again);
                }
            });
            Thread("worker", World.Work);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _patient.State.ShouldBe(TaskState.Completed);
            ShouldBeFree();
        }
    }

    /// <summary>The first of two who wait is invited, finds the mutex taken, and is canceled.</summary>
    private sealed class InvitedAgainstCancel : OfMutex
    {
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;

        public InvitedAgainstCancel()
        {
            long ticket = TakePlain();
            _first = World.Start(() => PassAsync(1));
            _second = World.Start(() => PassAsync(1));
            Mutex.Release(ticket);
            ticket = TakePlain();
            Thread("worker", World.Executor.StepOne);
            Thread("canceller", () => _first.Cancel());
            Thread("releaser", () => Mutex.Release(ticket));
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _first.State.ShouldBeOneOf(TaskState.Completed, TaskState.Canceled);
            _second.State.ShouldBe(TaskState.Completed, "the invitation was lost");
            ShouldBeFree();
        }
    }

    /// <summary>Three take the mutex without standing in line. A ticket that two had would let a lease that was given back release who has it now.</summary>
    private sealed class ThreeBarge : OfMutex
    {
        private readonly List<long> _tickets = [];

        public ThreeBarge()
        {
            Thread("one", Take);
            Thread("two", Take);
            Thread("three", Take);
        }

        public override void Check()
        {
            _tickets.ShouldBeUnique();
            ShouldBeFree();
            long last = TakePlain();
            _tickets.ForEach(Mutex.Release);
            Mutex.IsLocked.ShouldBeTrue("a ticket that was given back has released another");
            Mutex.Release(last);
        }

        private void Take()
        {
            if (Mutex.TryTake(null, "", 0, out long ticket))
            {
                _tickets.Add(ticket);
                PassInside();
                Mutex.Release(ticket);
            }
        }
    }

    /// <summary>Two dispose copies of one lease while a task takes the mutex.</summary>
    private sealed class CopiesOfALease : OfMutex
    {
        private readonly ManagedTask _next;

        public CopiesOfALease()
        {
            Mutex.TryLock(out MutexLease lease).ShouldBeTrue();
            _next = World.Spawn(() => PassAsync(1));
            Thread("one", () =>
            {
                lease.Dispose();
                if (Mutex.TryLock(out MutexLease again))
                {
                    PassInside();
                    again.Dispose();
                }
            });
            Thread("two", lease.Dispose);
            Thread("worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _next.State.ShouldBe(TaskState.Completed);
            ShouldBeFree();
        }
    }

    /// <summary>A mutex is disposed while its holder releases it and a task begins to wait.</summary>
    private sealed class CloseAgainstWait : OfMutex
    {
        private readonly ManagedTask _task;

        public CloseAgainstWait()
        {
            long ticket = TakePlain();
            _task = World.Spawn(() => PassAsync(1));
            Thread("worker", World.Executor.StepOne);
            Thread("closer", Mutex.Dispose);
            Thread("releaser", () => Mutex.Release(ticket));
        }

        public override void Check()
        {
            World.Executor.RunReady();
            (_task.State == TaskState.Completed || _task.Exception is ObjectDisposedException).ShouldBeTrue($"{_task} {_task.Exception}");
            World.ShouldBeEmpty();
            Should.Throw<ObjectDisposedException>(() => Mutex.TryLock(out _));
            Mutex.Waiting.ShouldBe(0);
        }
    }

    /// <summary>A task takes the mutex and ends with it, while another comes.</summary>
    private sealed class EndAgainstWait : OfMutex
    {
        private readonly ManagedTask _holder;
        private readonly ManagedTask _waiter;

        public EndAgainstWait()
        {
            _holder = World.Spawn(async () =>
            {
                await Future.Yield();
                await Mutex.LockAsync();
            });
            _waiter = World.Spawn(async () =>
            {
                await Future.Yield();
                await PassAsync(1);
            });
            World.Executor.StepOne();
            World.Executor.StepOne();
            Thread("worker", World.Executor.StepOne);
            Thread("other worker", World.Executor.StepOne);
        }

        public override void Check()
        {
            World.Executor.RunReady();
            _holder.State.ShouldBe(TaskState.Completed);
            (_waiter.State == TaskState.Completed || _waiter.Exception is BrokenSynchronizationException).ShouldBeTrue($"{_waiter} {_waiter.Exception}");
            Mutex.Holder.ShouldBeNull();
            World.ShouldBeEmpty();
            Should.Throw<BrokenSynchronizationException>(() => Mutex.TryLock(out _));
        }
    }

    /// <summary>Two wait for news; one is told, and one of them is canceled.</summary>
    private sealed class NewsAgainstCancel : OfNews
    {
        private readonly ManagedTask _first;
        private readonly ManagedTask _second;

        public NewsAgainstCancel()
        {
            _first = World.Start(WaitAsync);
            _second = World.Start(WaitAsync);
            Thread("worker", World.Work);
            Thread("canceller", () => _first.Cancel());
            Thread("teller", () =>
            {
                if (TryTell(out int told))
                {
                    told.ShouldBe(1);
                }
            });
        }

        public override void Check()
        {
            World.Executor.RunReady();
            News.ShouldBe(0, "one was told, and nobody looks");
            _first.Cancel();
            _second.Cancel();
            World.Executor.RunReady();
            ShouldBeFree();
            Condition.Waiting.ShouldBe(0);
        }
    }

    /// <summary>One looks, and begins to wait for news; another brings some.</summary>
    private sealed class NewsAgainstWait : OfNews
    {
        private readonly ManagedTask _task;
        private bool _isTold;

        public NewsAgainstWait()
        {
            _task = World.Spawn(WaitAsync);
            Thread("worker", World.Executor.StepOne);
            Thread("teller", () => _isTold = TryTell(out _));
        }

        public override void Check()
        {
            World.Executor.RunReady();
            if (!_isTold)
            {
                TryTell(out int told).ShouldBeTrue();
                told.ShouldBe(1);
                World.Executor.RunReady();
            }

            _task.State.ShouldBe(TaskState.Completed, "the news was lost");
            Condition.Waiting.ShouldBe(0);
            ShouldBeFree();
        }
    }

    /// <summary>Plain code waits with a token, which is canceled while the mutex is released, and taken again by somebody faster.</summary>
    private sealed class PlainAgainstToken : OfMutex
    {
        private readonly ModelContext _context = new();
        private readonly CancellationTokenSource _source = new();
        private readonly Task _waiter;
        private readonly ManagedTask _next;

        public PlainAgainstToken()
        {
            long ticket = TakePlain();
            _waiter = _context.Start(PassPlainAsync);
            _next = World.Start(() => PassAsync(1));
            Mutex.Release(ticket);
            ticket = TakePlain(); // so it comes in vain
            Thread("context", _context.Work);
            Thread("token", () => _source.Cancel());
            Thread("releaser", () => Mutex.Release(ticket));
        }

        public override void Check()
        {
            while (_context.RunReady() | World.Executor.ReadyCount > 0)
            {
                World.Executor.RunReady();
            }

            _waiter.IsCompleted.ShouldBeTrue("its wait was forgotten");
            (_waiter.IsCanceled || _waiter.IsCompletedSuccessfully).ShouldBeTrue($"{_waiter.Exception}");
            _next.State.ShouldBe(TaskState.Completed);
            ShouldBeFree();
        }

        private async Task PassPlainAsync()
        {
            using (await Mutex.LockAsync(_source.Token))
            {
                Inside.Pass();
            }
        }
    }

    /// <summary>A task waits with a token, which is canceled while the mutex is released; then it waits for something else.</summary>
    private sealed class TokenAgainstRelease : OfMutex
    {
        private readonly CancellationTokenSource _source = new();
        private readonly AsyncSemaphore _later = new(0, 1);
        private readonly ManagedTask _task;
        private bool _abandoned;

        public TokenAgainstRelease()
        {
            long ticket = TakePlain();
            _task = World.Start(async () =>
            {
                try
                {
                    using (await Mutex.LockAsync(_source.Token))
                    {
                        Inside.Pass();
                    }
                }
                catch (OperationCanceledException)
                {
                    _abandoned = true;
                }

                await _later.AcquireAsync();
            });
            Thread("worker", World.Work);
            Thread("token", () => _source.Cancel());
            Thread("releaser", () => Mutex.Release(ticket));
        }

        public override void Check()
        {
            World.Executor.RunReady();
            (Inside.Passed == (_abandoned ? 0 : 1)).ShouldBeTrue();
            _task.State.ShouldBe(TaskState.Blocked);
            _later.Waiting.ShouldBe(1, "the token has ended a wait that it was not given to");
            _later.AddPermits(1);
            World.Executor.RunReady();
            _task.State.ShouldBe(TaskState.Completed);
            ShouldBeFree();
        }
    }
}
