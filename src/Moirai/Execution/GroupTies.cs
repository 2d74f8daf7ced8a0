using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>What a group keeps alive beside its tasks: those whom an end in the group wakes.</summary>
/// <remarks>One object, so that the group can let go of all of it at once while the collector looks who else holds it. Every field is written
/// under the group's gate, or before the group's first task is entered.</remarks>
internal sealed class GroupTies
{
    // Those who wait until nothing lives here.
    internal WaitQueue Joiners;

    // Told when a task ends.
    internal IEndListener? Listener;

    // Where the slot of a task that has left goes back to; null when the tasks hold none.
    internal ISlotReturn? Slots;

    // The source of the group's token, made at the first question.
    internal CancellationTokenSource? Source;
}

/// <summary>Ties a scope to a token from outside, until the scope closes. Held by the token, and by the scope's group.</summary>
/// <param name="cancel">Cancels the scope.</param>
internal sealed class HeedLink(Action<object> cancel, object scope)
{
    // Written once, by who makes the link; the link may have fired before.
    private CancellationTokenRegistration _registration;

    // What the collector finds unreachable when the token cannot be reached. Written by a scan, while the group has let go of the link.
    internal object? Probe;

    internal static HeedLink Make(Action<object> cancel, object scope, CancellationToken token)
    {
        var link = new HeedLink(cancel, scope);
        link._registration = token.UnsafeRegister(static state => ((HeedLink)state!).Cancel(), link);
        return link;
    }

    internal void Undo() => _registration.Unregister();

    private void Cancel() => cancel(scope);
}
