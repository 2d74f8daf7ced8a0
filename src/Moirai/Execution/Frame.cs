using System.Diagnostics;
using System.Runtime.CompilerServices;
using Moirai.Lifecycle;
using Moirai.Wakers;

namespace Moirai.Execution;

/// <summary>What has become of a frame. Written by the thread that runs the task.</summary>
internal static class FramePhase
{
    /// <summary>Built, neither spawned nor awaited.</summary>
    public const int Cold = 0;

    /// <summary>The root of a spawned task that has not made its first step.</summary>
    public const int Spawned = 1;

    /// <summary>Has made a step.</summary>
    public const int Started = 2;

    /// <summary>Returned; its result waits in the frame for who awaits it.</summary>
    public const int Returned = 3;

    /// <summary>Threw.</summary>
    public const int Threw = 4;

    /// <summary>Its outcome was taken.</summary>
    public const int Taken = 5;
}

/// <summary>The heap object behind one running async <c>Future</c> method: its state machine, and the seat in which it waits.</summary>
/// <remarks>
/// Who holds a frame strongly: the frame it calls (through <see cref="Caller"/>), and of the innermost one whatever can wake it. What
/// merely knows of the task (handle, scope, registry) holds the <see cref="ManagedTask"/>.
/// <para>All fields are written by the thread that runs the task, before it gives the task up.</para>
/// </remarks>
internal abstract class Frame : WaitNode
{
    // What Life is made of: the phase; whether somebody may know the frame who is not done with it when it has ended; in which of its lives it is.
    private const int PhaseBits = 0b0000_0111;
    private const int KnownBit = 0b0000_1000;
    private const int GenerationBits = 0b1111_0000;
    private const int OneGeneration = 0b0001_0000;

    // The task in which the frame runs. Null while the frame is cold.
    internal ManagedTask? Owner;

    // The frame that awaits this one, in the same task. Null for a task's root; while the task is suspected, its root has the sentinel here, or the group of suspects.
    private object? _caller;

    // The execution context in which the next step runs. Null is the empty one.
    internal ExecutionContext? Context;

    /// <param name="isReusable">Whether it may serve several calls; else it is known to somebody from the beginning.</param>
    private protected Frame(bool isReusable = false) => Life = isReusable ? (byte)0 : (byte)KnownBit;

    /// <summary>What has become of it; one of <see cref="FramePhase"/>. Written by the thread that runs the task.</summary>
    internal int Phase
    {
        get => Life & PhaseBits;
        set => Life = (byte)((Life & ~PhaseBits) | value);
    }

    /// <summary>In which of its lives the frame is. A <see cref="Future"/> keeps that of its own, and so knows when the frame has gone on to serve another.</summary>
    internal byte Generation => (byte)(Life & GenerationBits);

    /// <summary>Somebody holds on to the frame who may look at it after its end: it serves once. By its owner.</summary>
    internal void MarkKnown() => Life |= KnownBit;

    /// <inheritdoc cref="_caller"/>
    internal Frame? Caller => _caller as Frame;

    /// <summary>Whether it was spawned, and not awaited by another frame. Asked by its own task.</summary>
    internal bool IsRoot => _caller is null;

    /// <summary>Runs to the next suspension or to the end. Never throws: what the body throws goes to <see cref="Throw"/>.</summary>
    internal abstract void MoveNext();

    /// <summary>Lets go of the locals and of the result, which has been read. Called once, by the task's thread, when the frame has returned or thrown, or will never run.</summary>
    internal abstract void Release();

    /// <summary>Makes the frame ready for another call of its method, if nobody can know it any more. After <see cref="Release"/>, by who runs the task and has no further use for it.</summary>
    /// <remarks>
    /// A frame that began and ended in one stretch of one step was in no queue, no waker had it, no scan saw it asleep, and no continuation leads to it: what may have seen it is a look at a task that was ready, which
    /// the task's word tells that it came too late (<see cref="ManagedTask.IsStill"/>). What may still name it are copies of its <see cref="Future"/>, which know its generation. There are sixteen generations; then the
    /// collector gets it: so none is ever taken for another.
    /// </remarks>
    internal void TryRetire()
    {
        if (Bed.ReusesFrames && (Life & KnownBit) == 0 && (Life & GenerationBits) != GenerationBits)
        {
            Owner = null;
            _caller = null;
            Context = null;
            Queue = null;
            Due = 0;
            Signal = WaitSignal.Done;
            Life = (byte)((Life & GenerationBits) + OneGeneration);
            Shelve();
        }
    }

