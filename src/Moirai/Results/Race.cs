using Moirai.Execution;
using Moirai.Results;

namespace Moirai;

/// <summary>Which of several branches wins that have ended when the race looks, and which begins first.</summary>
public enum RaceOrder
{
    /// <summary>The branches begin in a random order, and the one that ended first wins: over many races, branches that are equally fast win equally often.</summary>
    Fair,

    /// <summary>The branches begin in the order in which they were added, and of those that have ended the one that was added first wins.</summary>
    Biased,
}

/// <summary>Runs several futures as tasks beside each other until one has won; the others are canceled, and waited for.</summary>
/// <remarks>
/// <code>
/// TaskOutcome&lt;int&gt; won = await new Race&lt;int&gt;("price")
///     .Add(async ct => await FromCacheAsync(ct))
///     .Add(async ct => await FromReplicaAsync(ct), when: hasReplica)
///     .FirstCompletedAsync();
/// </code>
/// The branches are tasks inside the task that awaits the race: they are canceled with it, and the race is over when all of them have ended, whoever won and however it ends. So a loser that heeds no
/// cancellation is waited for. The race goes on from the moment when it is awaited.
/// <para>A branch that fails while it is being canceled, after the race was decided, is told to <see cref="TaskRuntimeOptions.OnEvent"/>. Built and run by one caller; a race is run once.</para>
/// </remarks>
/// <typeparam name="T">What the branches give.</typeparam>
public sealed partial class Race<T>
{
    private readonly List<Branch> _branches = [];
    private readonly RaceOrder _order;
    private int _started;

