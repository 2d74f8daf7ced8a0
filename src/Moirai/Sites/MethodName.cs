namespace Moirai.Sites;

/// <summary>Turns the compiler's names back into those that people wrote.</summary>
internal static class MethodName
{
    internal const string LambdaIn = "a lambda in ";

    /// <summary><c>&lt;CountAsync&gt;d__5</c> is CountAsync; <c>&lt;Run&gt;b__0_1</c> is a lambda in Run; <c>&lt;Run&gt;g__Local|0_0</c> is Local.</summary>
    internal static string Of(string compiled)
    {
        if (compiled.Length == 0 || compiled[0] != '<')
        {
            return compiled;
        }

        int close = compiled.LastIndexOf('>');
        if (close <= 1 || close + 1 >= compiled.Length)
        {
            return compiled;
        }

        string inner = compiled[1..close];
        string rest = compiled[(close + 1)..];
        switch (rest[0])
        {
            case 'd':
                return Of(inner);
            case 'b':
                return LambdaIn + Of(inner);
            case 'g' when rest.IndexOf("__", StringComparison.Ordinal) is var from and >= 0:
                int bar = rest.IndexOf('|', StringComparison.Ordinal);
                return bar > from ? rest[(from + 2)..bar] : rest[(from + 2)..];
            default:
                return inner;
        }
    }

    /// <summary>The name if it is one that a person gave; null for lambdas.</summary>
    internal static string? Spoken(string method) => method.StartsWith(LambdaIn, StringComparison.Ordinal) ? null : method;
}
