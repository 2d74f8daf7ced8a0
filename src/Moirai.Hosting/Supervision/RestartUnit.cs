using Polly;

namespace Moirai.Hosting.Supervision;

/// <summary>Restarting has not helped, or is not possible.</summary>
internal sealed class EscalationException(string message, Exception? cause) : Exception(message, cause);

/// <summary>What a unit needs of its supervisor.</summary>
internal interface ISupervision
{
    /// <summary>Canceled when nothing is to be restarted any more.</summary>
    CancellationToken Stopping { get; }

    /// <summary>Ends then.</summary>
    Task StopSignal { get; }

    bool IsOver { get; }

    TimeProvider Clock { get; }

    SupervisorOptions Options { get; }

    ResiliencePipeline BackOff { get; }

    /// <summary>Makes and starts a child. Throws what its constructor throws.</summary>
    Task StartAsync(Child child);

    /// <summary>Asks a child to end and waits as long as it may take. False when it has not ended by then.</summary>
    Task<bool> StopAsync(Child child);

    /// <summary>Says that a child has ended.</summary>
    void Tell(Child child, ChildEnd end);

    /// <summary>Counts a restart.</summary>
    /// <exception cref="EscalationException">There were too many.</exception>
    void Count(Child failed, Exception? error);
}

/// <summary>Children that are restarted together: one child, or all. Watches them, one failure at a time, until none is left or the supervisor stops.</summary>
/// <remarks>
/// A run of failures is one execution of Polly's pipeline: each attempt starts those that are down and waits for the next failure; the pipeline spaces the attempts. After a child has run for longer than the
/// window, its failure begins a new run, with the first delay.
/// <para>While a restart is delayed, the children that were not stopped go on. One that fails meanwhile is dealt with when the delay is over.</para>
/// Used by one flow of control.
/// </remarks>
internal sealed class RestartUnit(ISupervision owner, IReadOnlyList<Child> children)
{
    // The place of the first that is to be started: those after it are down, or have never been started again.
    private int _downFrom = int.MaxValue;

    // Why the last child failed.
    private Exception? _error;

    internal async Task RunAsync()
    {
        Child? failed = await NextFailureAsync().ConfigureAwait(false);
        while (failed is not null)
        {
            failed = await RestartAsync(failed).ConfigureAwait(false);
        }
    }

    /// <summary>A run of failures.</summary>
    /// <returns>The failure that begins the next run; null when there will be none.</returns>
    private async Task<Child?> RestartAsync(Child first)
    {
        Child? failed = first;
        Child? next = null;
        await owner.BackOff.ExecuteAsync(
            async _ =>
            {
                if (failed is null)
                {
                    long began = owner.Clock.GetTimestamp();
                    failed = await StartThoseDownAsync().ConfigureAwait(false) ?? await NextFailureAsync().ConfigureAwait(false);
                    if (failed is null)
                    {
                        return;
                    }

                    if (owner.Clock.GetElapsedTime(began) > owner.Options.Window)
                    {
                        next = failed;
                        return;
                    }
                }

                Child down = failed;
                failed = null;
                owner.Count(down, _error);
                await StopGroupOfAsync(down).ConfigureAwait(false);
                throw new RestartWantedException(down);
            },
            owner.Stopping).ConfigureAwait(false);
        return next;
    }

    /// <summary>Waits until a child has ended that is to be started again.</summary>
    /// <returns>The first in order; null when nobody is left, or the supervisor stops.</returns>
    private async Task<Child?> NextFailureAsync()
    {
        while (!owner.IsOver)
        {
            List<Task> lives = [];
            foreach (Child child in children)
            {
                if (child.Current is not { } life)
                {
                    continue;
                }

                if (!life.Ended.IsCompleted)
                {
                    lives.Add(life.Ended);
                }
                else if (await TakeEndAsync(child, life).ConfigureAwait(false))
                {
                    return child;
                }
            }

            if (lives.Count == 0)
            {
                return null;
            }

            lives.Add(owner.StopSignal);
            await Task.WhenAny(lives).ConfigureAwait(false);
        }

        return null;
    }

    /// <summary>Notes an end, and says whether it calls for a restart.</summary>
    private async Task<bool> TakeEndAsync(Child child, Incarnation life)
    {
        ChildEnd end = await life.Ended.ConfigureAwait(false);
        if (owner.IsOver)
        {
            return false; // it has ended because of the stop
        }

        child.Current = null;
        owner.Tell(child, end);
        _error = end.Error;
        child.IsRetired = child.Restart == RestartPolicy.Temporary;
        return child.Restart switch
        {
            RestartPolicy.Permanent => true,
            RestartPolicy.Transient => end.State == TaskState.Failed,
            _ => false,
        };
    }

    /// <summary>Stops those that share the fate of a child, the youngest first.</summary>
    private async Task StopGroupOfAsync(Child failed)
    {
        int first = owner.Options.Strategy == RestartStrategy.RestForOne ? failed.Index : children[0].Index;
        _downFrom = Math.Min(_downFrom, first);
        foreach (Child child in children.Reverse())
        {
            if (child.Index < first || child.Current is null)
            {
                continue;
            }

            if (!await owner.StopAsync(child).ConfigureAwait(false))
            {
                throw new EscalationException(
                    $"child '{child.Name}' had to be started again because of '{failed.Name}', and did not stop within its budget of {child.StopBudget}; two of it would have run at once", _error);
            }

            child.Current = null;
            child.IsRetired = child.Restart == RestartPolicy.Temporary;
        }
    }

    /// <summary>Starts those that are down, in order.</summary>
    /// <returns>The child that could not be made; null when all could.</returns>
    private async Task<Child?> StartThoseDownAsync()
    {
        foreach (Child child in children)
        {
            if (owner.IsOver)
            {
                return null;
            }

            if (child.Index < _downFrom || child.IsRetired || child.Current is not null)
            {
                continue;
            }

            try
            {
                await owner.StartAsync(child).ConfigureAwait(false);
            }
            catch (Exception error) when (!owner.IsOver)
            {
                _error = error;
                owner.Tell(child, new ChildEnd(TaskState.Failed, error));
                return child;
            }
        }

        _downFrom = int.MaxValue;
        return null;
    }
}
