using System.Threading.Channels;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>Two tasks that need each other for every step: what it costs to hand something over to one who waits for it.</summary>
internal sealed class PingPong() : Workload(
    "ping-pong",
    "two tasks pass a number to and fro, N round trips of two hops: through two channels of capacity 1, or beside two semaphores that say whose turn it is",
    new("channel", 1_000_000, 2),
    new("semaphore", 1_000_000, 2))
{
    public override Future RunByMoiraiAsync(Pass pass) => pass.Variant == "semaphore" ? TakeTurnsAsync(pass) : PassOnAsync(pass);

    public override Task RunByHandAsync(Pass pass) => pass.Variant == "semaphore" ? TakeTurnsByHandAsync(pass) : PassOnByHandAsync(pass);

    private static async Future PassOnAsync(Pass pass)
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

    private static async Task PassOnByHandAsync(Pass pass)
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

    // The ball lies between the two; a permit says whose turn it is, and is used up by the turn.
    private static async Future TakeTurnsAsync(Pass pass)
    {
        var ping = new AsyncSemaphore(0, 1, name: "ping");
        var pong = new AsyncSemaphore(0, 1, name: "pong");
        var ball = new Ball();
        pass.Begin();
        await pass.Runtime.RunScopeAsync("players", async scope =>
        {
            _ = scope.Spawn(TurnsAsync(ping, pong, ball, pass.N));
            ManagedTask server = scope.Spawn(TurnsAsync(pong, ping, ball, pass.N));
            ping.AddPermits(1);
            await server;
        });
        End(pass, ball.Bounces / 2);
    }

    private static async Task TakeTurnsByHandAsync(Pass pass)
    {
        var ping = new SemaphoreSlim(0, 1);
        var pong = new SemaphoreSlim(0, 1);
        var ball = new Ball();
        pass.Begin();
        Task other = Task.Run(() => TurnsByHandAsync(ping, pong, ball, pass.N));
        Task server = Task.Run(() => TurnsByHandAsync(pong, ping, ball, pass.N));
        ping.Release();
        await Task.WhenAll(other, server);
        End(pass, ball.Bounces / 2);
    }

    private static async Future TurnsAsync(AsyncSemaphore mine, AsyncSemaphore others, Ball ball, long rounds)
    {
        for (long i = 0; i < rounds; i++)
        {
            (await mine.AcquireAsync()).Forget();
            ball.Bounces++;
            others.AddPermits(1);
        }
    }

    private static async Task TurnsByHandAsync(SemaphoreSlim mine, SemaphoreSlim others, Ball ball, long rounds)
    {
        for (long i = 0; i < rounds; i++)
        {
            await mine.WaitAsync();
            ball.Bounces++;
            others.Release();
        }
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

    private sealed class Ball
    {
        public long Bounces;
    }
}
