using Moirai.Sites;

namespace Moirai.Execution;

/// <summary>A task's name and spawn site. Shared by all tasks spawned at one place under one name.</summary>
internal sealed class TaskLabel
{
    private const int CacheSize = 256;

    // Entries are replaced as a whole, by anyone; a lost race costs one more label.
    private static readonly TaskLabel?[] s_cache = new TaskLabel?[CacheSize];

    private readonly string? _given;
    private readonly string _method;

    // The method behind a delegate that the root frame only calls; null when the name does not come from it.
    private readonly System.Reflection.MethodInfo? _body;
    private readonly string _file;
    private readonly int _line;

    private TaskLabel(string? given, string method, System.Reflection.MethodInfo? body, string? name, string file, int line)
    {
        _given = given;
        _method = method;
        _body = body;
        Name = name;
        _file = file;
        _line = line;
    }

    /// <summary>The name given at the spawn, else the method that was spawned; null for a lambda, which is called after its scope.</summary>
    internal string? Name { get; }

    /// <summary>Whether a spawn was written down somewhere; else somebody awaits the future in plain code, or blocks in it.</summary>
    internal bool IsSpawned => _file.Length != 0;

    /// <summary>Where a spawn was written down, as the compiler said it.</summary>
    internal (string File, int Line) Place => (_file, _line);

    internal string Site => CallerSite.Of(_file, _line) ?? "unknown";

    /// <summary>The label for a spawn site. Names that are literals cost a look into a small table; others cost an object a task.</summary>
    /// <param name="given">The name given at the spawn.</param>
    /// <param name="method">The method of the root frame.</param>
    /// <param name="body">The delegate that was spawned when the root frame only calls it.</param>
    /// <param name="file">The file of the spawn site.</param>
    /// <param name="line">Its line.</param>
    internal static TaskLabel Of(string? given, string method, Delegate? body, string file, int line)
    {
        System.Reflection.MethodInfo? called = given is null ? body?.Method : null;
        ref TaskLabel? entry = ref s_cache[(line ^ (file.Length << 3)) & (CacheSize - 1)];
        TaskLabel? label = Volatile.Read(ref entry);
        if (label is not null && ReferenceEquals(label._given, given) && label._line == line && ReferenceEquals(label._file, file)
            && ReferenceEquals(label._method, method) && label._body == called)
        {
            return label;
        }

        string? name = given ?? MethodName.Spoken(called is null ? method : MethodName.Of(called.Name));
        label = new TaskLabel(given, method, called, name, file, line);
        Volatile.Write(ref entry, label);
        return label;
    }
}
