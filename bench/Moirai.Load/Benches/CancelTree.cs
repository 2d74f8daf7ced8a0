using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>A client hangs up, and a whole tree of tasks has to go: every task of it ends, and has cleaned up, before the root has.</summary>
internal sealed class CancelTree() : Workload(
    "cancel-tree",
    "a tree of N suspended tasks with T children each; the root is canceled; until all have ended and cleaned up",
    new("plain", 100_000, 10),
    new("cleanup", 100_000, 10))
{
    public override string? TasksAre => "children of each task";

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);

    public override string? Objection(LoadArgs args) => args.Tasks < 2 ? "A tree needs --tasks of at least 2: the children of each task." : null;

    public override async Future RunByMoiraiAsync(Pass pass)
    {
        var tree = new Tree(pass);
        long canceledBefore = pass.Runtime.TakeCensus().Canceled;
        pass.Begin();
        ManagedTask root = pass.Runtime.SpawnDetached(NodeAsync(tree, 0), name: "root");
        while (!tree.IsComplete)
        {
            await Future.Delay(Look);
        }

        pass.Phase("build");
        pass.Mark();
        root.Cancel("the client hung up");
        pass.Phase("cancel_call");
        try
        {
            await root;
        }
        catch (ManagedTaskCanceledException)
        {
            // That is how it has to end.
        }

        pass.Phase("all_ended");
        pass.Count(pass.N, "cancel_call", "all_ended");
        tree.CheckCleanUp();
        long canceled = pass.Runtime.TakeCensus().Canceled - canceledBefore;
        Pass.Check(canceled == pass.N, $"{canceled} of {pass.N} tasks ended canceled");
    }

    public override async Task RunByHandAsync(Pass pass)
    {
        var tree = new Tree(pass);
        using var root = new CancellationTokenSource();
        pass.Begin();
        Task all = Task.Run(() => NodeByHandAsync(tree, 0, root.Token), CancellationToken.None);
        while (!tree.IsComplete)
        {
            await Task.Delay(Look, TimeProvider.System, root.Token);
        }

        pass.Phase("build");
        pass.Mark();
        root.Cancel();
        pass.Phase("cancel_call");
        await all;
        pass.Phase("all_ended");
        pass.Count(pass.N, "cancel_call", "all_ended");
        tree.CheckCleanUp();
    }

    // A task with children opens a scope for them, which it does not leave before they have ended.
    private static async Future NodeAsync(Tree tree, long number)
    {
        await tree.Pass.Runtime.RunScopeAsync("children", async scope =>
        {
            (long first, long end) = tree.ChildrenOf(number);
            for (long child = first; child < end; child++)
            {
                _ = scope.Spawn(tree.HasChildren(child) ? NodeAsync(tree, child) : tree.CleansUp ? CleaningLeafAsync(tree) : LeafAsync(tree));
            }

            if (tree.CleansUp)
            {
                await CleaningLeafAsync(tree);
            }
            else
            {
                await LeafAsync(tree);
            }
        });
    }

    private static async Future LeafAsync(Tree tree)
    {
        tree.Enter();
        await Future.Delay(Timeout.InfiniteTimeSpan);
    }

    private static async Future CleaningLeafAsync(Tree tree)
    {
        try
        {
            tree.Enter();
            await Future.Delay(Timeout.InfiniteTimeSpan);
        }
        finally
        {
            tree.CleanUp();
        }
    }

    // By hand the tree is made of linked sources, and the discipline to wait for the children.
    private static async Task NodeByHandAsync(Tree tree, long number, CancellationToken outer)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(outer);
        (long first, long end) = tree.ChildrenOf(number);
        var children = new Task[Math.Max(0, end - first)];
        for (int i = 0; i < children.Length; i++)
        {
            long child = first + i;
            children[i] = Task.Run(() => NodeByHandAsync(tree, child, cancel.Token), CancellationToken.None);
        }

        if (tree.CleansUp)
        {
            try
            {
                await CleaningLeafByHandAsync(tree, cancel.Token);
            }
            catch (OperationCanceledException)
            {
                // The end that was asked for.
            }
        }
        else
        {
            tree.Enter();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancel.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(children);
    }

    private static async Task CleaningLeafByHandAsync(Tree tree, CancellationToken ct)
    {
        try
        {
            tree.Enter();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
        }
        finally
        {
            tree.CleanUp();
        }
    }

    /// <summary>Numbers the nodes in rows, as in a heap, and counts who is there and who has cleaned up.</summary>
    private sealed class Tree(Pass pass)
    {
        private long _entered;
        private long _cleaned;

        public Pass Pass => pass;

        public bool CleansUp { get; } = pass.Variant == "cleanup";

        public bool IsComplete => Interlocked.Read(ref _entered) == pass.N;

        public bool HasChildren(long number) => (number * pass.Tasks) + 1 < pass.N;

        public (long First, long End) ChildrenOf(long number)
        {
            long first = (number * pass.Tasks) + 1;
            return (first, Math.Max(first, Math.Min(first + pass.Tasks, pass.N)));
        }

        public void Enter() => Interlocked.Increment(ref _entered);

        public void CleanUp() => Interlocked.Increment(ref _cleaned);

        public void CheckCleanUp()
        {
            long cleaned = Interlocked.Read(ref _cleaned);
            Pass.Check(cleaned == (CleansUp ? pass.N : 0), $"{cleaned} of {pass.N} tasks cleaned up");
        }
    }
}
