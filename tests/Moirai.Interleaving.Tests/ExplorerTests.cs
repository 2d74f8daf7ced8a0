using Moirai.Ground;
using Moirai.Interleaving.Exploring;
using Moirai.Lifecycle;

namespace Moirai.Interleaving;

/// <summary>The explorer on programs whose interleavings are known: what it does not find here it finds nowhere.</summary>
public sealed class ExplorerTests
{
    private static readonly Bounds s_everything = new(int.MaxValue) { HoldsStores = false };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(4, 4)]
    public void Every_interleaving_is_run_exactly_once(int first, int second)
    {
        // n uses of the seam cut a body into n + 1 pieces.
        var seen = new HashSet<string>();
        int runs = Walk(() => new Pieces(seen, first, second), s_everything with { Budget = 100 });
        runs.ShouldBe(Merges(first + 1, second + 1, preemptions: 100));
        seen.Count.ShouldBe(runs);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_budget_lets_exactly_those_through_that_take_the_turn_away_so_often(int preemptions)
    {
        var seen = new HashSet<string>();
        int runs = Walk(() => new Pieces(seen, 4, 3), s_everything with { Budget = preemptions });
        runs.ShouldBe(Merges(5, 4, preemptions));
        seen.Count.ShouldBe(runs);
    }

    [Fact]
    public void A_gate_and_a_wait_that_a_broken_off_run_has_left_locked_keep_no_finalizer_spinning()
    {
        var gate = default(SpinGate);
        gate.Enter();
        gate.Enter(); // on a thread of no run, as finalizers are
        gate.Exit();

        var word = default(LifecycleWord);
        word.Move(TaskEvent.Enqueue);
        word.Move(TaskEvent.Start);
        int armed = word.Park(interruptible: true);
        word.TryHold().ShouldBeTrue();
        word.TryWake(armed).ShouldBeTrue();
    }

    [Fact]
    public void A_lost_update_is_found_as_soon_as_one_preemption_is_allowed()
    {
        Explorer.Explore(() => new Increments(isAtomic: false), new Bounds(0)).Broken.ShouldBeNull();
        Exploration found = Explorer.Explore(() => new Increments(isAtomic: false), new Bounds(1));
        found.Broken.ShouldBeOfType<ShouldAssertException>();
        Explorer.Explore(() => new Increments(isAtomic: true), new Bounds(3)).Broken.ShouldBeNull();
    }

    [Fact]
    public void A_store_that_is_seen_late_is_found_when_stores_are_held_back()
    {
        Explorer.Explore(() => new Dekker(hasFence: false), new Bounds(2)).Broken.ShouldNotBeNull();
        Explorer.Explore(() => new Dekker(hasFence: false), new Bounds(4) { HoldsStores = false }).Broken.ShouldBeNull();
        Explorer.Explore(() => new Dekker(hasFence: true), new Bounds(4)).Broken.ShouldBeNull();
    }

    [Fact]
    public void Stores_of_one_thread_are_seen_in_their_order_and_by_itself_at_once() =>
        Explorer.Explore(() => new Message(), new Bounds(4)).Broken.ShouldBeNull();

    [Fact]
    public void Threads_that_wait_for_each_other_are_found()
    {
        Exploration found = Explorer.Explore(() => new TwoGates(), new Bounds(1));
        found.Broken.ShouldBeOfType<BrokenModelException>().Message.ShouldBe(
            "Deadlock: nobody can go on. up: spins in SpinGate.EnterContended; down: spins in SpinGate.EnterContended");
    }

    [Fact]
    public void Threads_that_run_for_ever_are_found()
    {
        Exploration found = Explorer.Explore(() => new Politeness(), new Bounds(1) { MostSteps = 100 });
        found.Broken.ShouldBeOfType<BrokenModelException>().Message.ShouldStartWith("Livelock: 100 steps");
    }

    [Fact]
    public void Who_waits_in_a_loop_gets_no_turn_until_something_has_changed() =>
        Explorer.Explore(() => new Waiting(), new Bounds(0) { MostSteps = 12 }).Broken.ShouldBeNull();

    [Fact]
    public void Time_passes_when_all_sleep()
    {
        Explorer.Explore(() => new Sleepers(), new Bounds(2)).Broken.ShouldBeNull();
    }

    [Fact]
    public void The_script_of_a_broken_run_repeats_it()
    {
        var bounds = new Bounds(2);
        Exploration found = Explorer.Explore(() => new Dekker(hasFence: false), bounds);
        for (int i = 0; i < 3; i++)
        {
            Explorer.Replay(() => new Dekker(hasFence: false), found.Script!, bounds)!.Message.ShouldBe(found.Broken!.Message);
        }

        Explorer.Replay(() => new Dekker(hasFence: false), "", bounds).ShouldBeNull("the usual choices break nothing");
        Should.Throw<ExplorerException>(() => Explorer.Replay(() => new Dekker(hasFence: false), "7", bounds)).Message.ShouldContain("does not fit");
    }

    [Fact]
    public void The_message_of_a_broken_model_says_how_to_repeat_it()
    {
        string message = Should.Throw<Exception>(static () => Proof.Holds<Forgetful>(atLeast: 1)).Message;
        Exploration found = Explorer.Explore(static () => new Forgetful(), new Bounds(Proof.Budget));
        message.ShouldContain($"Proof.Repeat<Forgetful>(\"{found.Script}\")");
        message.ShouldContain("1 second: write _count in ExplorerTests.Increment");
        Should.Throw<Exception>(() => Proof.Repeat<Forgetful>(found.Script!)).Message.ShouldContain($"broken by interleaving \"{found.Script}\"");
    }

    [Fact]
    public void A_proof_that_explores_too_little_fails() =>
        Should.Throw<ShouldAssertException>(static () => Proof.Holds<Waiting>(atLeast: 1_000_000)).Message.ShouldContain("1000000");

    [Fact]
    public void A_fault_that_the_model_survives_or_never_meets_fails_the_twin()
    {
        Should.Throw<ShouldAssertException>(static () => Proof.Catches<Waiting>("ExplorerTests.Nowhere", Flaw.Blind)).Message.ShouldContain("no thread of Waiting came by");
        Should.Throw<ShouldAssertException>(static () => Proof.Catches<Waiting>("ExplorerTests.Signal", Flaw.CheckThenStore)).Message.ShouldContain("in spite of CheckThenStore");
    }

    [Theory]
    [InlineData(Flaw.Forgotten)]
    [InlineData(Flaw.NoFence)]
    [InlineData(Flaw.CheckThenStore)]
    [InlineData(Flaw.Blind)]
    [InlineData(Flaw.Stale)]
    public void Each_kind_of_fault_breaks_what_relies_on_its_absence(Flaw flaw) => Proof.Catches<Reliant>("ExplorerTests.Use", flaw);

    [Fact]
    public void What_relies_on_the_seam_holds_without_a_fault() => Proof.Holds<Reliant>(atLeast: 20);

    [Fact]
    public void The_trace_says_who_did_what_where()
    {
        var bounds = new Bounds(1);
        Exploration found = Explorer.Explore(() => new Increments(isAtomic: false), bounds);
        var trace = new System.Text.StringBuilder();
        Explorer.Replay(() => new Increments(isAtomic: false), found.Script!, bounds, trace: trace);
        trace.ToString().ShouldContain("1 second: write _count in ExplorerTests.Increment");
    }

    [Fact]
    public void A_trace_that_has_to_ask_a_value_what_it_is_takes_no_step_for_that()
    {
        var bounds = new Bounds(1);
        Exploration found = Explorer.Explore(() => new Talkative(), bounds);
        var trace = new System.Text.StringBuilder();
        Explorer.Replay(() => new Talkative(), found.Script.ShouldNotBeNull(), bounds, trace: trace)!.Message.ShouldBe(found.Broken!.Message);
        trace.ToString().ShouldContain("= state 1");
    }

    [Fact]
    public void A_model_that_is_not_deterministic_is_refused()
    {
        int runs = 0;
        Should.Throw<ExplorerException>(() => Explorer.Explore(() => new Pieces([], 2, runs++ % 2 == 0 ? 2 : 0), new Bounds(2)))
            .Message.ShouldContain("not deterministic");
    }

    [Fact]
    public void A_thread_that_is_blocked_outside_the_seam_is_told()
    {
        using var never = new ManualResetEventSlim();
        Should.Throw<ExplorerException>(() => Explorer.Explore(() => new Blocked(never), new Bounds(0) { Patience = TimeSpan.FromMilliseconds(50) }))
            .Message.ShouldContain("blocked outside the seam");
        never.Set();
    }

    [Fact]
    public void A_collection_in_between_repeats_the_run_and_changes_no_result()
    {
        int collections = 0;
        Exploration found = Explorer.Explore(() => new Dekker(hasFence: true) { InBetween = () => Collect(ref collections) }, new Bounds(3));
        found.Broken.ShouldBeNull();
        found.Count.ShouldBe(Explorer.Explore(() => new Dekker(hasFence: true), new Bounds(3)).Count);
        collections.ShouldBe(20);
        Explorer.Explore(() => new Dekker(hasFence: false) { InBetween = () => Collect(ref collections) }, new Bounds(3)).Broken.ShouldNotBeNull();

        static void Collect(ref int done)
        {
            if (done < 20)
            {
                done++;
                GC.Collect();
            }
        }
    }

    private static int Walk(Func<Model> make, Bounds bounds)
    {
        // Only the whole budget, not the smaller ones before it.
        var script = new Script(bounds.Budget);
        int runs = 0;
        using var crew = new Crew();
        do
        {
            script.Rewind();
            Model model = make();
            var run = new Run(model, script, bounds, mutant: null, crew, trace: false);
            run.Play();
            run.Failure.ShouldBeNull();
            model.Check();
            runs++;
        }
        while (script.MoveNext());

        return runs;
    }

    /// <summary>In how many ways two lists can be merged with at most so many changes away from one that is not finished. Counted, not computed.</summary>
    private static int Merges(int first, int second, int preemptions)
    {
        return Count(first, second, 0, preemptions) + Count(first, second, 1, preemptions);

        // The last piece was of the list `last`; at the beginning of none, which the callers have resolved.
        static int Count(int first, int second, int current, int left)
        {
            (first, second) = current == 0 ? (first - 1, second) : (first, second - 1);
            if (first < 0 || second < 0)
            {
                return 0;
            }

            if (first == 0 && second == 0)
            {
                return 1;
            }

            int others = current == 0 ? second : first;
            int own = current == 0 ? first : second;
            int stay = own > 0 ? Count(first, second, current, left) : 0;
            int cost = own > 0 ? 1 : 0;
            return stay + (others > 0 && left >= cost ? Count(first, second, 1 - current, left - cost) : 0);
        }
    }

    /// <summary>Threads that only take turns; the order in which they did is noted.</summary>
    private sealed class Pieces : Model
    {
        private readonly HashSet<string> _seen;
        private string _order = "";
        private int _word;

        public Pieces(HashSet<string> seen, params int[] steps)
        {
            _seen = seen;
            for (int i = 0; i < steps.Length; i++)
            {
                int mine = i;
                Thread($"t{mine}", () => Go(mine, steps[mine]));
            }
        }

        public override void Check() => _seen.Add(_order);

        private void Go(int mine, int steps)
        {
            _order += mine;
            for (int i = 0; i < steps; i++)
            {
                Atomics.Add(ref _word, 1);
                _order += mine;
            }
        }
    }

    private sealed class Increments : Model
    {
        private int _count;

        public Increments(bool isAtomic)
        {
            Thread("first", () => Increment(isAtomic));
            Thread("second", () => Increment(isAtomic));
        }

        public override void Check() => _count.ShouldBe(2);

        private void Increment(bool isAtomic)
        {
            if (isAtomic)
            {
                Atomics.Add(ref _count, 1);
            }
            else
            {
                Atomics.Write(ref _count, Atomics.Read(ref _count) + 1);
            }
        }
    }

    /// <summary>Each says that it comes and looks whether the other does: at least one has to see the other.</summary>
    private sealed class Dekker : Model
    {
        private readonly bool _hasFence;
        private int _mine;
        private int _yours;
        private bool _sawNobody;

        public Dekker(bool hasFence)
        {
            _hasFence = hasFence;
            Thread("first", () => Come(ref _mine, ref _yours));
            Thread("second", () => Come(ref _yours, ref _mine));
        }

        public Action? InBetween { get; init; }

        private void Come(ref int mine, ref int yours)
        {
            Atomics.Write(ref mine, 1);
            InBetween?.Invoke();
            if (_hasFence)
            {
                Atomics.Fence();
            }

            if (Atomics.Read(ref yours) == 0)
            {
                _sawNobody.ShouldBeFalse("neither saw the other");
                _sawNobody = true;
            }
        }
    }

    private sealed class Message : Model
    {
        private object? _text;
        private int _isThere;
        private int _times;

        public Message()
        {
            Thread("writer", () =>
            {
                Atomics.Write(ref _text, "hello");
                Atomics.Read(ref _text).ShouldBe("hello");
                Atomics.Write(ref _isThere, 1);
                Atomics.Write(ref _text, "hello again");
                Atomics.Read(ref _text).ShouldBe("hello again");
            });
            Thread("reader", () =>
            {
                if (Atomics.Read(ref _isThere) == 1)
                {
                    Atomics.Read(ref _text).ShouldNotBeNull();
                }

                Atomics.Add(ref _times, 1).ShouldBe(1);
            });
        }

        public override void Check() => _text.ShouldBe("hello again");
    }

    private sealed class TwoGates : Model
    {
        private SpinGate _first;
        private SpinGate _second;

        public TwoGates()
        {
            Thread("up", () => Both(ref _first, ref _second));
            Thread("down", () => Both(ref _second, ref _first));
        }

        private static void Both(ref SpinGate outer, ref SpinGate inner)
        {
            outer.Enter();
            inner.Enter();
            inner.Exit();
            outer.Exit();
        }
    }

    /// <summary>Two that give way to each other for ever.</summary>
    private sealed class Politeness : Model
    {
        private int _turn;

        public Politeness()
        {
            Thread("after you", GiveWay);
            Thread("no, after you", GiveWay);
        }

        private void GiveWay()
        {
            var spinner = default(SpinWait);
            while (Atomics.Add(ref _turn, 1) > 0)
            {
                Atomics.SpinOnce(ref spinner);
            }
        }
    }

    private sealed class Waiting : Model
    {
        private int _isThere;

        public Waiting()
        {
            Thread("waiter", () =>
            {
                var spinner = default(SpinWait);
                while (Atomics.Read(ref _isThere) == 0)
                {
                    Atomics.SpinOnce(ref spinner);
                }
            });
            Thread("other", Signal);
        }

        private void Signal() => Atomics.Exchange(ref _isThere, 1);
    }

    /// <summary>A lost update of something that says what it is by way of the seam, as a task does.</summary>
    private sealed class Talkative : Model
    {
        private readonly Stateful _first = new();
        private Stateful? _place;
        private int _count;

        public Talkative()
        {
            _place = _first;
            Thread("first", Increment);
            Thread("second", Increment);
        }

        public override void Check() => _count.ShouldBe(2);

        private void Increment()
        {
            int count = Atomics.Read(ref _count);
            Atomics.Exchange(ref _place, _first);
            _ = Atomics.Read(ref _place);
            Atomics.Write(ref _count, count + 1);
        }

        private sealed class Stateful
        {
            private int _state = 1;

            public override string ToString() => $"state {Atomics.Read(ref _state)}";
        }
    }

    /// <summary>The lost update, as a model that can be named.</summary>
    private sealed class Forgetful : Model
    {
        private readonly Increments _increments = new(isAtomic: false);

        public Forgetful()
        {
            foreach ((string name, Action body) in _increments.Threads)
            {
                Thread(name, body);
            }
        }

        public override void Check() => _increments.Check();
    }

    /// <summary>Relies on everything that the seam promises: each says that it comes, with a fence, and looks for the other; the last one out counts to two.</summary>
    private sealed class Reliant : Model
    {
        private int _first;
        private int _second;
        private int _out;
        private bool _sawNobody;

        public Reliant()
        {
            Thread("first", () => Use(ref _first, ref _second));
            Thread("second", () => Use(ref _second, ref _first));
        }

        public override void Check() => _out.ShouldBe(2);

        private void Use(ref int mine, ref int yours)
        {
            int before = Atomics.Read(ref yours);
            Atomics.Exchange(ref mine, 1);
            if (Atomics.Read(ref yours) == 0)
            {
                before.ShouldBe(0);
                _sawNobody.ShouldBeFalse("neither saw the other");
                _sawNobody = true;
            }

            Atomics.Add(ref _out, 1);
        }
    }

    private sealed class Sleepers : Model
    {
        private int _woken;

        public Sleepers()
        {
            Thread("long", () =>
            {
                Run.Current!.SleepUntil("sleeps long", 20, () => false);
                Run.Current.Now.ShouldBe(20);
                Interlocked.Increment(ref _woken).ShouldBe(2);
            });
            Thread("short", () =>
            {
                Run.Current!.SleepUntil("sleeps", 10, () => false);
                Run.Current.Now.ShouldBe(10);
                Interlocked.Increment(ref _woken).ShouldBe(1);
            });
        }
    }

    private sealed class Blocked : Model
    {
        public Blocked(ManualResetEventSlim never) => Thread("stuck", () => never.Wait(CancellationToken.None));
    }
}
