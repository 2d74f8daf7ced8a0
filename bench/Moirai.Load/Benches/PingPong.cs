using System.Threading.Channels;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>Two tasks that need each other for every step: what it costs to hand something over to one who waits for it.</summary>
internal sealed class PingPong() : Workload(
    "ping-pong",
    "two tasks pass a number to and fro, N round trips of two hops: through two channels of capacity 1",
    new Variant("channel", 1_000_000, 2))
{
    public override async Future RunByMoiraiAsync(Pass pass)
    {
        var ping = new AsyncChannel<long>(1, "ping");
        var pong = new AsyncChannel<long>(1, "pong");
        long last = -1;
        pass.Begin();
        await pass.Runtime.RunScopeAsync("players", async scope =>
        {
            _ = scope.Spawn(ReturnAsync(ping.Receiver, pong.Sender));
            last = await scope.Spawn(ServeAsync(ping.Sender, pong.Receiver, pass.N));
        });
        End(pass, last);
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        var options = new BoundedChannelOptions(1) { SingleReader = true, SingleWriter = true };
        Channel<long> ping = Channel.CreateBounded<long>(options);
        Channel<long> pong = Channel.CreateBounded<long>(options);
        pass.Begin();
        Task other = Task.Run(() => ReturnByHandAsync(ping.Reader, pong.Writer));
        long last = await Task.Run(() => ServeByHandAsync(ping.Writer, pong.Reader, pass.N));
        await other;
        End(pass, last);
    }

    private static void End(Pass pass, long last)
    {
        pass.Phase("run");
        pass.Count(2 * pass.N);
        Pass.Check(last == pass.N, $"{last} came back instead of {pass.N}");
    }

    private static async Future<long> ServeAsync(ChannelSender<long> to, ChannelReceiver<long> from, long rounds)
    {
        using (to)
        {
            long ball = 0;
            for (long i = 0; i < rounds; i++)
            {
                await to.SendAsync(ball);
                ball = await from.ReceiveAsync();
            }

            return ball;
        }
    }

    private static async Future ReturnAsync(ChannelReceiver<long> from, ChannelSender<long> to)
    {
        await foreach (long ball in from)
        {
            await to.SendAsync(ball + 1);
        }
    }

    private static async Task<long> ServeByHandAsync(ChannelWriter<long> to, ChannelReader<long> from, long rounds)
    {
        long ball = 0;
        for (long i = 0; i < rounds; i++)
        {
            await to.WriteAsync(ball);
            ball = await from.ReadAsync();
        }

        to.Complete();
        return ball;
    }

    private static async Task ReturnByHandAsync(ChannelReader<long> from, ChannelWriter<long> to)
    {
        await foreach (long ball in from.ReadAllAsync())
        {
            await to.WriteAsync(ball + 1);
        }
    }
}
