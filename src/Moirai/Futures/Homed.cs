using Moirai.Execution;

namespace Moirai.Futures;

/// <summary>Futures that know in which group they run when plain code awaits them, and what to call them then: the names of methods of ours would tell a user nothing.</summary>
internal static class Homed
{
    internal static Future In(TaskGroup home, Future inner, string kind, string name) => new(new HomedFrame(home, inner.Frame, kind, name));

    /// <summary>As the other, of what has to run although the plain code that awaits it was canceled.</summary>
    internal static Future Disposal(TaskGroup home, Future inner, string kind, string name) => new(new HomedFrame(home, inner.Frame, kind, name, isDisposal: true));

    internal static Future<T> In<T>(TaskGroup home, Future<T> inner, string kind, string name) => new(new HomedFrame<T>(home, inner.Frame, kind, name));

    /// <summary>A step of <paramref name="caller"/>: calls <paramref name="inner"/> at the first, and takes its failure over at the second.</summary>
    /// <returns>True when the inner future has completed: the caller returns what it gave.</returns>
    internal static bool Step(Frame caller, Frame inner, ref bool called)
    {
        if (called)
        {
            if (FutureAwait.TryTakeOutcome(inner, out Exception? error))
            {
                return true;
            }

            caller.Throw(error);
            return false;
        }

        if (inner.Phase != FramePhase.Cold)
        {
            caller.Throw(Spawning.NotColdError(inner));
            return false;
        }

        called = true;
        caller.Context = ExecutionContext.Capture();
        inner.StartUnder(caller);
        return false;
    }
}

/// <summary>Calls one future and passes its outcome on.</summary>
internal sealed class HomedFrame(TaskGroup home, Frame inner, string kind, string name, bool isDisposal = false) : Frame
{
    private bool _called;

    internal override bool IsDisposal => isDisposal;

    internal override TaskGroup Home => home;

    internal override string Method => $"{kind} {name}";

    internal override bool IsTransparent => true;

    internal override void MoveNext()
    {
        if (Homed.Step(this, inner, ref _called))
        {
            Return();
        }
    }

    internal override void Release() => inner.ReleaseAfterCall(_called);
}

/// <summary>Calls one future and passes its outcome on.</summary>
internal sealed class HomedFrame<T>(TaskGroup home, Frame<T> inner, string kind, string name) : Frame<T>
{
    private bool _called;

    internal override TaskGroup Home => home;

    internal override string Method => $"{kind} {name}";

    internal override bool IsTransparent => true;

    internal override void MoveNext()
    {
        T result = _called ? inner.Result : default!; // before its outcome is taken, which lets go of it
        if (Homed.Step(this, inner, ref _called))
        {
            Result = result;
            Return();
        }
    }

    internal override void Release()
    {
        Result = default!;
        inner.ReleaseAfterCall(_called);
    }
}
