namespace Moirai.Architecture.Tests.FloorPlans;

public sealed class FloorPlanTests
{
    private const string Plan = """
        Some prose.

        | floor | room | owns | may import |
        |---|---|---|---|
        | 1 | `Ground` | lists | nothing |
        | 2 | Timers | the wheel | Ground |
        | 3 | Scopes | trees | Ground, Timers |
        | roof | (roof) | everything | all |

        More prose.
        """;

    private static readonly SourceFile Ground = new("Ground/Node.cs", "namespace Moirai; internal class Node { public int Depth; } internal delegate void Visit();");

    private static readonly SourceFile Timers = new("Timers/Wheel.cs", """
        namespace Moirai;

        internal sealed class Wheel
        {
            public Node Head { get; } = new();
        }
        """);

    private static readonly SourceFile Scopes = new("Scopes/Scope.cs", "namespace Moirai; internal sealed class Scope { private readonly Wheel _wheel = new(); public int Depth() => _wheel.Head.Depth; }");

    private static readonly SourceFile Roof = new("Runtime.cs", "namespace Moirai; public sealed class Runtime { private readonly Scope _scope = new(); public int Depth() => _scope.Depth(); }");

    [Fact]
    public void The_core_follows_its_floor_plan() =>
        Verdict.IsClean(FloorPlanInspection.Run(
            File.ReadAllText(Repository.PathOf("src/Moirai/README.md")),
            Repository.SourcesBelow("src/Moirai")));

    [Fact]
    public void A_house_that_follows_its_plan_passes() => Inspect().ShouldBeEmpty();

    [Fact]
    public void An_arrow_that_the_plan_does_not_allow_is_caught_with_file_and_line() =>
        Inspect(new SourceFile("Ground/Bad.cs", """
            namespace Moirai;

            internal sealed class Bad
            {
                private Scope? _scope;
                public bool Has => _scope is not null;
            }
            """)).ShouldContain("Ground/Bad.cs:5 uses Scope (Scopes), which the floor plan does not allow");

    [Theory]
    [InlineData("a local of inferred type", "static class Bad { static void M(Runtime r) { var x = r.Ask(); } }")]
    [InlineData("the middle of a chain", "static class Bad { static int M(Runtime r) => r.Ask().Number(); }")]
    [InlineData("an argument of a generic type", "class Bad { List<Scope>? _all; }")]
    [InlineData("an array in a tuple", "class Bad { (int, Scope[]) _all; }")]
    [InlineData("a base type", "class Bad : IScoped;")]
    [InlineData("a constraint", "class Bad<T> where T : IScoped;")]
    [InlineData("an attribute", "[Scoped] class Bad;")]
    [InlineData("nameof", "class Bad { string _name = nameof(Scope); }")]
    [InlineData("typeof", "class Bad { Type _type = typeof(Scope); }")]
    [InlineData("target-typed new", "static class Bad { static void M(Runtime r) => r.Tell(new()); }")]
    [InlineData("an extension method", "static class Bad { static int M() => 5.Scoped(); }")]
    [InlineData("an awaiter", "static class Bad { static async Task M(Runtime r) => await r.Wait; }")]
    [InlineData("a loop variable", "static class Bad { static void M(Runtime r) { foreach (var x in r.All) { } } }")]
    [InlineData("a pattern", "static class Bad { static bool M(object o) => o is Scope; }")]
    [InlineData("a static import", "static class Bad { static int M() => Twice(2); }")]
    [InlineData("a user-defined operator", "static class Bad { static object M(Runtime r) => r.Number + 1; }")]
    public void A_forbidden_type_is_seen_through(string disguise, string source)
    {
        SourceFile[] files =
        [
            Ground,
            Timers,
            new("Scopes/Scope.cs", """
                namespace Moirai;
                public class Scope { public int Number() => 1; }
                public interface IScoped;
                public sealed class ScopedAttribute : Attribute;
                public static class ScopeExtensions
                {
                    public static int Scoped(this int x) => x;
                    public static int Twice(int x) => x + x;
                    public static System.Runtime.CompilerServices.TaskAwaiter GetAwaiter(this DateTime _) => Task.CompletedTask.GetAwaiter();
                }
                public struct Number { public static int operator +(Number left, int right) => right; }
                """),
            new("Runtime.cs", """
                namespace Moirai;
                public class Runtime
                {
                    public Scope Ask() => new();
                    public void Tell(Scope scope) { }
                    public DateTime Wait;
                    public Scope[] All = [];
                    public Number Number;
                }
                """),
            new("Timers/Bad.cs", "using static Moirai.ScopeExtensions; namespace Moirai; " + source),
        ];

        FloorPlanInspection.Run(Plan, files)
            .ShouldContain(line => line.StartsWith("Timers/Bad.cs:1 uses ", StringComparison.Ordinal) && line.Contains("(Scopes)", StringComparison.Ordinal), disguise);
    }

