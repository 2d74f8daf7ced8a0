using Moirai.Interleaving.Exploring;
using Moirai.Wakers;

namespace Moirai.Interleaving.Models;

/// <summary>The place for one waker, and the source behind a callback, in every interleaving.</summary>
public sealed class WakerModels
{
    [Fact]
    public void D2_S127_a_wake_before_during_or_after_the_first_registration_is_not_lost() => Proof.Holds<FirstRegistration>(atLeast: 10, budget: 4);

    [Fact]
    public void D2_S127_first_registration_twin() => Proof.Catches<FirstRegistration>("AtomicWaker.Register", Flaw.NoFence);

    [Fact]
    public void D2_S129_twin_a_wake_that_finds_no_waiter_and_publishes_nothing() => Proof.Catches<FirstRegistration>("AtomicWaker.TakeTarget", Flaw.NoFence);

    [Fact]
    public void D2_S127_a_wake_around_a_registration_of_the_same_waker_is_not_lost() => Proof.Holds<SameAgain>(atLeast: 10, budget: 4);

    [Fact]
    public void D2_S127_same_again_twin() => Proof.Catches<SameAgain>("AtomicWaker.TakeTarget", Flaw.Forgotten);

    [Theory]
    [InlineData("AtomicWaker.Register", Flaw.NoFence)]
    [InlineData("AtomicWaker.Register", Flaw.Forgotten)]
    public void D2_S127_in_anothers_place_twin(string site, Flaw flaw) => Proof.Catches<InAnothersPlace>(site, flaw);

    [Fact]
    public void D2_S127_a_wake_around_a_registration_in_anothers_place_is_not_lost() => Proof.Holds<InAnothersPlace>(atLeast: 10, budget: 4);

    [Fact]
    public void D2_each_registered_waker_is_taken_by_one() => Proof.Holds<TwoTakers>(atLeast: 10, budget: 4);

    [Fact]
    public void D2_two_takers_twin() => Proof.Catches<TwoTakers>("AtomicWaker.TakeTarget", Flaw.CheckThenStore);

    [Fact]
    public void D2_S127_a_task_that_waits_for_two_sources_at_one_place_sees_both() => Proof.Holds<TwoSources>(atLeast: 1_000);

    [Theory]
    [InlineData("AtomicWaker.TakeTarget", Flaw.NoFence)]
    [InlineData("TaskWakeTarget.Wake", Flaw.NoFence)]
    [InlineData("TaskWakeTarget.IsWokenMeanwhile", Flaw.Blind)]
    public void D2_S127_two_sources_twin(string site, Flaw flaw) => Proof.Catches<TwoSources>(site, flaw);

    [Fact]
    public void D3_a_callback_and_a_cancellation_lose_and_double_no_value() => Proof.Holds<CallbackAgainstCancel>(atLeast: 500);

    [Fact]
    public void D3_callback_against_cancel_twin() => Proof.Catches<CallbackAgainstCancel>("SpinGate.Enter", Flaw.CheckThenStore);

    [Fact]
    public void D3_of_two_callbacks_one_is_taken() => Proof.Holds<TwoCallbacks>(atLeast: 500);

    [Theory]
    [InlineData("SpinGate.Enter", Flaw.CheckThenStore)]
    [InlineData("CallbackSource.TrySettle", Flaw.Forgotten)]
    public void D3_two_callbacks_twin(string site, Flaw flaw) => Proof.Catches<TwoCallbacks>(site, flaw);

    private abstract class Registration : Model
    {
        private bool _isThere;
        private bool _seen;

        protected Registration()
        {
            Thread("registrant", () =>
            {
                Place.Register(new Waker(Target));
                _seen = Atomics.Read(ref _isThere);
            });
            Thread("provider", () =>
            {
                Atomics.Write(ref _isThere, true);
                Place.Wake();
            });
        }

        protected AtomicWaker Place { get; } = new();

        protected Target Target { get; } = new(1);

