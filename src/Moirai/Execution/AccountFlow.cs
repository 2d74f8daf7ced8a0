using System.Runtime.CompilerServices;

namespace Moirai.Execution;

/// <summary>Carries the account of a task along with the plain code that runs for it, and is told whenever a thread takes that code up or leaves it.</summary>
/// <remarks>
/// The platform calls the handler of an <see cref="AsyncLocal{T}"/> when a thread changes from one execution context to another and the value differs: on every resume and every suspension of plain code, whatever it awaits and
/// however it is configured, and when it resumes inline inside code of another task. What the context is not carried to is not seen: <c>UnsafeQueueUserWorkItem</c>, <c>SuppressFlow</c>, callbacks of native code.
/// <para>What the handler throws ends the process: nothing here throws.</para>
/// </remarks>
internal static class AccountFlow
{
    // Bound to an object: a delegate to a static method goes by way of a stub that moves its arguments.
    private static readonly AsyncLocal<Carried> s_current = new(new Handler().Changed);

    // Whether any runtime of the process keeps times, or watches for threads that are kept: then also who leaves matters. Set before its first task is made.
    private static bool s_followsThreads;

    // Whether any watches.
    private static bool s_watchesThreads;

    /// <summary>The account that flows with the code of this thread.</summary>
    internal static AccountCell? Current => s_current.Value.Cell;

    /// <summary>A runtime is made that keeps times.</summary>
    internal static void FollowThreads() => s_followsThreads = true;

    /// <summary>A runtime is made that watches for threads that are kept.</summary>
    internal static void WatchThreads() => s_followsThreads = s_watchesThreads = true;

    /// <summary>From here on plain code that a running frame calls is accounted to its task. By the thread that steps it.</summary>
    internal static AccountCell Begin(Frame frame)
    {
        AccountCell cell = frame.Owner!.CellForPlainCode();
        AccountCell? outer = s_current.Value.Cell;
        if (!ReferenceEquals(outer, cell))
        {
            cell.BeginToFlow();
            ExecutionContext? before = ExecutionContext.Capture();
            s_current.Value = new Carried(cell); // the handler leaves this to us
            ExecutionContext? after = ExecutionContext.Capture();
            StepContext context = StepContext.Current;
            long now = outer?.ThreadLeaves(context) ?? AccountCell.Unread;
            if (s_watchesThreads)
            {
                cell.SeeInside(context);
            }

            cell.ThreadEnters(takesUp: false, context, cell.GoesBy(outer) ? now : AccountCell.Unread);
            cell.Flows(before, after);

            // Those who wait for this frame go on in the same context, and so does what they call then: one context a task, and not one a call.
            if (frame.Context is { } own)
            {
                for (Frame? caller = frame.Caller; caller is not null && ReferenceEquals(caller.Context, own); caller = caller.Caller)
                {
                    caller.Context = after;
                }
            }
        }

        return cell;
    }

    /// <summary>A context as it would be without the account that flows in it. The thread is in that context.</summary>
    internal static ExecutionContext? Without(AccountCell cell, ExecutionContext? context)
    {
        if (cell.ContextWithout(context) is { } known)
        {
            return known;
        }

        s_current.Value = default;
        ExecutionContext? without = ExecutionContext.Capture();
        s_current.Value = new Carried(cell);
        return without;
    }

    // What the platform casts for each change of contexts is a value type: then it need not look up what to cast to.
    private readonly struct Carried(AccountCell? cell)
    {
        internal readonly AccountCell? Cell = cell;
    }

    private sealed class Handler
    {
        internal void Changed(AsyncLocalValueChangedArgs<Carried> change)
        {
            AccountCell? left = change.PreviousValue.Cell;
            AccountCell? entered = change.CurrentValue.Cell;
            if (!change.ThreadContextChanged || ReferenceEquals(left, entered))
            {
                return; // set here, and counted there
            }

            if (entered is null && !s_followsThreads)
            {
                return; // who only counts has nothing to do when a thread leaves
            }

            if (s_watchesThreads)
            {
                PassWatched(left, entered);
                return;
            }

            StepContext? context = StepContext.Existing;
            if (context?.Task is not null || (left is not null && entered is not null))
            {
                Pass(left, entered, context);
            }
            else if (entered is not null)
            {
                entered.ThreadEnters(takesUp: true, context);
            }
            else
            {
                left!.ThreadLeaves(context);
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void PassWatched(AccountCell? left, AccountCell? entered)
        {
            StepContext context = StepContext.Current;
            entered?.SeeInside(context);
            Pass(left, entered, context);
        }

        // From the code of one task to that of another, or inside a step. One look at the clock ends one stretch and begins the next.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Pass(AccountCell? left, AccountCell? entered, StepContext? context)
        {
            AccountCell? stepped = context?.Task?.Cell;
            long now = left?.ThreadLeaves(context) ?? AccountCell.Unread;
            if (entered is not null)
            {
                // A thread that goes from the code of one task straight to that of another does so inside a call, and will come back. What it comes back to it has not taken up anew; and a step counts itself.
                bool takesUp = !ReferenceEquals(entered, stepped);
                if (left is not null && (context ?? StepContext.Current).ComesBack(left, entered, Depth()))
                {
                    takesUp = false;
                }

                now = entered.ThreadEnters(takesUp, context, entered.GoesBy(left) ? now : AccountCell.Unread);
            }

            // Plain code of another task that goes on inside a step is not what that step is busy with.
            if (stepped is not null)
            {
                now = stepped.GoesBy(entered ?? left) ? now : AccountCell.Unread;
                if (entered is null || ReferenceEquals(entered, stepped))
                {
                    stepped.TakeBack(now);
                }
                else
                {
                    stepped.Lend(now);
                }
            }
        }

        // Where the stack of this thread ends now, about.
        private static nint Depth()
        {
            byte here = 0;
            return System.Runtime.CompilerServices.Unsafe.ByteOffset(ref System.Runtime.CompilerServices.Unsafe.NullRef<byte>(), ref here);
        }
    }
}
