using System.Text;
using System.Text.RegularExpressions;

namespace Moirai.Interleaving.Exploring;

/// <summary>What tests say about models.</summary>
internal static partial class Proof
{
    public const int Budget = 2;

    /// <summary>The model holds in every interleaving.</summary>
    /// <param name="atLeast">How many interleavings there must be at least: an explorer that explores nothing proves nothing.</param>
    public static void Holds<TModel>(int atLeast, int budget = Budget)
        where TModel : Model, new()
    {
        var bounds = new Bounds(budget);
        Exploration exploration = Explorer.Explore(static () => new TModel(), bounds);
        TestContext.Current.TestOutputHelper?.WriteLine($"{typeof(TModel).Name}: {exploration.Count:N0} interleavings");
        if (exploration.Broken is not null)
        {
            Assert.Fail(Report<TModel>(exploration, bounds, mutant: null));
        }

        exploration.Count.ShouldBeGreaterThanOrEqualTo(atLeast);
    }

    /// <summary>The model catches a planted fault, and the interleaving that shows it can be repeated.</summary>
    public static void Catches<TModel>(string site, Flaw flaw, string? thread = null, int budget = Budget)
        where TModel : Model, new()
    {
        var bounds = new Bounds(budget);
        var mutant = new Mutant(site, flaw, thread);
        Exploration exploration = Explorer.Explore(static () => new TModel(), bounds, mutant);
        mutant.WasMet.ShouldBeTrue($"no thread of {typeof(TModel).Name} came by {site}");
        exploration.Broken.ShouldNotBeNull($"{typeof(TModel).Name} holds in all {exploration.Count:N0} interleavings in spite of {mutant}");
        TestContext.Current.TestOutputHelper?.WriteLine($"{typeof(TModel).Name}: {mutant} caught by interleaving {exploration.Count:N0}, \"{exploration.Script}\"");

        Exception? again = Explorer.Replay(static () => new TModel(), exploration.Script!, bounds, mutant);
        again.ShouldNotBeNull("the interleaving that broke the model holds when it is repeated");
        WhatIsWrong(again.Message).ShouldBe(WhatIsWrong(exploration.Broken.Message));
    }

    /// <summary>Runs one interleaving again: what the message of a failed test asks to call. Put a breakpoint where it hurts; give the debugger one thread at a time.</summary>
    public static void Repeat<TModel>(string script)
        where TModel : Model, new()
    {
        var exploration = new Exploration { Script = script, Broken = Explorer.Replay(static () => new TModel(), script, new Bounds(Budget)) };
        if (exploration.Broken is not null)
        {
            Assert.Fail(Report<TModel>(exploration, new Bounds(Budget), mutant: null));
        }
    }

    // Each run makes tasks of its own. And an assertion reads its own text from where the stack says that it stands, which is elsewhere once the JIT has put the method into its caller.
    private static string WhatIsWrong(string message) => AssertedText().Replace(Id().Replace(message, "#"), string.Empty);

    [GeneratedRegex("#[0-9]+")]
    private static partial Regex Id();

    [GeneratedRegex(@"\A.*?(?=^\s+should )", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex AssertedText();

    private static string Report<TModel>(Exploration exploration, Bounds bounds, Mutant? mutant)
        where TModel : Model, new()
    {
        var trace = new StringBuilder();
        Explorer.Replay(static () => new TModel(), exploration.Script!, bounds, mutant, trace);
        return $"""
            {typeof(TModel).Name}{(mutant is null ? "" : $" with {mutant}")} is broken by interleaving "{exploration.Script}" (number {exploration.Count:N0}):
            {exploration.Broken!.Message}
            To repeat it: Proof.{nameof(Repeat)}<{typeof(TModel).Name}>("{exploration.Script}");
            {trace}
            """;
    }
}
