using Microsoft.Extensions.DependencyInjection;

namespace Moirai.Hosting.Supervision;

/// <summary>Makes what a child consists of, on the caller's thread; the answer spawns it.</summary>
internal delegate Func<TaskScope, string, ManagedTask> MakeChild(IServiceProvider services, Incarnation incarnation);

/// <summary>A child as it was added.</summary>
internal sealed record ChildSpec(string Name, MakeChild Make);

/// <summary>A supervisor as it was added.</summary>
internal sealed record SupervisorRegistration(string Name, IReadOnlyList<ChildSpec> Children);

/// <summary>How an incarnation ended.</summary>
/// <param name="State">Completed, Failed or Canceled.</param>
/// <param name="Error">The failure.</param>
internal readonly record struct ChildEnd(TaskState State, Exception? Error = null);

/// <summary>One life of a child: its services, its object, and its task.</summary>
internal sealed class Incarnation : IAsyncDisposable
{
    private readonly AsyncServiceScope _services;
    private object? _owned;

    private Incarnation(AsyncServiceScope services, long began)
    {
        _services = services;
        Began = began;
    }

    /// <summary>When it was made, on the runtime's clock.</summary>
    internal long Began { get; }

    internal ManagedTask Work { get; private set; } = null!;

    /// <summary>Ends when nothing of it is left: the task has ended and what it was made of is disposed. Never fails.</summary>
    internal Task<ChildEnd> Ended { get; private set; } = null!;

    /// <summary>Makes and starts one. Throws what the constructor throws; nothing of it is left then.</summary>
    internal static async Task<Incarnation> StartAsync(ChildSpec spec, IServiceScopeFactory services, TaskScope scope, string name, long now)
    {
        var incarnation = new Incarnation(services.CreateAsyncScope(), now);
        try
        {
            incarnation.Work = spec.Make(incarnation._services.ServiceProvider, incarnation)(scope, name);
        }
        catch
        {
            await incarnation.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        incarnation.Ended = incarnation.WatchAsync();
        return incarnation;
    }

    /// <summary>Has an object disposed at the end.</summary>
    internal void Own(object owned) => _owned = owned;

    public async ValueTask DisposeAsync()
    {
        await using (_services.ConfigureAwait(false))
        {
            switch (_owned)
            {
                case IAsyncDisposable later:
                    await later.DisposeAsync().ConfigureAwait(false);
                    break;
                case IDisposable now:
                    now.Dispose();
                    break;
            }
        }
    }

    private async Task<ChildEnd> WatchAsync()
    {
        ChildEnd end;
        try
        {
            await Work;
            end = new ChildEnd(TaskState.Completed);
        }
        catch (Exception error)
        {
            end = Work.State == TaskState.Canceled ? new ChildEnd(TaskState.Canceled) : new ChildEnd(TaskState.Failed, error);
        }

        try
        {
            await DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception error) // a clean-up that fails is a failure, but does not hide the one before
        {
            end = end.Error is null ? new ChildEnd(TaskState.Failed, error) : end;
        }

        return end;
    }
}

/// <summary>A child's place under its supervisor. Written by the unit that restarts it, one step at a time; read by anybody.</summary>
internal sealed class Child(ChildSpec spec, int index, SupervisedChildOptions options)
{
    private volatile Incarnation? _current;
    private volatile bool _isRetired;
    private long _starts;

    internal ChildSpec Spec => spec;

    internal string Name => spec.Name;

    /// <summary>Where it stands in the order of starts.</summary>
    internal int Index => index;

    internal RestartPolicy Restart => options.Restart;

    internal TimeSpan StopBudget => options.StopBudget;

    /// <summary>Its present life, or its last one whose end nobody has dealt with yet.</summary>
    internal Incarnation? Current
    {
        get => _current;
        set
        {
            if (value is not null)
            {
                Interlocked.Increment(ref _starts);
            }

            _current = value;
        }
    }

    /// <summary>A temporary child that has ended: it is never started again.</summary>
    internal bool IsRetired
    {
        get => _isRetired;
        set => _isRetired = value;
    }

    /// <summary>How often it was started.</summary>
    internal long Starts => Interlocked.Read(ref _starts);

    internal bool IsRunning => _current is { Ended.IsCompleted: false };
}
