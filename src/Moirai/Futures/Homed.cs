using Moirai.Execution;

namespace Moirai.Futures;

/// <summary>Futures that know in which group they run when plain code awaits them.</summary>
internal static class Homed
{
    internal static Future In(TaskGroup home, Future inner) => new(new HomedFrame(home, inner.Frame));

    internal static Future<T> In<T>(TaskGroup home, Future<T> inner) => new(new HomedFrame<T>(home, inner.Frame));
}

/// <summary>Calls one future and passes its outcome on.</summary>
internal sealed class HomedFrame(TaskGroup home, Frame inner) : Frame
{
    private bool _called;

    internal override TaskGroup Home => home;

    internal override string Method => inner.Method;

    internal override void MoveNext()
    {
        if (!_called)
        {
            if (inner.Phase != FramePhase.Cold)
            {
                Throw(Spawning.NotColdError(inner));
                return;
            }

            _called = true;
            Context = ExecutionContext.Capture();
            inner.StartUnder(this);
            return;
        }

        if (FutureAwait.TryTakeOutcome(inner, out Exception? error))
        {
            Return();
        }
        else
        {
            Throw(error);
        }
    }

    internal override void Release() => inner.ReleaseAfterCall(_called);
}

/// <summary>Calls one future and passes its outcome on.</summary>
internal sealed class HomedFrame<T>(TaskGroup home, Frame<T> inner) : Frame<T>
{
    private bool _called;

    internal override TaskGroup Home => home;

    internal override string Method => inner.Method;

    internal override void MoveNext()
    {
        if (!_called)
        {
            if (inner.Phase != FramePhase.Cold)
            {
                Throw(Spawning.NotColdError(inner));
                return;
            }

            _called = true;
            Context = ExecutionContext.Capture();
            inner.StartUnder(this);
            return;
        }

        T result = inner.Result;
        if (FutureAwait.TryTakeOutcome(inner, out Exception? error))
        {
            Result = result;
            Return();
        }
        else
        {
            Throw(error);
        }
    }

    internal override void Release()
    {
        Result = default!;
        inner.ReleaseAfterCall(_called);
    }
}
