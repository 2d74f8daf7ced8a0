using Moirai.Execution;

namespace Moirai.Results;

/// <summary>A foreign <see cref="Task"/> as a future: waits until it ends, whatever happens, and passes its outcome on.</summary>
internal sealed class TaskFrame<T>(Task task, string operation) : Frame<T>
{
    private Task _task = task;
    private bool _waited;

    internal override string Method => TaskWait.ShortName(operation);

    internal override void MoveNext()
    {
        if (!_waited && !_task.IsCompleted)
        {
            _waited = true;
            var awaiter = _task.ConfigureAwait(false).GetAwaiter();
            ForeignWait.Suspend(this, ref awaiter);
            return;
        }

        try
        {
            _task.GetAwaiter().GetResult();
            if (_task is Task<T> typed)
            {
                Result = typed.Result;
            }
        }
        catch (Exception error) // the task's own, thrown as an await throws it
        {
            Throw(error);
            return;
        }

        Return();
    }

    internal override object? FindAwaited(Func<object, bool>? stands = null) => _task;

    internal override void Release() => _task = null!;
}