    /// <summary>Puts the frame where the next call of its method looks for one.</summary>
    private protected virtual void Shelve() => throw new NotSupportedException($"A frame of {Method} serves once.");

    /// <summary>Lets go of a frame that another frame was to call: of one that was called, and of one that nobody will call any more. One that belongs to another task
    /// is left alone.</summary>
    internal void ReleaseAfterCall(bool called)
    {
        if (!called)
        {
            if (Phase != FramePhase.Cold)
            {
                return;
            }

            Phase = FramePhase.Taken;
        }

        Release();
    }

    /// <summary>The method whose frame this is, for names and messages.</summary>
    internal abstract string Method { get; }

    /// <summary>The group in which the frame runs when plain code awaits it; null: the root of the current engine.</summary>
    internal virtual TaskGroup? Home => null;

    /// <summary>Whether it only calls another frame that has the same name, and is left out where methods are told.</summary>
    internal virtual bool IsTransparent => false;

    /// <summary>Whether it gives something back, and has to run although who awaits it was canceled.</summary>
    internal virtual bool IsDisposal => false;

    /// <summary>The method and, where a PDB tells it, the <c>file:line</c> of the await at which the frame stands. For messages; of a frame that moves meanwhile it may be where it was.</summary>
    internal virtual string Place => Method;

    /// <summary>What foreign code a suspended frame awaits: a task, or the source behind a value task. Null when it cannot be found.</summary>
    /// <param name="stands">Asked about what is no task and no method: whether it is what is awaited. Null for the first thing that is found.</param>
    internal virtual object? FindAwaited(Func<object, bool>? stands = null) => null;

    /// <summary>The stretch of the task's life whose end is this frame's entry in the timer queue; null for frames that time nothing.</summary>
    internal virtual CancelRegion? TimedBy => null;

    /// <summary>Spawns this cold frame as a task of its own, for plain code that awaits it.</summary>
    /// <param name="caller">Whose plain code waits for it.</param>
    internal ManagedTask SpawnDetached(ManagedTask? caller = null) =>
        SpawnInto(Home ?? Engine.Ambient.Root, TaskLabel.Of(null, Method, null, string.Empty, 0), caller);

    /// <summary>Spawns this cold frame for somebody who waits for its end.</summary>
    internal ManagedTask SpawnInto(TaskGroup group, TaskLabel label, ManagedTask? caller = null)
    {
        Spawning.ThrowIfNotCold(this);
        MarkKnown(); // to who waits
        ManagedTask task = MakeTask(group, label);
        task.MarkObserved(); // before it can end: who waits may come to join only after that
        if (caller is not null)
        {
            task.CalledBy(caller);
        }

        Spawning.Launch(task, this, token: null, StepContext.Current);
        return task;
    }

    /// <summary>A task that has failed with <paramref name="refused"/> and was never entered anywhere.</summary>
    internal ManagedTask MakeRefused(Exception refused)
    {
        ManagedTask task = MakeTask(Home ?? Engine.Ambient.Root, TaskLabel.Of(null, Method, null, string.Empty, 0));
        task.Word.Move(TaskEvent.Enqueue);
        task.Word.Move(TaskEvent.Start);
        task.Finish(TaskEvent.Fail, refused, out _);
        Owner = task;
        Phase = FramePhase.Taken;
        return task;
    }

    private protected virtual ManagedTask MakeTask(TaskGroup group, TaskLabel label) => new(StepContext.Current.NextId(), group, label);

    /// <summary>The body returned; a result, if there is one, has been stored.</summary>
    internal void Return()
    {
        Phase = FramePhase.Returned;
        StepContext context = Owner!.Stepping;
        if (_caller is { } caller)
        {
            context.Next = Unsafe.As<Frame>(caller); // a task that runs is not suspected
        }
        else
        {
            context.RootEnded = true;
        }
    }

    /// <summary>The body threw. The error travels to the caller through the thread's context: the caller is resumed next, on this thread.</summary>
    internal void Throw(Exception error)
    {
        Phase = FramePhase.Threw;
        StepContext context = StepContext.Current;
        context.Error = error;
        object? caller = error is ManagedTaskCanceledException canceled && canceled.Task == Owner!.Id ? PassOver() : _caller;
        if (caller is not null)
        {
            context.Next = Unsafe.As<Frame>(caller); // a task that runs is not suspected
        }
        else
        {
            context.RootEnded = true;
        }
    }

