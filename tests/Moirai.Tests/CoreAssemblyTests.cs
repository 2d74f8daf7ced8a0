using System.Reflection;

namespace Moirai.Tests;

public sealed class CoreAssemblyTests
{
    [Fact]
    public void The_core_depends_on_nothing_but_the_framework()
    {
        var foreign = Assembly.Load("Moirai").GetReferencedAssemblies()
            .Select(reference => reference.Name!)
            .Where(name => !name.StartsWith("System", StringComparison.Ordinal) && name != "netstandard" && name != "mscorlib");

        foreign.ShouldBeEmpty();
    }
}
