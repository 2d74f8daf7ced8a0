using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Moirai.Sites;

/// <summary>The method behind a type of state machines, and where in the source its awaits are.</summary>
internal sealed class MethodSites
{
    private static readonly ConditionalWeakTable<Type, MethodSites> s_known = new();

    // By the number of the await; null where the PDB has no line, or there is no PDB.
    private readonly string?[] _sites;

    private MethodSites(string? type, string method, bool isInfrastructure, string?[] sites)
    {
        Type = type;
        Method = method;
        IsInfrastructure = isInfrastructure;
        _sites = sites;
    }

    /// <summary>The type that declares the method, without namespace.</summary>
    internal string? Type { get; }

    /// <summary>The method as it was written.</summary>
    internal string Method { get; }

    /// <summary>Whether it is Moirai's own or the platform's.</summary>
    internal bool IsInfrastructure { get; }

    /// <summary>The await with a number, as <c>file:line</c>.</summary>
    internal string? At(int state) => (uint)state < (uint)_sites.Length ? _sites[state] : null;

    /// <summary>What is known of the method behind a state machine. Found once a type; the first question reads the PDB.</summary>
    internal static MethodSites Of(Type machine) =>
        s_known.TryGetValue(machine, out MethodSites? known) ? known : s_known.GetValue(machine, Find);

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Where the method was trimmed away there is no line either.")]
    private static MethodSites Find(Type machine)
    {
        Assembly assembly = machine.Assembly;
        bool isInfrastructure = assembly == typeof(MethodSites).Assembly || IsPlatform(assembly);
        MethodInfo? moveNext = isInfrastructure
            ? null
            : machine.GetMethod("MoveNext", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, []);
        string?[] sites = moveNext is null ? [] : SymbolFile.Of(assembly)?.AwaitsOf(moveNext) ?? [];
        return new MethodSites(NameOf(machine.DeclaringType), MethodName.Of(machine.Name), isInfrastructure, sites);
    }

    private static bool IsPlatform(Assembly assembly) =>
        assembly == typeof(object).Assembly || (assembly.GetName().Name is { } name && (name.StartsWith("System.", StringComparison.Ordinal) || name.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal) || name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)));

    // Lambdas live in classes of the compiler's, inside the one that a person wrote.
    private static string? NameOf(Type? type)
    {
        while (type is { DeclaringType: { } outer } && type.Name.StartsWith('<'))
        {
            type = outer;
        }

        if (type is null)
        {
            return null;
        }

        string name = type.Name;
        int arity = name.IndexOf('`', StringComparison.Ordinal);
        name = arity < 0 ? name : name[..arity];
        return name == "<Program>$" ? "Program" : name;
    }
}
