using System.Runtime.CompilerServices;

namespace Moirai.Tests.Sync;

/// <summary>The notices by which lost senders of one-shots are found serve one sender after the other.</summary>
[Collection(nameof(MeasuresMemory))]
public sealed class LossNoticeTests
{
    private static readonly List<(OneShotSender<int>, OneShotReceiver<int>)> s_made = [];

    [Fact]
    public void A_sender_that_keeps_its_promise_in_a_finalizer_breaks_no_other()
    {
        lock (s_made)
        {
            s_made.Clear();
        }

        Lose();
        for (int i = 0; i < 5; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        lock (s_made)
        {
            s_made.Count.ShouldBe(20);
            foreach ((OneShotSender<int> sender, OneShotReceiver<int> receiver) in s_made)
            {
                Eventually.Is(() => receiver.ToString().Contains("closed", StringComparison.Ordinal), TimeSpan.FromMilliseconds(5)).ShouldBeFalse();
                sender.TrySend(1).ShouldBeTrue();
            }
        }
    }

    [Fact]
    public void Whatever_becomes_of_senders_on_several_threads_each_lost_one_is_told_and_no_other()
    {
        const int Each = 4_000;
        var lost = new List<OneShotReceiver<int>>();
        int wrong = 0;
        Thread[] threads = [.. Enumerable.Range(0, 3).Select(which => new Thread(() => Churn(which)))];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        wrong.ShouldBe(0);
        lost.Count.ShouldBe(3 * Each / 5);
        Eventually.Is(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return lost.TrueForAll(static receiver => receiver.IsClosed);
            },
            TimeSpan.FromSeconds(30)).ShouldBeTrue();
        foreach (OneShotReceiver<int> receiver in lost)
        {
            Should.Throw<BrokenSynchronizationException>(() => receiver.TryReceive(out _)).Message.ShouldContain("its sender was lost");
        }

        void Churn(int seed)
        {
            var waiting = new Queue<(OneShotSender<int> Sender, OneShotReceiver<int> Receiver)>();
            for (int i = 0; i < Each; i++)
            {
                (OneShotSender<int> sender, OneShotReceiver<int> receiver) = OneShot.Create<int>();
                switch (i % 5)
                {
                    case 0:
                        lock (lost)
                        {
                            lost.Add(receiver);
                        }

                        break;
                    case 1:
                        SendOrDisposeAtOnce(sender, receiver);
                        break;
                    default:
                        waiting.Enqueue((sender, receiver)); // sends later, some after a collection
                        break;
                }

                if (waiting.Count > 40 + seed)
                {
                    (sender, receiver) = waiting.Dequeue();
                    Check(sender.TrySend(i) && receiver.TryReceive(out int value) && value == i);
                }

                if (i % 500 == seed)
                {
                    GC.Collect(0);
                }
            }

            while (waiting.TryDequeue(out (OneShotSender<int> Sender, OneShotReceiver<int> Receiver) last))
            {
                Check(last.Sender.TrySend(1) && last.Receiver.TryReceive(out _));
            }
        }

        void SendOrDisposeAtOnce(OneShotSender<int> sender, OneShotReceiver<int> receiver)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static sender => sender.Dispose(), sender, preferLocal: false);
            try
            {
                Check(sender.TrySend(2) && receiver.TryReceive(out _));
            }
            catch (ObjectDisposedException)
            {
                // the other was faster
            }
        }

        void Check(bool right) => Interlocked.Add(ref wrong, right ? 0 : 1);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose()
    {
        for (int i = 0; i < 10; i++)
        {
            GC.KeepAlive(new Keeper());
            var late = new Keeper(OneShot.Create<int>("first").Sender);
            GC.KeepAlive(late);
        }
    }

    // Sends when it is lost, and makes another.
    private sealed class Keeper
    {
        private readonly OneShotSender<int> _sender;

        public Keeper() => _sender = OneShot.Create<int>("first").Sender;

        public Keeper(OneShotSender<int> sender) => _sender = sender;

        ~Keeper()
        {
            try
            {
                _sender.TrySend(0);
            }
            catch (BrokenSynchronizationException)
            {
                // told as lost before, which is as right: who comes first decides
            }

            lock (s_made)
            {
                s_made.Add(OneShot.Create<int>("second"));
            }
        }
    }
}
