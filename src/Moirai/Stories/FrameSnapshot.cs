using System.Text.Json.Serialization;

namespace Moirai;

/// <summary>One method that a task is in, and the await at which it stands.</summary>
/// <param name="Type">The type that declares the method, without namespace; null for what is no method, such as a polled future.</param>
/// <param name="Method">The method, as it was written: <c>CountAsync</c>, <c>a lambda in Run</c>.</param>
/// <param name="Site">The await, as <c>file:line</c> of the statement; null without a PDB, and where the method does not stand at an await.</param>
/// <param name="IsPlain">Whether it is plain <c>async</c> code: a <see cref="Task"/> or <see cref="ValueTask"/> that the task awaits, and no <see cref="Future"/>.</param>
public sealed record FrameSnapshot(string? Type, string Method, string? Site, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsPlain)
{
    /// <summary>Whether it is not the user's but Moirai's or the platform's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsInfrastructure { get; init; }

    /// <summary>Type, method and place.</summary>
    public override string ToString() => $"{(Type is null ? string.Empty : $"{Type}.")}{Method}{(Site is null ? string.Empty : $" ({Site})")}";
}
