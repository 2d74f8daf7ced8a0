using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai;

/// <summary>A cold asynchronous computation: what an <c>async Future</c> method returns. Nothing of it runs until it is spawned or awaited.</summary>
/// <remarks>
/// Awaited inside another future it runs as a part of the same task; spawned into a scope or pool it becomes a task of its own; awaited in plain
/// <c>async</c> code it is spawned as a detached task of the current runtime. A future runs once: to await or spawn it a second time is an
/// <see cref="InvalidOperationException"/>. One that is never awaited never runs, and costs nothing but its memory.
/// <para>Not for use by two threads at once. The execution context (<see cref="AsyncLocal{T}"/>, <c>Activity.Current</c>) flows as it does in
/// <c>async Task</c> methods. Depth of calls costs heap, not stack.</para>
/// </remarks>
[AsyncMethodBuilder(typeof(FutureMethodBuilder))]
public readonly partial struct Future
{
    private readonly Frame? _frame;

    // In which of its lives the frame was this future's.
    private readonly byte _generation;

    internal Future(Frame frame)
    {
        _frame = frame;
        _generation = frame.Generation;
    }

    /// <summary>The frame, for who holds on to it.</summary>
    /// <exception cref="InvalidOperationException">It was spawned or awaited before.</exception>
    internal Frame Frame
    {
        get
        {
            Frame frame = FrameToStart;
            Spawning.Keep(frame);
            return frame;
        }
    }

    /// <summary>The frame, for who starts it now and forgets it then.</summary>
    internal Frame FrameToStart
    {
        get
        {
            if (_frame is not { } frame || frame.Generation != _generation)
            {
                throw FutureErrors.HasNoFrame(_frame);
            }

            return frame;
        }
    }

    internal Frame? FrameOrNull => _frame;

    /// <summary>Awaits the future: runs it as a part of the current task.</summary>
    public FutureAwaiter GetAwaiter() => new(FrameToStart);

    /// <summary>Spawns the future as a detached task of the current runtime and gives a <see cref="Task"/> for its end.</summary>
    /// <exception cref="InvalidOperationException">It was spawned or awaited before.</exception>
    public Task AsTask() => Frame.SpawnDetached().AsTask();

    /// <summary>A future of nothing that ends at its first step.</summary>
    public static Future Completed() => new(new ReadyFrame<bool>(value: false, error: null));

    /// <summary>A future that gives <paramref name="value"/> at its first step.</summary>
    public static Future<T> FromResult<T>(T value) => new(new ReadyFrame<T>(value, error: null));

    /// <summary>A future that throws <paramref name="error"/> at its first step.</summary>
    public static Future FromException(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new(new ReadyFrame<bool>(value: false, error));
    }

    /// <inheritdoc cref="FromException(Exception)"/>
    public static Future<T> FromException<T>(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new(new ReadyFrame<T>(default!, error));
    }
}

/// <summary>A cold asynchronous computation that gives a value. See <see cref="Future"/>.</summary>
/// <typeparam name="T">What it gives.</typeparam>
[AsyncMethodBuilder(typeof(FutureMethodBuilder<>))]
public readonly struct Future<T>
{
    private readonly Frame<T>? _frame;

    // In which of its lives the frame was this future's.
    private readonly byte _generation;

    internal Future(Frame<T> frame)
    {
        _frame = frame;
        _generation = frame.Generation;
    }

    /// <inheritdoc cref="Future.Frame"/>
    internal Frame<T> Frame
    {
        get
        {
            Frame<T> frame = FrameToStart;
            Spawning.Keep(frame);
            return frame;
        }
    }

    /// <inheritdoc cref="Future.FrameToStart"/>
    internal Frame<T> FrameToStart
    {
        get
        {
            if (_frame is not { } frame || frame.Generation != _generation)
            {
                throw FutureErrors.HasNoFrame(_frame);
            }

            return frame;
        }
    }

    internal Frame<T>? FrameOrNull => _frame;

    /// <summary>Awaits the future: runs it as a part of the current task.</summary>
    public FutureAwaiter<T> GetAwaiter() => new(FrameToStart);

    /// <summary>Spawns the future as a detached task of the current runtime and gives a <see cref="Task{TResult}"/> for its result.</summary>
    /// <exception cref="InvalidOperationException">It was spawned or awaited before.</exception>
    public Task<T> AsTask() => ((ManagedTask<T>)Frame.SpawnDetached()).AsTask();

    /// <summary>The same computation, its result left unread.</summary>
    public static implicit operator Future(Future<T> future) => new(future.FrameToStart);
}

internal static class FutureErrors
{
    /// <summary>The error of a future whose frame is not its own, or not any more.</summary>
    internal static InvalidOperationException HasNoFrame(Frame? frame) => frame is null ? IsDefault() : HasRun(frame);

    private static InvalidOperationException HasRun(Frame frame) => new(
        $"The future of {frame.Method} has already run{(ManagedTask.Current is { } task ? $", and {task.Title} asks for it again" : string.Empty)}. A future runs once: call the method again for another run, or keep the ManagedTask and await that, which may be done any number of times.");

    private static InvalidOperationException IsDefault() => new(
        "This is default(Future), which no async method has returned: there is nothing to run. Call an async Future method, or Future.Completed().");

    /// <summary>The error of an awaitable that is its type's default value.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="maker">What makes such awaitables.</param>
    internal static InvalidOperationException IsDefault(string type, string maker) => new(
        $"This is default({type}), which nothing has made: there is nothing to wait for. Call {maker}, and await what it returns.");
}

/// <summary>A frame whose outcome is known before it runs.</summary>
internal sealed class ReadyFrame<T>(T value, Exception? error) : Frame<T>
{
    private T _value = value;
    private Exception? _error = error;

    internal override string Method => _error is null ? "a ready future" : "a failed future";

    internal override void MoveNext()
    {
        if (_error is { } error)
        {
            Throw(error);
            return;
        }

        Result = _value;
        Return();
    }

    internal override void Release()
    {
        _value = default!;
        _error = null;
        Result = default!;
    }
}
