using System.Diagnostics;

namespace Moirai.Load.Harness;

/// <summary>One pass of a load: its size, and the clock and counters that the load drives.</summary>
/// <remarks>A load prepares, calls <see cref="Begin"/>, closes each phase with <see cref="Phase"/>, and ends with <see cref="Count"/>. Used by one
/// flow of control at a time.</remarks>
internal sealed class Pass(LoadArgs args, TaskRuntime? runtime)
{
    private readonly List<KeyValuePair<string, double>> _phases = [];
    private readonly List<KeyValuePair<string, double>> _extra = [];
    private long _mark;
    private Meters _begun;

    public long N => args.N;

    public int Tasks => args.Tasks;

    public string Variant => args.Variant.Name;

    public TimeSpan Hold => args.Hold;

    /// <summary>Where Moirai's tasks run.</summary>
    public TaskRuntime Runtime => runtime ?? throw new InvalidOperationException("Work by hand has no runtime.");

    public IReadOnlyList<KeyValuePair<string, double>> Phases => _phases;

    public IReadOnlyList<KeyValuePair<string, double>> Extras => _extra;

    public long Ops { get; private set; }

    public double Seconds { get; private set; }

    /// <summary>What the counted part cost beside time.</summary>
    public Meters Cost { get; private set; }

    /// <summary>Stops the program with exit code 1 when a result is wrong: a fast wrong answer is no answer.</summary>
    public static void Check(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new LoadFailedException(otherwise);
        }
    }

    /// <summary>Checks a sum of the numbers from 0 to n - 1.</summary>
    public void CheckSum(long sum)
    {
        long right = N * (N - 1) / 2;
        Check(sum == right, $"the sum is {sum} instead of {right}: a task was lost or ran twice");
    }

    /// <summary>Preparation is over.</summary>
    public void Begin()
    {
        _begun = Meters.Read();
        Mark();
    }

    /// <summary>Lets the next phase begin now: what came before belongs to none.</summary>
    public void Mark() => _mark = Stopwatch.GetTimestamp();

    /// <summary>Lets the next phase begin at a timestamp.</summary>
    public void MarkAt(long timestamp) => _mark = timestamp;

    /// <summary>Ends a phase; the next begins.</summary>
    /// <returns>Its seconds.</returns>
    public double Phase(string name)
    {
        long now = Stopwatch.GetTimestamp();
        double seconds = Math.Max(0, Stopwatch.GetElapsedTime(_mark, now).TotalSeconds);
        _phases.Add(new(name, seconds));
        _mark = now;
        return seconds;
    }

    /// <summary>Notes a phase that the load has measured itself, in pieces.</summary>
    public void Measured(string name, double seconds) => _phases.Add(new(name, seconds));

    public void Extra(string name, double value) => _extra.Add(new(name, value));

    /// <summary>The work is done.</summary>
    /// <param name="ops">How many operations the time was for.</param>
    /// <param name="phases">The phases whose sum is that time; none for all.</param>
    public void Count(long ops, params string[] phases)
    {
        Cost = Meters.Read() - _begun;
        Ops = ops;
        Seconds = _phases.Where(phase => phases.Length == 0 || phases.Contains(phase.Key)).Sum(phase => phase.Value);
    }
}

/// <summary>What the process has used so far.</summary>
internal readonly record struct Meters(long Bytes, int Gen0, int Gen1, int Gen2, double PauseSeconds, double CpuSeconds)
{
    public static Meters Read() => new(
        GC.GetTotalAllocatedBytes(precise: true),
        GC.CollectionCount(0),
        GC.CollectionCount(1),
        GC.CollectionCount(2),
        GC.GetTotalPauseDuration().TotalSeconds,
        CpuSecondsSoFar());

    public static Meters operator -(Meters later, Meters earlier) => new(
        later.Bytes - earlier.Bytes,
        later.Gen0 - earlier.Gen0,
        later.Gen1 - earlier.Gen1,
        later.Gen2 - earlier.Gen2,
        later.PauseSeconds - earlier.PauseSeconds,
        later.CpuSeconds - earlier.CpuSeconds);

    private static double CpuSecondsSoFar()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime.TotalSeconds;
    }
}

/// <summary>A load computed something wrong, or left something behind.</summary>
internal sealed class LoadFailedException(string message) : Exception(message);
