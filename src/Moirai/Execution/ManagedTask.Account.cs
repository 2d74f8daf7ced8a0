using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Lifecycle;

namespace Moirai;

/// <content>What the task has done with its time.</content>
public partial class ManagedTask
{
    /// <summary>What the task has done with its time so far, as exactly as <see cref="TaskRuntimeOptions.Accounting"/> asks for. Of a task that has ended: with its whole life.</summary>
    /// <remarks>Safe at any moment and from any thread; the task is not kept from running, no code of the user runs, and nothing changes. The times of one answer belong together: <see cref="TaskAccount.Busy"/>,
    /// <see cref="TaskAccount.Ready"/> and <see cref="TaskAccount.Blocked"/> add up to <see cref="TaskAccount.Age"/>.</remarks>
    public TaskAccount TakeAccount() => Account(withAwait: true);

    /// <inheritdoc cref="TakeAccount"/>
    /// <param name="withAwait">Whether to tell what the task waits for.</param>
    internal TaskAccount Account(bool withAwait)
    {
        AccountingLevel level = Engine.Accounting;
        AccountCell? cell = Cell;
        TaskState state = Word.State;
        var account = new TaskAccount
        {
            Level = level,
            State = state,
            Polls = level == AccountingLevel.None ? null : Starts + (cell?.Polls ?? 0),
            LastAwait = withAwait && state == TaskState.Blocked ? DescribeWait() : null,
        };
        return cell is { IsExact: true } ? cell.Complete(account, Engine.Provider) : account;
    }

    /// <summary>Name and spawn site.</summary>
    internal TaskLabel Label
    {
        get
        {
            object about = _about; // once: it is replaced when lives are measured, and when the task comes to plain code
            return about as TaskLabel ?? (about as BornLabel)?.Label ?? Unsafe.As<AccountCell>(about).Label;
        }
    }

    /// <summary>What is counted beyond the task's own steps, if anything is.</summary>
    internal AccountCell? Cell => _about as AccountCell;

    /// <summary>The cell of a task whose times are kept.</summary>
    internal AccountCell? Exact => _about is AccountCell { IsExact: true } cell ? cell : null;

    /// <summary>The cell, which is made if there is none. By the task's own thread.</summary>
    internal AccountCell CellForPlainCode()
    {
        if (_about is not AccountCell cell)
        {
            cell = new AccountCell(Label, Engine.Provider, Born, isExact: false);
            Volatile.Write(ref _about, cell);
        }

        return cell;
    }

    /// <summary>The thread that owns the ready task begins to run it.</summary>
    internal void TakeUp(StepContext context)
    {
        if (Word.HasLastTicket)
        {
            BeginRound();
        }
        else
        {
            Word.Move(TaskEvent.Start);
        }

        if (Exact is { } cell)
        {
            cell.Run(context.Stamp);
            context.Stamp = AccountCell.Unread;
        }
    }

    // How often a thread has taken the task up: the ticket, and how often that began again at zero. Leaves a suspect as it is.
    private long Starts
    {
        get
        {
            _core.Gate.Enter();
            object? extras = Place is SuspectPage page ? page.ExtrasOf(_core.Seat) : _extras;
            long starts = ((extras as TaskExtras)?.Rounds ?? 0) * LifecycleWord.Tickets + Word.Starts;
            _core.Gate.Exit();
            return starts;
        }
    }

    // Both change under the gate, so that who counts sees both or none.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void BeginRound()
    {
        Lock();
        ExtrasLocked().Rounds++;
        Word.Move(TaskEvent.Start);
        Unlock();
    }
}
