namespace Moirai.Execution;

/// <summary>Ties a task to a token from outside, until the task ends.</summary>
internal sealed class TokenLink
{
    private readonly ManagedTask _task;

    // The token is that of a task, which has called this one in plain code.
    private readonly bool _isCallers;

    // Written under the task's gate.
    private TokenLink? _next;

    // What the link holds while the task has let go of its frames: who can cancel the task can wake it. Written under the task's gate.
    private Sentinel? _sentinel;

    // Written by who makes the link, before it is entered in the task.
    private CancellationTokenRegistration _registration;

    private TokenLink(ManagedTask task, bool isCallers)
    {
        _task = task;
        _isCallers = isCallers;
    }

    /// <summary>Ties a task to a token.</summary>
    /// <param name="task">The task.</param>
    /// <param name="token">The token.</param>
    /// <param name="isCallers">It is the token of the task that has called this one.</param>
    internal static void Make(ManagedTask task, CancellationToken token, bool isCallers = false)
    {
        if (!token.CanBeCanceled || task.IsEnded)
        {
            return;
        }

        var link = new TokenLink(task, isCallers);
        link._registration = token.UnsafeRegister(static state => ((TokenLink)state!).Cancel(), link);

        task.Lock();
        bool ended = task.IsEnding;
        if (!ended)
        {
            TaskExtras extras = task.ExtrasLocked();
            link._next = extras.Links;
            extras.Links = link;
        }

        task.Unlock();
        if (ended)
        {
            link._registration.Unregister();
        }
    }

    /// <summary>Undoes a task's links. Called by its end, under no lock.</summary>
    internal static void UndoAll(TokenLink? first)
    {
        for (TokenLink? link = first; link is not null; link = link._next)
        {
            link._registration.Unregister(); // does not wait for a callback that runs now, which then finds the task ended
        }
    }

    /// <summary>Whether one of these links is to a token that comes from outside. Under the task's gate.</summary>
    internal bool IsAnyFromOutside
    {
        get
        {
            TokenLink? link = this;
            while (link is { _isCallers: true })
            {
                link = link._next;
            }

            return link is not null;
        }
    }

    /// <summary>Holds a suspect's sentinel with all of its links, or lets it go. Under the task's gate.</summary>
    internal void HoldAll(Sentinel? sentinel)
    {
        for (TokenLink? link = this; link is not null; link = link._next)
        {
            link._sentinel = sentinel;
        }
    }

    private void Cancel() => Cancellation.Cancel(
        _task,
        Cancellation.Cause(CancelKind.TokenCanceled, _task.Engine, null, $"the token given to {_task.Title}"));
}
