namespace Moirai;

/// <summary>What a poll function answers: not yet, or here it is.</summary>
/// <typeparam name="T">What the operation gives.</typeparam>
public readonly record struct Poll<T>
{
    private readonly T _value;

    private Poll(T value)
    {
        IsReady = true;
        _value = value;
    }

    /// <summary>Not yet: the waker was stored, and whoever brings the operation forward wakes it. The same as <c>default</c>.</summary>
    public static Poll<T> Pending => default;

    /// <summary>Whether the operation is done.</summary>
    public bool IsReady { get; }

    /// <summary>What the operation gave.</summary>
    /// <exception cref="InvalidOperationException">It is not done.</exception>
    public T Value => IsReady ? _value : throw new InvalidOperationException("This poll is pending and has no value. Look at IsReady first.");

    internal T ValueUnchecked => _value;

    /// <summary>The operation is done, and this is what it gave.</summary>
    public static Poll<T> Ready(T value) => new(value);

    /// <summary>The value, or that there is none yet.</summary>
    public override string ToString() => IsReady ? $"Ready({_value})" : "Pending";
}
