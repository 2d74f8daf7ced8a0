using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Moirai.Hosting.Tests;

/// <summary>Children whose lives the test holds in its hands, and what happened to them, in order.</summary>
internal sealed class Puppets
{
    private readonly ConcurrentDictionary<string, Channel<Life>> _starts = new();
    private readonly ConcurrentQueue<string> _trace = new();

    /// <summary>What happened: <c>+a</c> a started, <c>-a</c> a was stopped.</summary>
    internal string Trace => string.Join(' ', _trace);

    internal void Note(string what) => _trace.Enqueue(what);

    /// <summary>The body of a child that heeds its stop.</summary>
    internal Func<IServiceProvider, CancellationToken, Task> Child(string name) => async (_, ct) =>
    {
        Life life = Begin(name);
        try
        {
            await life.End.Task.WaitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            Note($"-{name}");
            throw;
        }
    };

    /// <summary>The body of a child that does not.</summary>
    internal Func<IServiceProvider, CancellationToken, Task> Deaf(string name) => (_, _) => Begin(name).End.Task;

    /// <summary>The next start of a child.</summary>
    internal Task<Life> StartOf(string name) => Eventually.EndsAsync(Starts(name).Reader.ReadAsync().AsTask());

    internal Life Begin(string name)
    {
        Note($"+{name}");
        var life = new Life();
        Starts(name).Writer.TryWrite(life);
        return life;
    }

    private Channel<Life> Starts(string name) => _starts.GetOrAdd(name, static _ => Channel.CreateUnbounded<Life>());
}

/// <summary>One life of a child.</summary>
internal sealed class Life
{
    internal TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal void Fail(string why = "planned") => End.SetException(new InvalidOperationException(why));

    internal void Complete() => End.SetResult();
}