    /// <summary>Whether a cancellation of the task may pass over this frame: nothing in its method could notice.</summary>
    internal virtual bool MayBePassedOver => false;

    /// <summary>This frame has ended with the cancellation of its task; ends those callers with it that could not notice.</summary>
    /// <returns>The first caller who could, and has to see it; null when there is none, and the task has ended.</returns>
    internal Frame? PassOver()
    {
        Frame ended = this;
        while (ended.Caller is { MayBePassedOver: true } caller)
        {
            ended.Phase = FramePhase.Taken;
            ended.Release();
            ended.Context = null;
            caller.Phase = FramePhase.Threw;
            ended = caller;
        }

        return ended.Caller;
    }

    /// <summary>Makes this cold frame a part of the caller's task; the stepper runs it next, when the caller has unwound.</summary>
    internal void StartUnder(Frame caller)
    {
        Owner = caller.Owner;
        _caller = caller;
        Context = caller.Context;
        Phase = FramePhase.Started;
        StepContext context = Owner!.Stepping;
        Due = context.Step;
        caller.WaitsSince(context.Seconds);
        context.Next = this;
    }

    internal override bool IsArmed(int armed) => Owner!.Word.IsArmed(armed);

    internal override bool TryClaim() => Owner!.Word.TryWake();

    internal override void Resume(ref WakeBatch batch) => batch.Add(Owner!.Engine.Executor, this);

    internal sealed override bool Rearm(out int armed) => Park.Begin(this, (IWaitQueue)Queue!, out armed);

    internal sealed override void GoOn()
    {
        ManagedTask task = Owner!;
        StepContext context = StepContext.Current;
        if (context.HasToGiveWay)
        {
            task.Engine.Executor.Enqueue(this, context);
            return;
        }

        if (!ReferenceEquals(Atomics.Read(ref task.Place), this))
        {
            task.RestoreBeforeStep();
        }

        task.TakeUp(context);
        task.Place = context;
        context.Next = this;
    }

    /// <summary>The continuation that foreign awaitables get. A second call, or one that comes when the frame no longer waits on foreign code, is
    /// ignored.</summary>
    internal void WakeFromForeign()
    {
        ManagedTask task = Owner!;
        int armed = task.Word.Peek(); // before the look at the place: a wait that begins after this has another ticket
        if (ReferenceEquals(task.Leaf, this) && task.Word.TryWakeForeign(armed))
        {
            task.Engine.Executor.Enqueue(this);
        }
    }

    /// <summary>Puts the sentinel of a suspect above its root. On the innermost frame, while the wait is held.</summary>
    internal void Seat(Sentinel sentinel) => Root._caller = sentinel;

    /// <summary>Undoes <see cref="Seat(Sentinel)"/>.</summary>
    internal void Unseat(Sentinel sentinel)
    {
        Frame root = Root;
        Debug.Assert(ReferenceEquals(root._caller, sentinel), "The root of a suspect has another sentinel.");
        root._caller = null;
    }

    /// <summary>Makes the only frame of a suspect its own sentinel. While the wait is held.</summary>
    internal void Seat(SuspectGroup group) => _caller = group;

    /// <summary>Undoes <see cref="Seat(SuspectGroup)"/>.</summary>
    internal SuspectGroup Unseat()
    {
        var group = (SuspectGroup)_caller!;
        _caller = null;
        return group;
    }

    private Frame Root
    {
        get
        {
            Frame root = this;
            while (root.Caller is { } caller)
            {
                root = caller;
            }

            return root;
        }
    }

    public override string ToString() => Method;
}

/// <summary>A frame whose body returns a value.</summary>
internal abstract class Frame<T> : Frame
{
    /// <inheritdoc/>
    private protected Frame(bool isReusable = false)
        : base(isReusable)
    {
    }

    // Written by the body's last step; read by who awaits it, or moved to the handle when the task ends; released with the locals.
    internal T Result = default!;

    private protected sealed override ManagedTask MakeTask(TaskGroup group, TaskLabel label) =>
        new ManagedTask<T>(StepContext.Current.NextId(), group, label);
}
