using Moirai.Sync;

namespace Moirai;

/// <summary>A value that changes, and that others watch: only the last one counts, and nobody has to keep up. This is the end that changes it.</summary>
/// <remarks>All members are safe from any thread. Complete or dispose it when the value will not change any more. If the garbage collector finds that nobody has it any more before
/// that, those who watch are told by a <see cref="ChannelClosedException"/>.</remarks>
/// <typeparam name="T">What is watched. Best immutable: all who watch see the same object.</typeparam>
public sealed class WatchSender<T> : IDisposable
{
    /// <summary>Makes a watch with a first value.</summary>
    /// <param name="first">The value until another is sent.</param>
    /// <param name="name">What messages call it.</param>
    public WatchSender(T first, string name = "watch") => Core = new WatchCore<T>(name, first);

    /// <summary>The sender is lost.</summary>
    ~WatchSender()
    {
        LostEnds.Note();
        Core?.Close(new ChannelEnd(ChannelEnding.SenderLost, null, null));
    }

    /// <summary>What messages call it.</summary>
    public string Name => Core.Name;

    /// <summary>The last value.</summary>
    public T Value => Core.Read(out _);

    /// <summary>How many wait for another value.</summary>
    public int Waiting => Core.Waiting;

    /// <summary>Whether the value will not change any more.</summary>
    public bool IsClosed => Core.End is not null;

    internal WatchCore<T> Core { get; }

    /// <summary>Makes an end that watches. It has seen the value that is there now.</summary>
    public WatchReceiver<T> NewReceiver() => new(Core);

    /// <summary>Replaces the value, and wakes all who wait for another one.</summary>
    /// <exception cref="ChannelClosedException">It was completed.</exception>
    public void Send(T value)
    {
        ChannelAnswer answer = Core.Set(value, after: 0);
        GC.KeepAlive(this);
        if (answer == ChannelAnswer.Closed)
        {
            throw ChannelClosedException.ToSender(Core, Core.End!);
        }
    }

    /// <summary>Replaces the value by what <paramref name="change"/> makes of it. If that throws, nothing has changed and nobody is woken.</summary>
    /// <param name="change">Runs under no lock, and again when somebody else was faster: it should have no effect but its result.</param>
    /// <exception cref="ChannelClosedException">It was completed.</exception>
    public void Modify(Func<T, T> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        ChannelAnswer answer;
        do
        {
            T before = Core.Read(out long version);
            answer = Core.End is null ? Core.Set(change(before), version) : ChannelAnswer.Closed;
        }
        while (answer == ChannelAnswer.Later);

        GC.KeepAlive(this);
        if (answer == ChannelAnswer.Closed)
        {
            throw ChannelClosedException.ToSender(Core, Core.End!);
        }
    }

    /// <summary>Says that the value will not change any more. Who has not seen the last one sees it, then gets a <see cref="ChannelClosedException"/>.</summary>
    /// <param name="error">Why it ended too soon; the inner exception of what receivers get.</param>
    /// <exception cref="ChannelClosedException">It was completed before.</exception>
    public void Complete(Exception? error = null)
    {
        if (!TryComplete(error))
        {
            throw new ChannelClosedException($"{Core.Capitalized} cannot be completed again: {Core.End!.Why}. Let one party complete it, or use TryComplete.", Name, Core.End.Error);
        }
    }

    /// <inheritdoc cref="Complete"/>
    /// <returns>False when it was completed before.</returns>
    public bool TryComplete(Exception? error = null)
    {
        bool first = Core.Close(ChannelEnd.ByCurrent(ChannelEnding.Completed, error));
        GC.KeepAlive(this);
        return first;
    }

    /// <summary>Completes it, if it is not completed.</summary>
    public void Dispose()
    {
        TryComplete();
        GC.SuppressFinalize(this);
    }

    /// <summary>Name and state.</summary>
    public override string ToString() => Core.Describe();
}
