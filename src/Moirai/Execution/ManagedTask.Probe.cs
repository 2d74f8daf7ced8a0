using System.Diagnostics;
using Moirai.Execution;

namespace Moirai;

/// <content>What is kept of the task while somebody measures lives or makes spans of them.</content>
public partial class ManagedTask
{
    /// <summary>Whether there is anything to tell of its end. Asked by the thread that ends it.</summary>
    internal bool IsProbed => _about is not TaskLabel || _extras is TaskExtras { Span: not null };

    /// <summary>When it was born; <see cref="AccountCell.Unread"/> when that was not noted.</summary>
    internal long Born => _about switch
    {
        BornLabel born => born.Stamp,
        AccountCell cell => cell.Born,
        _ => AccountCell.Unread,
    };

    /// <summary>The task's span while it lives and has one. A task of which a scan has let go is left as it is.</summary>
    internal Activity? Span
    {
        get
        {
            _core.Gate.Enter();
            object? extras = Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras;
            _core.Gate.Exit();
            return (extras as TaskExtras)?.Span;
        }
    }

    /// <summary>Notes when it was born. Before it can run; whoever sees it meanwhile sees the same label either way.</summary>
    internal void NoteBirth(long stamp)
    {
        if (_about is TaskLabel label)
        {
            Volatile.Write(ref _about, new BornLabel(label, stamp));
        }
    }

    /// <summary>Gives it a span. Before it can run.</summary>
    internal void Attach(Activity span)
    {
        Lock();
        ExtrasLocked().Span = span;
        Unlock();
    }
}
