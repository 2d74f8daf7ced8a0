using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;
using Moirai.Execution;

namespace Moirai.Futures;

/// <summary>Whether nothing in a method could notice that a cancellation passes through it: it has no <c>catch</c>, no <c>finally</c>, no <c>using</c>, and what it awaits throws and does no more.</summary>
/// <remarks>A frame of such a method is dropped when its task is canceled: to throw and catch an exception in it, once a frame, would cost a hundred times what all else costs, and end the same. Answered once
/// for each state machine, at the first cancellation. Where the method's code cannot be read (trimmed, compiled ahead of time) the answer is no, and it is thrown.
/// See docs/decisions/0031-a-cancellation-passes-without-being-thrown.md.</remarks>
/// <typeparam name="TStateMachine">The method's state machine, as the compiler makes it.</typeparam>
internal static class Passing<TStateMachine>
    where TStateMachine : IAsyncStateMachine
{
    internal static readonly bool Is = Find();

    private static bool Find()
    {
        if (MetadataUpdater.IsSupported)
        {
            return false; // a method that is edited while it runs may get a finally after it was asked
        }

        try
        {
            return HasTheCompilersClauseAlone() && Array.TrueForAll(StateMachineFields<TStateMachine>.All, IsHarmless);
        }
        catch (Exception error) when (error is NotSupportedException or InvalidOperationException)
        {
            return false;
        }
    }

    // The compiler puts a whole method into one catch, which hands the exception to the builder. Whatever else catches or cleans up is the author's, or stands for a using, a lock or an await in one.
    [UnconditionalSuppressMessage("Trimming", "IL2090", Justification = "Where the method was trimmed away nothing is found, and the cancellation is thrown.")]
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "As above.")]
    private static bool HasTheCompilersClauseAlone() =>
        IsMadeByTheCompiler(typeof(TStateMachine))
        && typeof(TStateMachine).GetMethod("MoveNext", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)?.GetMethodBody() is { ExceptionHandlingClauses: [{ Flags: ExceptionHandlingClauseOptions.Clause } clause] }
        && clause.CatchType == typeof(Exception);

    // The machine of a lambda lies in the class for what the lambda captures, and it is that class which is marked.
    private static bool IsMadeByTheCompiler(Type? type)
    {
        while (type is not null && !type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false))
        {
            type = type.DeclaringType;
        }

        return type is not null;
    }

    // A builder of the author's own may do what it likes with the exception it is handed (AsyncMethodBuilder on the method).
    // An awaiter of ours is harmless if it says so. One that is not ours is not interrupted by cancellation, so no wait at it is ever dropped.
    private static bool IsHarmless(FieldInfo field) =>
        field.Name == "<>t__builder"
            ? field.FieldType == typeof(FutureMethodBuilder) || (field.FieldType.IsGenericType && field.FieldType.GetGenericTypeDefinition() == typeof(FutureMethodBuilder<>))
            : typeof(IPassingAwaiter).IsAssignableFrom(field.FieldType) || !typeof(IFrameAwaiter).IsAssignableFrom(field.FieldType);
}
