namespace Moirai;

/// <summary>How exactly a runtime accounts for the life of each task.</summary>
public enum AccountingLevel
{
    /// <summary>Only the state is known. Costs nothing.</summary>
    None = 0,

    /// <summary>Also how often a thread took up each task, plain <c>async Task</c> code included. Reads no clock and costs nothing a step; some nanoseconds a resume of plain code.</summary>
    Polls = 1,

    /// <summary>Also where the time went: busy, ready, blocked, age, and what the last await was on. Costs an object a task and two looks at the clock a resume.</summary>
    Exact = 2,
}