    /// <summary>Makes a race without branches.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="order">Who begins, and who wins when several have ended.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such order.</exception>
    public Race(string name = "race", RaceOrder order = RaceOrder.Fair)
    {
        ArgumentNullException.ThrowIfNull(name);
        Name = name;
        _order = Enum.IsDefined(order)
            ? order
            : throw new ArgumentOutOfRangeException(nameof(order), order, $"Race '{name}' was given no order there is: take Fair or Biased.");
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>Where chance comes from. A test gives its own.</summary>
    internal Random Chance { get; init; } = Random.Shared;

    /// <summary>Waits for the first branch that completes with a value it accepts. Failures and cancellations count only when none does.</summary>
    /// <returns>The winner. Its index is its position among all that were added, those that were left out included.</returns>
    /// <exception cref="TaskScopeException">More than one failed and none won; a single failure is thrown as it is.</exception>
    /// <exception cref="InvalidOperationException">There is no branch to run, the race was run before, or every branch completed and none with a value that it accepts.</exception>
    public Future<TaskOutcome<T>> FirstCompletedAsync() => RunAsync(whateverItIs: false);

    /// <summary>Waits for the first branch that ends, also by a failure or a cancellation of its own; a branch that completes with a value it does not accept does not count.</summary>
    /// <returns>How the winner ended.</returns>
    /// <exception cref="InvalidOperationException">There is no branch to run, the race was run before, or every branch completed and none with a value that it accepts.</exception>
    public Future<TaskOutcome<T>> FirstEndedAsync() => RunAsync(whateverItIs: true);

    private Race<T> Add(in Body<T> body, Func<T, bool>? accept)
    {
        ThrowIfStarted("was given another branch");
        Spawning.Keep(body.Root); // begun later
        _branches.Add(new Branch(body, accept));
        return this;
    }

    private Race<T> LeaveOut()
    {
        ThrowIfStarted("was given another branch");
        _branches.Add(new Branch(null, null));
        return this;
    }

    private void ThrowIfStarted(string what)
    {
        if (Atomics.Read(ref _started) != 0)
        {
            throw new InvalidOperationException($"Race '{Name}' was run already and {what}. A race is run once: make another.");
        }
    }

    private async Future<TaskOutcome<T>> RunAsync(bool whateverItIs)
    {
        if (Atomics.Exchange(ref _started, 1) != 0)
        {
            ThrowIfStarted("was to be run again");
        }

        int[] start = StartOrder();
        if (!StepContext.MayGoOn())
        {
            await Future.Yield();
        }

        ManagedTask racer = ManagedTask.Current!;
        ThrowIfCanceled(racer);
        TaskGroup group = TaskGroup.Open(racer.InnermostGroup, Name, racer);
        var ended = new EndQueue<T>(Name);
        group.Listener = ended;
        List<Branch> waiting = [];
        List<Exception> failures = [];
        Branch? winner = null;
        try
        {
            foreach (int index in start)
            {
                _branches[index].Start(group, ended);
            }

            while (winner is null && await NextAsync(ended, waiting) is { } branch)
            {
                winner = Judge(branch, racer, whateverItIs, failures) ? branch : null;
            }
        }
        catch // who races was canceled, or an acceptance threw: what failed has nobody else to see it
        {
            await GroupEnd.CloseAsync(group, "race");
            TellFailures(group, static branch => true);
            throw;
        }

        await GroupEnd.CloseAsync(group, "race");
        TellFailures(group, static branch => !branch.IsJudged && branch.Task!.IsCancelRequested);

        if (winner is null)
        {
            GroupEnd.ThrowAny(Name, failures);
            throw new InvalidOperationException($"Race '{Name}' has no winner: each of its {start.Length} branches completed, and none with a value that it accepts. Add a branch that accepts anything.");
        }

        return new TaskOutcome<T>(_branches.IndexOf(winner), winner.Task!);
    }

    /// <summary>The positions of the branches that run, in the order in which they begin.</summary>
    private int[] StartOrder()
    {
        int[] start = [.. Enumerable.Range(0, _branches.Count).Where(i => !_branches[i].IsLeftOut)];
        if (start.Length == 0)
        {
            throw new InvalidOperationException(
                $"Race '{Name}' has nobody to run: {(_branches.Count == 0 ? "no branch was added" : $"all of its {_branches.Count} branches were left out by their guards")}. Add one that always runs.");
        }

        if (_order == RaceOrder.Fair)
        {
            Chance.Shuffle(start);
        }

        return start;
    }

    private async Future<Branch?> NextAsync(EndQueue<T> ended, List<Branch> waiting)
    {
        if (waiting.Count == 0)
        {
            if (await ended.NextAsync() is not { } first)
            {
                return null;
            }

            waiting.Add(Of(first));
        }

        while (_order == RaceOrder.Biased && ended.TakeEnded() is { } another)
        {
            waiting.Add(Of(another));
        }

        Branch next = waiting.MinBy(_branches.IndexOf)!;
        waiting.Remove(next);
        return next;
    }

    private Branch Of(ManagedTask<T> task) => _branches.Find(branch => ReferenceEquals(branch.Task, task))!;

    /// <summary>Whether the branch has won.</summary>
    private static bool Judge(Branch branch, ManagedTask racer, bool whateverItIs, List<Exception> failures)
    {
        branch.IsJudged = true;
        ManagedTask<T> task = branch.Task!;
        if (task.State == TaskState.Completed)
        {
            return branch.Accepts(task.ResultUnchecked);
        }

        ThrowIfCanceled(racer); // which has canceled the branches
        if (!whateverItIs)
        {
            failures.Add(task.Exception ?? Outcomes.CanceledError(task));
        }

        return whateverItIs;
    }

    private static void ThrowIfCanceled(ManagedTask racer)
    {
        if (racer.HasCancelFlags && Cancellation.Find(racer) is not null)
        {
            Cancellation.Throw(racer);
        }
    }

    private void TellFailures(TaskGroup group, Func<Branch, bool> which)
    {
        foreach (Branch branch in _branches)
        {
            if (branch is { Task: { State: TaskState.Failed } task } && which(branch))
            {
                task.MarkObserved();
                group.Engine.Unseen.TellUnneeded(task, task.Exception!, $"a branch of race '{Name}' that was no longer needed, failed");
            }
        }
    }

    /// <summary>One of those that race.</summary>
    private sealed class Branch(Body<T>? body, Func<T, bool>? accept)
    {
        internal bool IsLeftOut => body is null;

        internal ManagedTask<T>? Task { get; private set; }

        internal bool IsJudged { get; set; }

        internal bool Accepts(T value) => accept is null || accept(value);

        internal void Start(TaskGroup group, EndQueue<T> ended) => Task = ended.Spawn(group, body!.Value);
    }
}