        public override void Check()
        {
            (_seen || Target.Wakes > 0).ShouldBeTrue("neither did the wake find the waker, nor the one who registered see what was there");
            Target.Wakes.ShouldBeLessThanOrEqualTo(1);
            if (!_seen)
            {
                Place.Take().ShouldBe(default, "the wake came after the registration, and what it took is there still");
            }
        }
    }

    private sealed class FirstRegistration : Registration;

    private sealed class SameAgain : Registration
    {
        public SameAgain() => Place.Register(new Waker(Target));
    }

    private sealed class InAnothersPlace : Registration
    {
        public InAnothersPlace() => Place.Register(new Waker(new Target(2)));
    }

    private sealed class TwoTakers : Model
    {
        private readonly AtomicWaker _place = new();
        private readonly Target _first = new(1);
        private readonly Target _second = new(2);

        public TwoTakers()
        {
            _place.Register(new Waker(_first));
            Thread("taker", _place.Wake);
            Thread("other taker", _place.Wake);
            Thread("registrant", () => _place.Register(new Waker(_second)));
        }

        public override void Check()
        {
            _place.Wake();
            _first.Wakes.ShouldBeLessThanOrEqualTo(1);
            _second.Wakes.ShouldBe(1);
        }
    }

    /// <summary>Two who provide, each a part; the task looks at both, and waits for both at one place.</summary>
    private sealed class TwoSources : Model
    {
        private readonly ModelWorld _world = new();
        private readonly AtomicWaker _place = new();
        private readonly ManagedTask _task;
        private bool _first;
        private bool _second;

        public TwoSources()
        {
            _task = _world.Start(() => Future.FromPoll(waker =>
            {
                _place.Register(waker);
                return Atomics.Read(ref _first) && Atomics.Read(ref _second);
            }));
            Thread("worker", _world.Work);
            Thread("first", () =>
            {
                Atomics.Write(ref _first, true);
                _place.Wake();
            });
            Thread("second", () =>
            {
                Atomics.Write(ref _second, true);
                _place.Wake();
            });
        }

        public override void Check()
        {
            _task.State.ShouldBe(TaskState.Completed, "a wake was lost");
            _world.ShouldBeEmpty();
        }
    }

    private abstract class Callback : Model
    {
        private CallbackSource<int>? _source;
        private int _got;

        protected Callback()
        {
            Task = World.Start(async () => _got = await Future.FromCallback<int>(source => _source = source, _ => Unregistered++));
            Thread("worker", World.Work);
        }

        protected ModelWorld World { get; } = new();

        protected ManagedTask Task { get; }

        protected int Unregistered { get; private set; }

        protected int Accepted { get; private set; }

        public override void Check()
        {
            _got.ShouldBe(Accepted, "a value was accepted and is lost, or was refused and is used");
            Accepted.ShouldBeLessThan(3, "two values were accepted");
            Unregistered.ShouldBe(Accepted == 0 ? 1 : 0);
            _source!.IsPending.ShouldBeFalse();
            World.ShouldBeEmpty();
        }

        protected void Call(int value)
        {
            bool wasPending = _source!.IsPending;
            if (_source.TrySetResult(value))
            {
                wasPending.ShouldBeTrue("what was accepted was waited for a moment before");
                Accepted += value;
            }
        }
    }

    private sealed class CallbackAgainstCancel : Callback
    {
        public CallbackAgainstCancel()
        {
            Thread("callback", () => Call(1));
            Thread("canceller", () => Task.Cancel());
        }

        public override void Check()
        {
            base.Check();
            Task.State.ShouldBe(Accepted == 0 ? TaskState.Canceled : TaskState.Completed);
        }
    }

    private sealed class TwoCallbacks : Callback
    {
        public TwoCallbacks()
        {
            Thread("one", () => Call(1));
            Thread("two", () => Call(2));
        }

        public override void Check()
        {
            base.Check();
            Task.State.ShouldBe(TaskState.Completed);
        }
    }

    private sealed class Target(long task) : WakeTarget(new TaskId(task))
    {
        public int Wakes { get; private set; }

        internal override void Wake() => Wakes++;
    }
}
