using Moirai.Tool;

namespace Moirai.Load.Harness;

/// <summary>Runs a load: three smaller passes for the JIT, then what counts.</summary>
internal static class Runner
{
    private const int WarmUps = 3;

    // Runs that count fewer operations in all are for looking, not for timing.
    private const long WorthWarming = 50_000;

    // The JIT promotes what was called often after a tenth of a second without news, in two steps; on a single processor it waits ten times as long.
    private static readonly TimeSpan JitBreak = TimeSpan.FromMilliseconds(Environment.ProcessorCount == 1 ? 2_200 : 200);

    /// <summary>Runs a load in this process.</summary>
    /// <param name="load">The work.</param>
    /// <param name="args">Its size.</param>
    /// <param name="repeat">How many counted passes; the one of median length is reported, and the resident memory after each.</param>
    /// <param name="watched">Who watches; only what the runtime itself does is seen to here.</param>
    /// <exception cref="LoadFailedException">A result was wrong, or something was left behind.</exception>
    public static async Task<Report> RunAsync(Workload load, LoadArgs args, int repeat, Watcher watched = Watcher.Nobody)
    {
        await using Arena arena = args.Peer == Peer.Moirai ? new MoiraiArena(load, args.Variant.IsLocal, watched) : new HandArena(load, args.Variant.IsLocal);
        for (int i = 0; i < WarmUps; i++)
        {
            await arena.RunAsync(new Pass(args.Smaller(), arena.Runtime));
            if (args.N * repeat >= WorthWarming)
            {
                await Task.Delay(JitBreak, TimeProvider.System);
            }
        }

        var passes = new List<Pass>();
        var resident = new List<long>();
        for (int i = 0; i < repeat; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            var pass = new Pass(args, arena.Runtime);
            await arena.RunAsync(pass);
            passes.Add(pass);
            resident.Add(ProcessMemory.ResidentKb);
        }

        Pass median = passes.OrderBy(static pass => pass.Seconds).ElementAt(passes.Count / 2);
        return new Report(load, args, median, arena.IsCensusBalanced, repeat > 1 ? resident : []);
    }

    /// <summary>Where passes run.</summary>
    private abstract class Arena(Workload load, bool isLocal) : IAsyncDisposable
    {
        public virtual TaskRuntime? Runtime => null;

        /// <summary>Null for those who keep no census.</summary>
        public virtual bool? IsCensusBalanced => null;

        protected Workload Load => load;

        protected bool IsLocal => isLocal;

        public abstract Task RunAsync(Pass pass);

        public virtual ValueTask DisposeAsync() => default;

        /// <summary>Lends one thread of its own to an action.</summary>
        protected static Task OnOneThreadAsync(Action action) =>
            Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private sealed class HandArena(Workload load, bool isLocal) : Arena(load, isLocal)
    {
        public override Task RunAsync(Pass pass) => IsLocal
            ? OnOneThreadAsync(() => new OneThread().Run(() => Load.RunByHandAsync(pass)))
            : Task.Run(() => Load.RunByHandAsync(pass));
    }

    private sealed class MoiraiArena : Arena
    {
        private const int Looks = 400;
        private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(5);

        private readonly LocalExecutor? _local;
        private bool _balanced = true;

        public MoiraiArena(Workload load, bool isLocal, Watcher watched)
            : base(load, isLocal)
        {
            _local = isLocal ? new LocalExecutor() : null;
            var options = new TaskRuntimeOptions { Name = "load", Executor = _local };
            if (watched == Watcher.Leaks)
            {
                (options.LeakWatch, options.LeakWatchPause) = (LeakPolicy.Report, TimeSpan.Zero);
            }
            else if (watched == Watcher.Alarms)
            {
                options.Alarms = new AlarmLimits { Blocked = TimeSpan.FromMinutes(1) };
            }

            Runtime = new TaskRuntime(options);
        }

        public override TaskRuntime Runtime { get; }

        public override bool? IsCensusBalanced => _balanced;

        public override async ValueTask DisposeAsync()
        {
            await Runtime.DisposeAsync();
            await base.DisposeAsync();
        }

        public override async Task RunAsync(Pass pass)
        {
            if (_local is { } local)
            {
                await OnOneThreadAsync(() =>
                {
                    ManagedTask body = Runtime.SpawnDetached(Load.RunByMoiraiAsync(pass), Load.Name);
                    local.RunUntil(body, CancellationToken.None);
                    body.GetAwaiter().GetResult();
                });
            }
            else
            {
                await Task.Run(() => Runtime.SpawnDetached(Load.RunByMoiraiAsync(pass), Load.Name).AsTask());
            }

            Census census = await WhenQuietAsync();
            _balanced &= census.IsBalanced;
            Pass.Check(census.IsBalanced, $"the census does not balance: {census}");
            Pass.Check(census.IsEmpty, $"something was left behind: {census}");
        }

        // The last task tells that it has ended a moment before it is off the books.
        private async Task<Census> WhenQuietAsync()
        {
            for (int look = 0; ; look++)
            {
                Census census = Runtime.TakeCensus();
                if (census.IsEmpty || look == Looks)
                {
                    return census;
                }

                await Task.Delay(BetweenLooks, TimeProvider.System);
            }
        }
    }
}
