using Microsoft.CodeAnalysis;

namespace Moirai.Architecture.Tests.PublicApis;

public sealed class PublicApiTests
{
    [Theory]
    [InlineData("Moirai")]
    [InlineData("Moirai.Dashboard")]
    [InlineData("Moirai.Hosting")]
    [InlineData("Moirai.Testing")]
    public void The_public_API_is_the_approved_one(string project) =>
        Verdict.IsClean(ApprovedApi.Check(
            project,
            PublicApiListing.OfAssembly(project),
            Repository.PathOf($"src/{project}/PublicApi.approved.txt"),
            AppContext.BaseDirectory,
            approve: Environment.GetEnvironmentVariable("APPROVE_PUBLIC_API") == "1"));

    [Fact]
    public void A_listing_shows_signatures_and_nothing_that_is_not_public() =>
        ListingOf("""
            namespace Sample;

            public abstract class Shape : IDisposable
            {
                public const int Sides = 4;
                private int _hidden;
                internal int Inner;
                protected Shape(string? name) { }
                public string? Name { get; private set; }
                public required int Size { get; init; }
                public virtual Task<T?> FindAsync<T>(string key, CancellationToken token = default) where T : class => null!;
                protected abstract void Draw(ref int x, params string[] more);
                public event Action<string?>? Drawn { add { } remove { } }
                public void Dispose() { }
                public sealed class Part;
                private protected void Hidden() { }
            }

            public readonly record struct Point(int X, int Y);
            public enum Color : byte { Red = 1, Green = 2 }
            public delegate TResult Turn<in T, out TResult>(T value) where T : notnull;
            public static class Shapes { public static int Count(this Shape shape) => 0; }
            internal sealed class Invisible { public void M() { } }
            """).ShouldBe("""
            assembly Sample

            public enum Sample.Color : byte
                Red = 1
                Green = 2

            public readonly record struct Sample.Point : IEquatable<Point>
                public Point(int X, int Y)
                public int X { get; init; }
                public int Y { get; init; }

            public abstract class Sample.Shape : IDisposable
                public const int Sides = 4
                protected Shape(string? name)
                public string? Name { get; }
                public required int Size { get; init; }
                public event Action<string?>? Drawn
                public void Dispose()
                protected abstract void Draw(ref int x, params string[] more)
                public virtual Task<T?> FindAsync<T>(string key, CancellationToken token = default) where T : class

            public sealed class Sample.Shape.Part
                public Part()

            public static class Sample.Shapes
                public static int Count(this Shape shape)

            public delegate TResult Sample.Turn<in T, out TResult>(T value) where T : notnull

            """.ReplaceLineEndings("\n"));

    [Fact]
    public void The_order_of_the_sources_does_not_change_a_listing() =>
        ListingOf("public class A { public void M() { } public void N() { } } public class B;")
            .ShouldBe(ListingOf("public class B; public class A { public void N() { } public void M() { } }"));

    [Fact]
    public void A_changed_API_is_reported_line_by_line_with_the_command_that_approves_it()
    {
        using var folder = new TemporaryFolder();
        var approved = Path.Combine(folder.Path, "PublicApi.approved.txt");
        File.WriteAllText(approved, ListingOf("public class A { public void M() { } }"));
        var received = ListingOf("public class A { public void M(int x) { } }");

        var complaints = ApprovedApi.Check("Sample", received, approved, folder.Path, approve: false);

        complaints.ShouldContain("- public class A { public void M() }");
        complaints.ShouldContain("+ public class A { public void M(int x) }");
        complaints[^1].ShouldContain(ApprovedApi.HowToApprove);
        File.ReadAllText(Path.Combine(folder.Path, "Sample.PublicApi.received.txt")).ShouldBe(received);
    }

    [Fact]
    public void A_missing_approval_is_reported_as_a_change()
    {
        using var folder = new TemporaryFolder();

        ApprovedApi.Check("Sample", ListingOf("public class A;"), Path.Combine(folder.Path, "none.txt"), folder.Path, approve: false)
            .ShouldContain("+ public class A");
    }

    [Fact]
    public void Approving_writes_the_listing()
    {
        using var folder = new TemporaryFolder();
        var approved = Path.Combine(folder.Path, "PublicApi.approved.txt");
        var received = ListingOf("public class A;");

        ApprovedApi.Check("Sample", received, approved, folder.Path, approve: true).ShouldBeEmpty();

        ApprovedApi.Check("Sample", received, approved, folder.Path, approve: false).ShouldBeEmpty();
    }

    private static string ListingOf(string source)
    {
        var compilation = Compiler.Compile("Sample", [new SourceFile("Sample.cs", source)]);
        Verdict.IsClean(Compiler.ErrorsOf(compilation));
        using var image = new MemoryStream();
        compilation.Emit(image).Success.ShouldBeTrue();
        return PublicApiListing.Of(MetadataReference.CreateFromImage(image.ToArray()));
    }
}