    [Fact]
    public void A_reference_in_a_documentation_comment_is_no_arrow() =>
        Inspect(new SourceFile("Ground/Fine.cs", "namespace Moirai; /// <summary>Used by <see cref=\"Scope\"/>.</summary>\ninternal sealed class Fine;")).ShouldBeEmpty();

    [Fact]
    public void A_circle_in_the_code_is_caught_and_printed() =>
        Inspect(new SourceFile("Ground/Bad.cs", "namespace Moirai; internal sealed class Bad { public Scope? Scope; }"))
            .ShouldContain("The code goes in a circle: Ground → Scopes → Ground.");

    [Fact]
    public void A_circle_in_the_plan_is_caught_and_printed()
    {
        var plan = Plan.Replace("| 1 | `Ground` | lists | nothing |", "| low | Ground | lists | Timers |", StringComparison.Ordinal);

        FloorPlanInspection.Run(plan, [Ground, Timers, Scopes, Roof]).ShouldContain("The floor plan allows a circle: Ground → Timers → Ground.");
    }

    [Fact]
    public void An_arrow_upwards_in_the_plan_is_caught()
    {
        var plan = Plan.Replace("| 1 |", "| 4 |", StringComparison.Ordinal);

        FloorPlanInspection.Run(plan, [Ground, Timers, Scopes, Roof]).ShouldContain("The row Timers (floor 2) imports Ground (floor 4): arrows point down.");
    }

    [Fact]
    public void A_folder_without_a_row_is_caught() =>
        Inspect(new SourceFile("Cellar/Wine.cs", "namespace Moirai; internal sealed class Wine;"))
            .ShouldContain("The folder Cellar has no row in the floor plan.");

    [Fact]
    public void A_row_without_a_folder_is_caught() =>
        FloorPlanInspection.Run(Plan, [Ground, Timers]).ShouldContain("The row Scopes has no folder with sources.");

    [Fact]
    public void A_row_that_imports_an_unknown_room_is_caught() =>
        FloorPlanInspection.Run(Plan.Replace("Ground, Timers", "Ground, Attic", StringComparison.Ordinal), [Ground, Timers, Scopes, Roof])
            .ShouldContain("The row Scopes imports Attic, which has no row.");

    [Fact]
    public void A_room_with_two_rows_is_caught() =>
        FloorPlanInspection.Run(Plan.Replace("| Timers |", "| Scopes |", StringComparison.Ordinal), [Ground, Scopes])
            .ShouldContain("The room Scopes has two rows.");

    [Fact]
    public void A_type_spread_over_two_rooms_is_caught() =>
        Inspect(
            new SourceFile("Ground/Wide.cs", "namespace Moirai; internal sealed partial class Wide;"),
            new SourceFile("Timers/Wide.cs", "namespace Moirai; internal sealed partial class Wide;"))
            .ShouldContain("Wide is spread over Ground and Timers: a type lives in one room.");

    [Fact]
    public void A_missing_table_is_caught() =>
        FloorPlanInspection.Run("No table here.", [Ground])[0].ShouldStartWith("The floor plan has no table");

    [Fact]
    public void Sources_that_do_not_compile_are_reported_instead_of_trusted() =>
        Inspect(new SourceFile("Ground/Broken.cs", "namespace Moirai; internal sealed class Broken { Missing _field; }"))
            .ShouldContain(line => line.Contains("was not understood", StringComparison.Ordinal) && line.Contains("Ground/Broken.cs:1", StringComparison.Ordinal));

    [Fact]
    public void The_language_of_the_build_is_understood() =>
        Inspect(new SourceFile("Ground/Modern.cs", """
            namespace Moirai;

            internal static class Modern
            {
                extension(string text)
                {
                    public bool IsShort => text.Length < 10;
                }

                public static int Width { get => field; set => field = value > 0 ? value : 0; }

                public static void Reset(Node? node) => node?.Depth = 0;
            }
            """)).ShouldBeEmpty();

    private static IReadOnlyList<string> Inspect(params SourceFile[] more) =>
        FloorPlanInspection.Run(Plan, [Ground, Timers, Scopes, Roof, .. more]);
}
