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
            _sender.TrySend(0);
            lock (s_made)
            {
                s_made.Add(OneShot.Create<int>("second"));
            }
        }
    }
}
