namespace Moirai.Execution;

/// <summary>What is to be spawned: a cold root, how the task is called, and the token that the root was given, if it was given one.</summary>
internal readonly struct Body(Frame root, TaskLabel label, CancellationTokenSource? token)
{
    internal readonly Frame Root = root;
    internal readonly TaskLabel Label = label;
    internal readonly CancellationTokenSource? Token = token;
}

/// <inheritdoc cref="Body"/>
/// <typeparam name="T">What the task will give.</typeparam>
internal readonly struct Body<T>(Frame<T> root, TaskLabel label, CancellationTokenSource? token)
{
    internal readonly Frame<T> Root = root;
    internal readonly TaskLabel Label = label;
    internal readonly CancellationTokenSource? Token = token;
}
