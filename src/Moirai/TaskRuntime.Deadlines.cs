using Moirai.Futures;

namespace Moirai;

/// <content>Scopes that have to end in time.</content>
public sealed partial class TaskRuntime
{
    // What messages call a task that runs a scope's body because plain code awaits it.
    private const string Scope = "scope";

    /// <summary>Runs a body inside a new scope that has to end in time: <see cref="RunScopeAsync{T}(string, Func{TaskScope, Future{T}}, ScopePolicy, CancellationToken)"/> with a <see cref="TaskScope.Deadline"/>.</summary>
    /// <remarks>The body may move the deadline. When it comes, body and tasks are canceled, and when all have ended a <see cref="TaskTimeoutException"/> is thrown, unless something failed: then that is.</remarks>
    /// <param name="name">What messages and dumps call the scope.</param>
    /// <param name="within">The time allowed; zero or less is over at once, <see cref="Timeout.InfiniteTimeSpan"/> sets no deadline.</param>
    /// <param name="body">The body.</param>
    /// <param name="policy">What a failing task does to the others.</param>
    /// <param name="cancellationToken">Cancels the scope, body included.</param>
    /// <typeparam name="T">What the body gives.</typeparam>
    public Future<T> RunScopeAsync<T>(
        string name, TimeSpan within, Func<TaskScope, Future<T>> body, ScopePolicy policy = ScopePolicy.CancelOnFailure, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(body);
        return Homed.In(_engine.Root, TaskScope.RunAsync(_engine, name, policy, within, body, static (body, scope) => body(scope), cancellationToken), Scope, name);
    }

    /// <inheritdoc cref="RunScopeAsync{T}(string, TimeSpan, Func{TaskScope, Future{T}}, ScopePolicy, CancellationToken)"/>
    public Future RunScopeAsync(
        string name, TimeSpan within, Func<TaskScope, Future> body, ScopePolicy policy = ScopePolicy.CancelOnFailure, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(body);
        return Homed.In(_engine.Root, TaskScope.RunAsync(_engine, name, policy, within, body, RunBody, cancellationToken), Scope, name);
    }

    private static async Future<bool> RunBody(Func<TaskScope, Future> body, TaskScope scope)
    {
        await body(scope);
        return true;
    }
}
