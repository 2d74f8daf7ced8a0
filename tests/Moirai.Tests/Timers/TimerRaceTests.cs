using Moirai.Testing;
using Moirai.Timers;

namespace Moirai.Tests.Timers;

public sealed class TimerRaceTests(ITestOutputHelper output)
{
    [Fact]
    public void A4_every_wait_is_claimed_by_exactly_one_party_and_none_is_lost_under_virtual_time()
    {
        var time = new VirtualTimeProvider();
        using var queue = new TimerQueue(time);
        Race race = Run(queue, () => time.Advance(TimeSpan.FromTicks(3_333)));
        while (time.AdvanceToNextTimer())
        {
        }

        race.Check(queue);
    }

    [Fact]
    public void A4_every_wait_is_claimed_by_exactly_one_party_and_none_is_lost_under_the_system_clock()
    {
        using var queue = new TimerQueue(TimeProvider.System);
        Race race = Run(queue, () => Thread.Yield());
        race.WaitForTimers();
        race.Check(queue);
    }

    private Race Run(TimerQueue queue, Action turn)
    {
        int seed = Environment.GetEnvironmentVariable("MOIRAI_SEED") is { } given ? int.Parse(given) : Random.Shared.Next();
        output.WriteLine($"seed {seed} (set MOIRAI_SEED to repeat it)");
        var race = new Race(queue);
        var threads = new Thread[4];
        for (int t = 0; t < threads.Length; t++)
        {
            int mine = t;
            threads[t] = new Thread(() => race.ArmAndCancel(new Random(seed + mine), steps: 20_000));
            threads[t].Start();
        }

        while (Array.Exists(threads, thread => thread.IsAlive))
        {
            turn();
        }

        return race;
    }

    private sealed class Race(TimerQueue queue)
    {
        private readonly List<TestWait> _all = [];
        private readonly ManualResetEventSlim _settled = new();
        private Exception? _error;
        private long _parked;
        private long _canceled;
        private long _fired;
        private bool _over;

        // Each thread parks and cancels its own waits; the queue fires them.
        public void ArmAndCancel(Random random, int steps)
        {
            try
            {
                var waits = new TestWait[64];
                for (int i = 0; i < waits.Length; i++)
                {
                    waits[i] = new TestWait { OnResume = _ => Count(ref _fired) };
                }

                lock (_all)
                {
                    _all.AddRange(waits);
                }

                for (int i = 0; i < steps; i++)
                {
                    TestWait wait = waits[random.Next(waits.Length)];
                    if (wait.IsIdle)
                    {
                        Interlocked.Increment(ref _parked);
                        int armed = wait.Park();
                        queue.Arm(wait, queue.DueIn(TimeSpan.FromTicks(random.Next(-2_000, 30_000) is var d and > 0 ? d : 0)), armed)
                            .ShouldBeTrue();
                    }
                    else if (wait.TryClaim())
                    {
                        queue.Remove(wait);
                        wait.IsLinked.ShouldBeFalse();
                        wait.Finish();
                        Count(ref _canceled);
                    }
                }
            }
            catch (Exception error)
            {
                _error = error;
            }
        }

        public void WaitForTimers()
        {
            Volatile.Write(ref _over, true);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _fired) + Volatile.Read(ref _canceled) < Volatile.Read(ref _parked))
            {
                _settled.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken).ShouldBeTrue();
            }
        }

        public void Check(TimerQueue timers)
        {
            _error.ShouldBeNull();
            (_fired + _canceled).ShouldBe(_parked);
            timers.Count.ShouldBe(0);
            timers.Fired.ShouldBe(_fired);
            _all.Sum(wait => (long)wait.Resumes).ShouldBe(_fired);
            _all.ShouldAllBe(wait => wait.IsIdle && !wait.IsLinked);
            _fired.ShouldBeGreaterThan(0);
        }

        private void Count(ref long counter)
        {
            Interlocked.Increment(ref counter);
            if (Volatile.Read(ref _over) && Volatile.Read(ref _fired) + Volatile.Read(ref _canceled) == Volatile.Read(ref _parked))
            {
                _settled.Set();
            }
        }
    }
}
