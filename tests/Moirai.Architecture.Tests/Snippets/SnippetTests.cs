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

    [Fact]
    public void Every_snippet_of_the_pages_compiles()
    {
        var pages = Directory.GetFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Prepend(Repository.PathOf("README.md"));

        Verdict.IsClean(
        [
            .. pages.SelectMany(page => Snippet.In(Path.GetRelativePath(Repository.Root, page), File.ReadAllText(page)))
                .SelectMany(snippet => snippet.Compile()),
        ]);
    }

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
