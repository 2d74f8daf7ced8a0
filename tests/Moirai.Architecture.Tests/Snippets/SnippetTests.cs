namespace Moirai.Architecture.Tests.Snippets;

public sealed class SnippetTests
{
    private const string Page = """
        # A page

        ```csharp
        this one is not promised to compile
        ```

        ```csharp compile
        Console.WriteLine("a program");
        ```

        - In a list:

          ```csharp compile
          public sealed class Library
          {
              public int Wrong => "text";
          }
          ```

        ```text
        ```csharp compile
        inside another block
        ```
        """;

    private const string PageWithFile = """
        <!-- from src/Library.cs -->
        ```csharp compile
        public sealed class Library;
        ```
        """;

    private static readonly IReadOnlyList<Snippet> AllSnippets =
    [
        .. Directory.GetFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Prepend(Repository.PathOf("README.md"))
            .SelectMany(page => Snippet.In(Path.GetRelativePath(Repository.Root, page), File.ReadAllText(page))),
    ];

    [Fact]
    public void Every_snippet_of_the_pages_compiles() => Verdict.IsClean([.. AllSnippets.SelectMany(snippet => snippet.Compile())]);

    [Fact]
    public void Every_snippet_that_shows_a_file_is_that_file()
    {
        AllSnippets.ShouldContain(snippet => snippet.From != null, 2, "the two examples of docs/wakers.md");
        Verdict.IsClean([.. AllSnippets.Select(snippet => snippet.DifferenceFromFile(ReadIfThere)).OfType<string>()]);

        static string? ReadIfThere(string file) => File.Exists(Repository.PathOf(file)) ? File.ReadAllText(Repository.PathOf(file)) : null;
    }

    [Theory]
    [InlineData("public sealed class Library;\r\n", null)]
    [InlineData("public sealed class Library { }", "page.md:2: differs from src/Library.cs; copy the file into the page")]
    [InlineData(null, "page.md:2: there is no src/Library.cs")]
    public void A_snippet_that_is_not_the_file_it_shows_is_caught(string? file, string? complaint) =>
        Snippet.In("page.md", PageWithFile).ShouldHaveSingleItem().DifferenceFromFile(path => path == "src/Library.cs" ? file : null).ShouldBe(complaint);

    [Fact]
    public void Only_blocks_that_promise_to_compile_are_read() => Snippet.In("page.md", Page).Select(snippet => snippet.Line).ShouldBe([7, 13]);

    [Fact]
    public void A_snippet_with_statements_compiles_as_a_program() => Snippet.In("page.md", Page)[0].Compile().ShouldBeEmpty();

    [Fact]
    public void A_wrong_snippet_is_caught_with_the_line_of_the_page() =>
        Snippet.In("page.md", Page)[1].Compile().ShouldHaveSingleItem().ShouldStartWith("page.md:16: CS0029");

    [Theory]
    [InlineData("await Task.Yield();")]
    [InlineData("int x = await Task.FromResult(1);\nConsole.WriteLine(x);\nstatic class Helper;")]
    [InlineData("using System.Text;\npublic record Order(int Id, StringBuilder Text);")]
    public void What_a_page_may_show_compiles(string code) => new Snippet("page.md", 1, code).Compile().ShouldBeEmpty();

    [Theory]
    [InlineData("int x = \"text\";")]
    [InlineData("Console.WriteLine(undeclared);")]
    [InlineData("Console.WriteLine(")]
    public void What_does_not_compile_is_caught(string code) => new Snippet("page.md", 1, code).Compile().ShouldNotBeEmpty();
}
